//! The demo's calls, one of each tool, with what the result must hold.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::page::Page;

/// How far the guest's clock may be from ours.
const CLOCK_SKEW: i64 = 60;

/// What each result says that its call used. None is ever 0: a call burns fuel, takes time, and its
/// component has a memory.
const USAGE: [&str; 3] = ["fuel", "memoryPeak", "wallMicros"];

/// One call and its expectations.
pub(super) struct Call {
    /// `server__tool`.
    pub(super) tool: &'static str,
    pub(super) arguments: Value,
    /// JSON pointers into `structuredContent`, and what is there.
    expected: Vec<(&'static str, Expected)>,
}

/// What a value must be.
enum Expected {
    Is(Value),
    Contains(&'static str),
    /// The present time in Unix seconds.
    Now,
}

use Expected::{Contains, Is, Now};

/// A call with its `tools/call` result.
pub(super) struct Answer<'a> {
    pub(super) call: &'a Call,
    pub(super) result: Value,
    /// As the client saw it, connection included.
    pub(super) round_trip: Duration,
}

impl Answer<'_> {
    /// What is wrong with the result, if anything.
    pub(super) fn fault(&self) -> Option<String> {
        let tool = self.call.tool;
        if self.result["isError"] == true {
            return Some(format!("{tool} answered an error: {}", self.result["content"]));
        }
        let usage = &self.result["_meta"]["toolgate/usage"];
        if let Some(missing) = USAGE.iter().find(|figure| usage[**figure].as_u64().is_none_or(|n| n == 0)) {
            return Some(format!("{tool} reports no {missing}: {usage}"));
        }
        let content = &self.result["structuredContent"];
        let unmet =
            self.call.expected.iter().find(|(pointer, expected)| !expected.met(content.pointer(pointer)));
        unmet.map(|(pointer, expected)| {
            let found = content.pointer(pointer).unwrap_or(&Value::Null);
            format!("{tool}: expected {} at {pointer}, found {found}", expected.describe())
        })
    }
}

impl Expected {
    fn met(&self, found: Option<&Value>) -> bool {
        match self {
            Is(value) => found == Some(value),
            Contains(text) => found.and_then(Value::as_str).is_some_and(|found| found.contains(text)),
            Now => found.and_then(Value::as_i64).is_some_and(|found| (found - now()).abs() <= CLOCK_SKEW),
        }
    }

    fn describe(&self) -> String {
        match self {
            Is(value) => value.to_string(),
            Contains(text) => format!("a text with {text:?}"),
            Now => format!("about {}", now()),
        }
    }
}

/// All calls, in an order in which a reader can follow them: what is written is then found.
pub(super) fn all(page: &Page) -> Vec<Call> {
    let mut calls = clock();
    calls.extend(fetch(page));
    calls.extend(files());
    calls
}

fn clock() -> Vec<Call> {
    vec![
        call(
            "clock__now",
            json!({ "zone": "Europe/Berlin" }),
            [("/unix", Now), ("/zone", Is(json!("Europe/Berlin")))],
        ),
        call(
            "clock__convert",
            json!({ "time": "2026-11-21T15:04", "from-zone": "Europe/Berlin", "to-zone": "Asia/Tokyo" }),
            [
                ("/time", Is(json!("2026-11-21T23:04:00+09:00[Asia/Tokyo]"))),
                ("/weekday", Is(json!("Saturday"))),
            ],
        ),
        call(
            "clock__difference",
            json!({ "start": "2026-11-21T00:00Z", "end": "2026-12-24T18:30Z" }),
            [("/seconds", Is(json!(2_917_800)))],
        ),
        call("clock__zones", json!({ "filter": "berlin" }), [("/result", Is(json!(["Europe/Berlin"])))]),
    ]
}

fn fetch(page: &Page) -> Vec<Call> {
    let url = format!("{}/", page.origin());
    vec![call(
        "fetch__fetch",
        json!({ "url": url }),
        [("/title", Is(json!("Greenhouse"))), ("/content", Contains("**warm** roots"))],
    )]
}

fn files() -> Vec<Call> {
    let path = "/notes/plan.md";
    let plan = "Tomatoes beside basil.\n";
    vec![
        call(
            "files__write",
            json!({ "path": path, "content": plan, "mode": "overwrite" }),
            [("/result", Is(json!(plan.len())))],
        ),
        call(
            "files__list",
            json!({ "path": "/notes" }),
            [("/entries/1/path", Is(json!(path))), ("/entries/1/size", Is(json!(plan.len())))],
        ),
        call("files__read", json!({ "path": path }), [("/content", Is(json!(plan)))]),
        call(
            "files__search",
            json!({ "path": "/notes", "text": "tomatoes", "name": "b*.md" }),
            [("/hits/0/path", Is(json!("/notes/basil.md"))), ("/hits/0/line", Is(json!(3)))],
        ),
    ]
}

fn call<const N: usize>(
    tool: &'static str,
    arguments: Value,
    expected: [(&'static str, Expected); N],
) -> Call {
    Call { tool, arguments, expected: expected.into() }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(result: Value) -> Option<String> {
        let call = call("clock__zones", json!({}), [("/result", Is(json!([1])))]);
        Answer { call: &call, result, round_trip: Duration::ZERO }.fault()
    }

    fn with_usage(structured: Value, usage: Value) -> Value {
        json!({ "structuredContent": structured, "_meta": { "toolgate/usage": usage } })
    }

    fn answer(structured: Value) -> Value {
        with_usage(structured, json!({ "fuel": 5, "memoryPeak": 65536, "wallMicros": 7 }))
    }

    #[test]
    fn the_expected_content_is_no_fault() {
        assert_eq!(fault(answer(json!({ "result": [1] }))), None);
    }

    #[test]
    fn other_content_an_error_and_a_missing_account_are_faults() {
        let faults = [
            fault(answer(json!({ "result": [2] }))),
            fault(answer(Value::Null)),
            fault(json!({ "isError": true })),
            fault(json!({ "structuredContent": { "result": [1] } })),
        ];
        assert!(faults.iter().all(Option::is_some), "{faults:?}");
    }

    #[test]
    fn every_figure_of_the_account_is_asked_for() {
        let right = || json!({ "result": [1] });
        for usage in [
            json!({ "memoryPeak": 65536, "wallMicros": 7 }),
            json!({ "fuel": 5, "memoryPeak": 0, "wallMicros": 7 }),
            json!({ "fuel": 5, "memoryPeak": 65536, "wallMicros": "7" }),
        ] {
            assert!(fault(with_usage(right(), usage.clone())).is_some(), "{usage}");
        }
        let fault = fault(with_usage(right(), json!({ "fuel": 5, "wallMicros": 7 })));
        let expected = r#"clock__zones reports no memoryPeak: {"fuel":5,"wallMicros":7}"#;
        assert_eq!(fault.as_deref(), Some(expected));
    }
}
