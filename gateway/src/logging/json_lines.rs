//! The log as JSON: one object a line, with the fields of an event beside its time, level and target.
//!
//! Written straight into the line, since a call's record is a part of what each call costs. Spans are
//! left out, as this program opens none.

use std::fmt::{Debug, Write as _};

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;

use super::queue::Queue;
use crate::json::{raw, string};

/// Bytes that most lines fit in.
const LINE: usize = 512;

/// Bytes of a time.
const TIME: usize = 32;

/// Writes each event to the queue.
#[derive(Debug)]
pub(super) struct JsonLines(pub(super) Queue);

impl<S: Subscriber> Layer<S> for JsonLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        self.0.push_event(metadata, line(event));
    }
}

/// The event as a line, RFC 3339 time first.
fn line(event: &Event<'_>) -> Vec<u8> {
    let metadata = event.metadata();
    let mut fields = Fields { line: Vec::with_capacity(LINE), text: String::with_capacity(TIME) };
    raw(&mut fields.line, r#"{"timestamp":"#);
    fields.time();
    raw(&mut fields.line, r#","level":"#);
    string(&mut fields.line, metadata.level().as_str());
    event.record(&mut fields);
    let mut line = fields.line;
    raw(&mut line, r#","target":"#);
    string(&mut line, metadata.target());
    raw(&mut line, "}\n");
    line
}

/// Appends each field that it is shown.
struct Fields {
    line: Vec<u8>,
    /// Reused by what has to be text before it is a JSON string.
    text: String,
}

impl Fields {
    fn name(&mut self, field: &Field) {
        self.line.push(b',');
        string(&mut self.line, field.name());
        self.line.push(b':');
    }

    fn time(&mut self) {
        // A clock before 1970 is told as it is; nothing else can fail.
        SystemTime.format_time(&mut Writer::new(&mut self.text)).ok();
        string(&mut self.line, &self.text);
    }

    fn plain(&mut self, field: &Field, value: impl Serialize) {
        self.name(field);
        serde_json::to_writer(&mut self.line, &value).expect("memory takes what is written");
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text.clear();
        // Of a value that can't be told, what could be is.
        write!(self.text, "{value:?}").ok();
        self.name(field);
        string(&mut self.line, &self.text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        string(&mut self.line, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl<S: Subscriber> Layer<S> for Lines {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().extend(line(event));
        }
    }

    fn lines(log: impl FnOnce()) -> Vec<String> {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::registry().with(lines.clone());
        tracing::subscriber::with_default(subscriber, log);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn an_event_is_a_line_with_its_fields_as_json() {
        let lines = lines(|| {
            tracing::warn!(
                target: "a::target",
                shown = %"with \"quotes\"\n and lines",
                debug = ?Some("x"),
                text = "\u{1b}[31m é \u{2028}",
                count = u64::MAX,
                below = i64::MIN,
                yes = true,
                share = 0.5,
                none = None::<u64>,
                "what happened"
            );
            tracing::info!("another");
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
        let mut event: Value = serde_json::from_str(&lines[0]).unwrap();
        let time = event["timestamp"].take();
        assert_eq!((time.as_str().unwrap().len(), &time.as_str().unwrap()[19..20]), (27, "."));
        let expected = json!({
            "timestamp": null,
            "level": "WARN",
            "message": "what happened",
            "shown": "with \"quotes\"\n and lines",
            "debug": "Some(\"x\")",
            "text": "\u{1b}[31m é \u{2028}",
            "count": u64::MAX,
            "below": i64::MIN,
            "yes": true,
            "share": "0.5",
            "target": "a::target",
        });
        assert_eq!(event, expected);
    }
}
