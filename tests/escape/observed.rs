//! What the operator sees of one call: its lines of the JSON log.

use std::fmt::Write as _;

use serde_json::Value;

/// The log lines of one call, and its record.
#[derive(Default)]
pub(crate) struct Observed {
    events: Vec<Value>,
}

impl Observed {
    /// The calls of a piece of the log that have a record, in the order of their records.
    pub(crate) fn calls(log: &str) -> Vec<Self> {
        let events: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let records = events.iter().filter(|event| text(event, "message") == "call");
        let of = |record: &Value| {
            let id = text(record, "call");
            let own = events.iter().filter(|event| text(event, "call") == id);
            Self { events: own.cloned().collect() }
        };
        records.map(of).collect()
    }

    /// Lines of the log that are no guest's output.
    pub(crate) fn own(log: &str) -> impl Iterator<Item = &str> {
        let guests = |line: &str| serde_json::from_str(line).is_ok_and(|event| is_output(&event));
        log.lines().filter(move |line| !guests(line))
    }

    /// Whether it is a call of this tool.
    pub(crate) fn is_of(&self, tool: &str) -> bool {
        self.record().is_some_and(|record| text(record, "tool") == tool)
    }

    /// Denials and guest output in order, repeated lines once, and then the record.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines: Vec<(&'static str, String)> = Vec::new();
        for event in &self.events {
            for line in shown(event) {
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
        lines.extend(self.record().map(|record| ("record", summary(record))));
        lines
    }

    /// Fails unless there is exactly one record and it accounts for what ran.
    pub(crate) fn check(&self) {
        let records = self.events.iter().filter(|event| text(event, "message") == "call").count();
        assert_eq!(records, 1, "a call is recorded once: {:?}", self.events);
        let record = self.record().unwrap();
        if !field(record, "backend").is_null() {
            for key in ["fuel", "memory_peak", "wall_micros", "bytes_in", "bytes_out"] {
                assert!(field(record, key).is_u64(), "{key} is not in the record: {record}");
            }
        }
    }

    fn record(&self) -> Option<&Value> {
        self.events.iter().find(|event| text(event, "message") == "call")
    }
}

fn is_output(event: &Value) -> bool {
    text(event, "message") == "guest output"
}

fn shown(event: &Value) -> Vec<(&'static str, String)> {
    match text(event, "message") {
        "denied" => {
            let told = ["capability", "attempt", "reason"].map(|key| text(event, key));
            let mut lines = vec![("denied", format!("{}: {}: {}", told[0], told[1], told[2]))];
            if !field(event, "hint").is_null() {
                lines.push(("hint", text(event, "hint").to_owned()));
            }
            lines
        }
        "guest output" => vec![("output", format!("{}: {}", text(event, "stream"), text(event, "line")))],
        _ => Vec::new(),
    }
}

fn summary(record: &Value) -> String {
    let mut line = text(record, "outcome").to_owned();
    if !field(record, "cause").is_null() {
        write!(line, ": {}", text(record, "cause")).unwrap();
    }
    match field(record, "denials").as_u64() {
        Some(0) | None => {}
        Some(1) => line.push_str("; 1 denial"),
        Some(_) => line.push_str("; denials"),
    }
    if field(record, "stdio_dropped").as_u64().is_some_and(|dropped| dropped > 0) {
        line.push_str("; output dropped");
    }
    line
}

fn text<'a>(event: &'a Value, name: &str) -> &'a str {
    field(event, name).as_str().unwrap_or_default()
}

fn field<'a>(event: &'a Value, name: &str) -> &'a Value {
    let inner = &event["fields"][name];
    if inner.is_null() { &event[name] } else { inner }
}
