//! What was seen, as text that is the same in every run.

use std::fmt::Write as _;

use serde_json::Value;

/// Characters of one text that are shown.
const SHOWN: usize = 300;

/// The width of a label with what parts it from its text.
const LABEL: usize = 8;

/// A transcript on its way, with the values that differ between runs and the names they get.
pub(crate) struct Transcript {
    text: String,
    names: Vec<(String, &'static str)>,
}

impl Transcript {
    pub(crate) fn new(about: &str, names: Vec<(String, &'static str)>) -> Self {
        Self { text: format!("{about}\n"), names }
    }

    /// Begins a step.
    pub(crate) fn step(&mut self, line: &str) {
        write!(self.text, "\n{line}\n").unwrap();
    }

    /// Adds what was seen, below the step.
    pub(crate) fn seen(&mut self, label: &str, text: &str) {
        let steady = self.steady(text);
        let shown = visible(&cut(&steady));
        let mut lines = shown.lines();
        let first = lines.next().unwrap_or_default();
        writeln!(self.text, "{}", format!("  {label:LABEL$}{first}").trim_end()).unwrap();
        for line in lines {
            writeln!(self.text, "{}", format!("  {:LABEL$}{line}", "").trim_end()).unwrap();
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    fn steady(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (value, name) in &self.names {
            text = text.replace(value, name);
        }
        // Where a guest crashed depends on its toolchain.
        for place in ["; at ", " panicked at "] {
            if let Some(at) = text.find(place) {
                text.truncate(at);
            }
        }
        // How long something took, and how much was under way, depends on the machine.
        let without = |text: String, before: &&str| without_number(&text, before);
        ["exceeded after ", "refused after ", "broken after "].iter().fold(text, without)
    }
}

/// What the caller got: the guest's own word, or what the gateway said in its place.
pub(crate) fn reply(reply: &Value) -> (&'static str, String) {
    let result = &reply["result"];
    if result.is_null() {
        let error = &reply["error"];
        return ("client", format!("error {}: {}", error["code"], error["message"].as_str().unwrap_or("")));
    }
    let text = result["content"][0]["text"].as_str().unwrap_or_default();
    match result["_meta"]["toolgate/error"].as_str() {
        Some(code) => ("client", format!("{code}: {text}")),
        None if result["isError"] == true => ("guest", format!("err: {text}")),
        None => ("guest", format!("ok: {text}")),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}… ({} bytes)", &text[..at], text.len()),
    }
}

fn without_number(text: &str, before: &str) -> String {
    let Some((head, tail)) = text.split_once(before) else {
        return text.to_owned();
    };
    let rest = tail.trim_start_matches(|c: char| c.is_ascii_digit());
    if rest.starts_with(" ms") || rest.starts_with(" bytes") {
        format!("{head}{before}…{rest}")
    } else {
        text.to_owned()
    }
}

/// With what acts on whoever looks at it made visible.
fn visible(text: &str) -> String {
    let acts = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{feff}');
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if acts(c) {
            out.extend(c.escape_default())
        } else {
            out.push(c)
        }
        out
    })
}
