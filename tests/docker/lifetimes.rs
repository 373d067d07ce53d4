//! `lifetime`: which calls share a container, and how long one lives.

use std::time::{Duration, Instant};

use e2e::client::{Client, Reply};
use serde_json::{Value, json};

use super::support::{Docked, failed_with, text, went_well};

const WARM: &str = "[servers.odd.container]\nlifetime = \"warm\"";

async fn count(client: &Client) -> String {
    went_well(&client.call("count", json!({})).await).to_owned()
}

#[tokio::test]
async fn a_warm_container_serves_all_calls() {
    let docked = Docked::start(WARM).await;
    for expected in ["1", "2", "3"] {
        assert_eq!(count(&docked.client()).await, expected);
    }
    docked.engine.settles_at(&docked.label(), 1).await;
}

#[tokio::test]
async fn a_warm_container_that_crashes_is_replaced_and_its_calls_fail_at_once() {
    let docked = Docked::start(WARM).await;
    let sleeper = docked.client();
    let other =
        tokio::spawn(async move { sleeper.call("sleep-for", json!({ "milliseconds": 60_000 })).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let since = Instant::now();
    let crash = docked.client().call("exit", json!({ "code": 7 })).await;
    assert_eq!(failed_with(&crash, "trap"), "the tool crashed");
    assert_eq!(failed_with(&other.await.unwrap(), "trap"), "the tool crashed");
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert_eq!(count(&docked.client()).await, "1", "a new one");
    let log = docked.gateway.logged("ended with status 7").await;
    assert!(log.contains("its last words: quitting, as asked"), "{log}");
}

#[tokio::test]
async fn one_that_crashes_again_and_again_is_started_later_and_later() {
    let docked = Docked::start(WARM).await;
    let mut waiting = None;
    for _ in 0..8 {
        let result = docked.client().call("exit", json!({ "code": 7 })).await;
        if result["_meta"]["toolgate/error"] == "unavailable" {
            waiting = Some(result);
            break;
        }
    }
    assert!(waiting.is_some(), "eight crashes in a row");
    docked.gateway.logged("the next try is in").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    count(&docked.client()).await;
}

#[tokio::test]
async fn one_that_does_not_hear_that_a_call_was_given_up_is_replaced() {
    let docked = Docked::start(&format!("{WARM}\n[servers.odd.limits]\ndeadline = \"1s\"")).await;
    let result = docked.client().call("hog", json!({ "milliseconds": 600_000 })).await;
    failed_with(&result, "deadline");
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let result = docked.client().call("count", json!({})).await;
        if result["isError"] != true {
            assert_eq!(text(&result), "1", "a new one");
            return;
        }
        assert!(Instant::now() < end, "{result}");
    }
}

#[tokio::test]
async fn one_that_nobody_uses_goes_and_the_next_call_has_a_new_one() {
    let docked = Docked::start(&format!("{WARM}\nidle-timeout = \"2s\"")).await;
    assert_eq!(count(&docked.client()).await, "1");
    docked.engine.settles_at(&docked.label(), 0).await;
    assert_eq!(count(&docked.client()).await, "1");
}

#[tokio::test]
async fn a_session_has_a_container_of_its_own() {
    let docked = Docked::start("[servers.odd.container]\nlifetime = \"session\"\ncontainers = 3").await;
    let (one, two) = (Session::begin(&docked).await, Session::begin(&docked).await);
    for expected in ["1", "2"] {
        assert_eq!(one.count().await, expected);
        assert_eq!(two.count().await, expected);
    }
    assert_eq!(count(&docked.client()).await, "1", "who has no session shares none");
}

#[tokio::test]
async fn no_more_containers_run_than_may() {
    let docked = Docked::start(
        "[servers.odd.container]\ncontainers = 2\nwarm = 2\n[servers.odd.limits]\ndeadline = \"60s\"",
    )
    .await;
    let calls: Vec<_> = (0..6)
        .map(|_| {
            let client = docked.client();
            tokio::spawn(async move { client.call("sleep-for", json!({ "milliseconds": 500 })).await })
        })
        .collect();
    let mut most = 0;
    while !calls.iter().all(tokio::task::JoinHandle::is_finished) {
        let running =
            docked.engine.docker(&["ps", "--quiet", "--filter", &format!("label={}", docked.label())]);
        most = most.max(running.lines().count());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for call in calls {
        went_well(&call.await.unwrap());
    }
    // One that was told to go may still be seen.
    assert!((1..=4).contains(&most), "{most}");
}

/// A client of a revision that has sessions.
struct Session {
    client: Client,
    id: String,
}

impl Session {
    async fn begin(docked: &Docked) -> Self {
        let client = docked.client();
        let params = json!({
            "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": { "name": "e2e", "version": "1" },
        });
        let reply = post(&client, &[], 0, "initialize", &params).await;
        let id = reply.headers.get("mcp-session-id").expect("a session").to_str().unwrap().to_owned();
        Self { client, id }
    }

    async fn count(&self) -> String {
        let headers = [("mcp-session-id", self.id.as_str()), ("mcp-protocol-version", "2025-06-18")];
        let params = json!({ "name": "count", "arguments": {} });
        let reply = post(&self.client, &headers, 1, "tools/call", &params).await.json();
        went_well(&reply["result"]).to_owned()
    }
}

async fn post(client: &Client, headers: &[(&str, &str)], id: u32, method: &str, params: &Value) -> Reply {
    let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
    client.post(headers, body.to_string()).await
}
