//! Every limit of a call, exceeded by a guest that means to, through the whole gateway.
//!
//! Each test shows that the call ends with the limit's stable code, that what it used is
//! accounted, and that the gateway answers others meanwhile or right after.

use std::time::{Duration, Instant};

use e2e::client::Client;
use e2e::gateway::Gateway;
use e2e::guests;
use e2e::process;
use e2e::site::Site;
use serde_json::{Value, json};

/// A gateway with the hostile guest under these `[limits]` lines.
async fn hostile(limits: &str) -> (Site, Gateway, Client) {
    let site = Site::new(&format!(
        "[servers.bad]\ncomponent = \"file:{}\"\n[servers.bad.limits]\n{limits}\n",
        guests::guest("misbehave").display()
    ));
    let gateway = Gateway::start(&site).await;
    let client = gateway.client_of("bad");
    (site, gateway, client)
}

/// Asserts the stable code of a failed call, and that it is accounted; gives its usage.
fn failed_with(result: &Value, code: &str) -> Value {
    assert_eq!(result["isError"], true, "{result}");
    assert_eq!(result["_meta"]["toolgate/error"], code, "{result}");
    let usage = result["_meta"]["toolgate/usage"].clone();
    assert!(usage["fuel"].is_u64() && usage["memoryPeak"].is_u64(), "{result}");
    usage
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap()
}

async fn still_serves(client: &Client) {
    let result = client.call("count", json!({})).await;
    assert_eq!(result["isError"], false, "{result}");
    assert_eq!(result["structuredContent"], json!({ "result": 1 }), "state survived: {result}");
}

#[tokio::test]
async fn a_spinning_guest_runs_out_of_fuel() {
    let (_site, _gateway, client) = hostile("fuel = 100_000_000").await;
    let result = client.call("spin", json!({})).await;
    let usage = failed_with(&result, "fuel");
    assert_eq!(usage["fuel"], 100_000_000, "all of the budget is accounted");
    assert!(text(&result).contains("100000000"), "{result}");
    still_serves(&client).await;
}

#[tokio::test]
async fn a_spinning_guest_ends_at_its_deadline() {
    let (_site, _gateway, client) = hostile("fuel = 1_000_000_000_000\ndeadline = \"300ms\"").await;
    let start = Instant::now();
    let result = client.call("spin", json!({})).await;
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert!(failed_with(&result, "deadline")["fuel"].as_u64().unwrap() > 1_000_000);
    still_serves(&client).await;
}

#[tokio::test]
async fn a_guest_that_spins_in_host_calls_ends_at_its_deadline() {
    let (_site, _gateway, client) = hostile("fuel = 1_000_000_000_000\ndeadline = \"300ms\"").await;
    failed_with(&client.call("spin-in-host-calls", json!({})).await, "deadline");
    still_serves(&client).await;
}

#[tokio::test]
async fn a_sleeping_guest_ends_at_its_deadline() {
    let (_site, _gateway, client) = hostile("deadline = \"300ms\"").await;
    let start = Instant::now();
    failed_with(&client.call("sleep-for", json!({ "milliseconds": 60_000 })).await, "deadline");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    failed_with(&client.call("poll-many", json!({ "count": 10, "milliseconds": 60_000 })).await, "deadline");
    still_serves(&client).await;
}

#[tokio::test]
async fn spinning_guests_on_every_core_do_not_keep_health_from_answering() {
    let (_site, gateway, client) = hostile("fuel = 1_000_000_000_000\ndeadline = \"3s\"").await;
    let attacks: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.call("spin", json!({})).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let start = Instant::now();
    let health = reqwest::get(gateway.url("/health")).await.unwrap();
    assert!(health.status().is_success());
    still_serves(&client).await;
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    for attack in attacks {
        failed_with(&attack.await.unwrap(), "deadline");
    }
}

#[tokio::test]
async fn memory_beyond_the_limit_is_refused_and_its_peak_reported() {
    let (_site, _gateway, client) = hostile("memory = \"16MiB\"").await;
    let result = client.call("allocate", json!({ "mebibytes": 8 })).await;
    assert_eq!(result["isError"], false, "{result}");
    let peak = result["_meta"]["toolgate/usage"]["memoryPeak"].as_u64().unwrap();
    assert!((8 << 20..16 << 20).contains(&peak), "{peak}");

    let usage = failed_with(&client.call("allocate-or-die", json!({})).await, "memory");
    assert!(usage["memoryPeak"].as_u64().unwrap() <= 16 << 20, "{usage}");
    still_serves(&client).await;
}

#[tokio::test]
async fn a_guest_that_expects_a_refusal_of_memory_lives_to_tell() {
    let (_site, _gateway, client) = hostile("memory = \"16MiB\"").await;
    let result = client.call("allocate-all", json!({})).await;
    assert!(text(&result).contains("refused after 14 MiB"), "{result}");
    assert!(result["_meta"]["toolgate/error"].is_null(), "the tool's own word: {result}");
    let result = client.call("grow", json!({ "pages": 65_000 })).await;
    assert_eq!(result["isError"], true, "{result}");
    assert!(result["_meta"]["toolgate/error"].is_null(), "the tool's own word: {result}");
}

