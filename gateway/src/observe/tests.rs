#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use super::printable::printable;
use crate::auth::Principal;
use crate::catalog::{View, Wanted};
use crate::fake::{self, raw};
use crate::pipeline::{self, Call};

/// The events of this thread, as their fields.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<BTreeMap<String, String>>>>);

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl<S: tracing::Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == super::TARGET {
            let mut fields = BTreeMap::new();
            event.record(&mut Fields(&mut fields));
            self.0.lock().unwrap().push(fields);
        }
    }
}

impl Events {
    fn listen() -> (Self, DefaultGuard) {
        let events = Self::default();
        let subscriber = tracing_subscriber::registry().with(events.clone());
        (events, tracing::subscriber::set_default(subscriber))
    }

    fn named(&self, message: &str) -> Vec<BTreeMap<String, String>> {
        let events = self.0.lock().unwrap();
        events.iter().filter(|event| event["message"] == message).cloned().collect()
    }
}

fn call(name: &str) -> Call {
    Call::new(View::All, Wanted::Tool(name.to_owned()), raw("{}"))
}

#[tokio::test]
async fn every_call_is_recorded_once_however_it_ends() {
    for (tool, outcome) in [
        ("fake__echo", "ok"),
        ("fake__tool-error", "tool-error"),
        ("fake__trap", "trap"),
        ("fake__bad-args", "arguments"),
        ("fake__panic", "internal"),
        ("broken__x", "unavailable"),
        ("fake__nothing", "unknown-tool"),
    ] {
        let (events, _guard) = Events::listen();
        let (gateway, _) = fake::gateway();
        let _ = pipeline::call(&gateway, &Principal::local(), call(tool)).await;
        let records = events.named("call");
        assert_eq!(records.len(), 1, "{tool}");
        assert_eq!(records[0]["outcome"], outcome, "{tool}");
        assert_eq!(records[0]["principal"], "local");
        let ran = tool.starts_with("fake__") && outcome != "unknown-tool";
        assert_eq!(records[0].get("fuel").map(String::as_str), ran.then_some("42"), "{tool}");
        if ran {
            assert_eq!(records[0]["server"], "fake");
            assert_eq!(format!("fake__{}", records[0]["tool"]), tool);
        }
    }
}

#[tokio::test]
async fn an_abandoned_call_is_recorded_once_with_its_usage() {
    let (events, _guard) = Events::listen();
    let (gateway, _) = fake::gateway();
    let principal = Principal::local();
    let abandoned = pipeline::call(&gateway, &principal, call("fake__hang"));
    assert!(tokio::time::timeout(Duration::from_millis(20), abandoned).await.is_err());
    let records = events.named("call");
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["outcome"], "cancelled");
    assert_eq!(records[0]["fuel"], "42");
}

#[tokio::test]
async fn a_cause_is_for_the_operator() {
    let (events, _guard) = Events::listen();
    let (gateway, _) = fake::gateway();
    let _ = pipeline::call(&gateway, &Principal::local(), call("fake__trap")).await;
    assert!(events.named("call")[0]["cause"].contains("/host/path"));
}

#[tokio::test]
async fn a_denial_names_the_line_that_would_allow_it() {
    let (events, _guard) = Events::listen();
    let (gateway, _) = fake::gateway();
    pipeline::call(&gateway, &Principal::local(), call("fake__talk")).await.unwrap();
    let denied = &events.named("denied")[0];
    assert_eq!(denied["hint"], r#"[servers.fake.grants] http = ["GET https://api.example.com/v1/x"]"#);
    assert_eq!(denied["call"], events.named("call")[0]["call"]);
    assert_eq!(events.named("call")[0]["denials"], "1");
}

#[tokio::test]
async fn guest_output_is_logged_with_its_call_and_cannot_act_on_a_terminal() {
    let (events, _guard) = Events::listen();
    let (gateway, _) = fake::gateway();
    pipeline::call(&gateway, &Principal::local(), call("fake__talk")).await.unwrap();
    let output = &events.named("guest output")[0];
    assert_eq!(output["line"], "hello\\u{1b}[2J \u{fffd}");
    assert_eq!(output["stream"], "stdout");
    assert_eq!(output["call"], events.named("call")[0]["call"]);
    assert_eq!(events.named("call")[0]["stdio_dropped"], "9");
}

#[test]
fn text_is_made_printable_and_short() {
    assert_eq!(printable("plain é", 100), "plain é");
    assert_eq!(printable("a\nb\r\u{202e}c", 100), "a\\nb\\r\\u{202e}c");
    assert_eq!(printable("ééé", 3), "é…");
}