#[tokio::test]
async fn results_beyond_the_limit_fail_the_call_and_cost_the_host_little() {
    let (_site, gateway, client) = hostile("output = \"64KiB\"\nmemory = \"256MiB\"").await;
    let fits = client.call("huge-string", json!({ "bytes": 30_000 })).await;
    assert_eq!(text(&fits).len(), 30_000);
    for (tool, arguments) in [
        ("huge-string", json!({ "bytes": 100_000 })),
        ("huge-bytes", json!({ "bytes": 100_000 })),
        ("huge-bytes", json!({ "bytes": 100_000_000 })),
        ("huge-list", json!({ "elements": 50_000 })),
        ("huge-escapes", json!({ "bytes": 20_000 })),
        ("huge-error", json!({ "bytes": 100_000 })),
    ] {
        let result = client.call(tool, arguments).await;
        failed_with(&result, "output");
        assert!(result.to_string().len() < 2_000, "{tool} answered with {} bytes", result.to_string().len());
    }
    let peak = process::peak(gateway.pid());
    assert!(peak < 600 << 20, "the gateway took {} MiB at its peak", peak >> 20);
    still_serves(&client).await;
}

#[tokio::test]
async fn guest_output_is_bounded_and_never_reaches_a_client() {
    let (_site, gateway, client) = hostile("stdio = \"4KiB\"").await;
    let result = client.call("print-bytes", json!({ "to-stderr": false, "bytes": 50_000_000 })).await;
    assert_eq!(result["isError"], false, "printing too much does not fail the tool: {result}");
    gateway.logged("stdio_dropped").await;
    assert!(gateway.log().len() < 64 << 10, "{} bytes of log", gateway.log().len());

    let result = client.call("forge-reply", json!({ "id": "1" })).await;
    assert_eq!(result["isError"], false, "{result}");
    assert!(!result.to_string().contains("jsonrpc"), "{result}");
}

#[tokio::test]
async fn guest_output_goes_to_the_log_with_the_calls_id() {
    let (_site, gateway, client) = hostile("").await;
    let arguments = json!({ "to-stderr": true, "line": "a line for the operator", "count": 1 });
    client.call("print-lines", arguments).await;
    gateway.logged("a line for the operator").await;
    // The record of a call is written last.
    let log = gateway.logged("\"outcome\"").await;
    let line = log.lines().find(|line| line.contains("a line for the operator")).unwrap();
    let id = field(line, "call");
    let record = log.lines().find(|line| line.contains("\"outcome\"") && line.contains(&id));
    assert!(record.is_some(), "no record of call {id} in\n{log}");
}

#[tokio::test]
async fn handles_beyond_the_limit_are_refused() {
    let (_site, _gateway, client) = hostile("handles = 100").await;
    let result = client.call("hoard-pollables", json!({ "count": 50 })).await;
    assert_eq!(result["isError"], false, "{result}");
    failed_with(&client.call("hoard-pollables", json!({ "count": 1_000 })).await, "memory");
    still_serves(&client).await;
}

#[tokio::test]
async fn calls_beyond_the_concurrency_wait_and_then_are_turned_away() {
    let (_site, _gateway, client) = hostile("concurrency = 1\ndeadline = \"2s\"").await;
    let calls: Vec<_> = (0..12)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.try_call("sleep-for", json!({ "milliseconds": 700 })).await })
        })
        .collect();
    let (mut done, mut late, mut refused) = (0, 0, 0);
    for call in calls {
        let reply = call.await.unwrap();
        match reply.get("result") {
            Some(result) if result["isError"] == false => done += 1,
            Some(_) => late += 1,
            None => refused += 1,
        }
    }
    assert!(done >= 2, "one at a time fits twice into the deadline: {done}");
    assert!(refused >= 7, "the queue is bounded: {done} done, {late} late, {refused} refused");
}

#[tokio::test]
async fn crashes_end_only_their_own_call_and_tell_no_host_detail() {
    let (_site, gateway, client) = hostile("").await;
    for (tool, arguments) in [
        ("panic", json!({ "message": "secret of the guest" })),
        ("unreachable", json!({})),
        ("exit", json!({ "code": 3 })),
        ("out-of-bounds", json!({})),
        ("overflow-stack", json!({})),
    ] {
        let result = client.call(tool, arguments).await;
        failed_with(&result, "trap");
        let shown = result.to_string();
        for detail in ["wasm backtrace", "unreachable", "secret of the guest", "/src/"] {
            assert!(!shown.contains(detail), "{tool} shows {detail:?}: {shown}");
        }
    }
    gateway.logged("secret of the guest").await;
    still_serves(&client).await;
}

#[tokio::test]
async fn nothing_survives_a_call() {
    let (_site, _gateway, client) = hostile("").await;
    for _ in 0..3 {
        let result = client.call("swap", json!({ "text": "mine" })).await;
        assert_ne!(text(&result), "mine", "{result}");
        still_serves(&client).await;
    }
    client.call("allocate", json!({ "mebibytes": 16 })).await;
    let dirty = client.call("dirty-bytes", json!({ "mebibytes": 16 })).await;
    assert_eq!(dirty["structuredContent"], json!({ "result": 0 }), "{dirty}");
}

/// A string field of a JSON log line.
fn field(line: &str, name: &str) -> String {
    let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let value = &event["fields"][name];
    let value = if value.is_null() { &event[name] } else { value };
    value.as_str().unwrap_or_else(|| panic!("no {name}: {line}")).to_owned()
}
