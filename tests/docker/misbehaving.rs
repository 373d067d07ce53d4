//! Servers that do what a server must not: what is said of each, and that others go on.

use std::time::{Duration, Instant};

use e2e::engine::{Engine, ODD};
use e2e::gateway::run;
use e2e::guests;
use e2e::site::Site;
use serde_json::json;

use super::support::{Docked, failed_with, label, text, went_well};

/// A server that is to start so, beside one that is well; what `check` says of it.
fn refused(container: &str) -> String {
    let engine = Engine::of_the_machine();
    let site = Site::new(&format!(
        "[servers.odd]\nimage = \"{ODD}\"\n[servers.odd.container]\n{container}\n\
         [servers.well]\ncomponent = \"file:{}\"\n",
        guests::guest("hello").display()
    ));
    let output = run(&site, &["check"]);
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("well"), "others go on: {said}");
    assert_eq!(engine.containers(&label(&site)), Vec::<String>::new(), "what failed is left");
    said
}

fn says(said: &str, expected: &str) {
    assert!(said.contains(expected), "{expected:?} is not in:\n{said}");
}

#[test]
fn one_that_exits_at_once_is_told_with_its_last_words() {
    let said = refused("command = [\"exits\"]");
    says(&said, "its container ended with status 3; its last words: no configuration found");
}

#[test]
fn one_that_never_answers_is_told() {
    let said = refused("command = [\"silent\"]\nstart-timeout = \"2s\"");
    says(&said, "its server did not answer within 2 s");
}

#[test]
fn one_that_writes_garbage_is_told_and_what_it_wrote_is_logged() {
    let said = refused("command = [\"garbage\"]\nstart-timeout = \"2s\"");
    says(&said, "its server did not answer within 2 s");
}

#[test]
fn one_that_never_ends_its_line_is_cut_off() {
    let said = refused("command = [\"endless-line\"]");
    says(&said, "it sent a message of more than 4259840 bytes");
}

#[test]
fn one_that_closes_its_input_is_told() {
    let said = refused("command = [\"closes-stdin\"]\nstart-timeout = \"2s\"");
    says(&said, "its server did not answer within 2 s");
}

#[test]
fn one_that_speaks_another_revision_is_told_which() {
    let said = refused("command = [\"revision\", \"2031-01-01\"]");
    says(&said, "it speaks revision \"2031-01-01\" of MCP, which is none of 2025-11-25, 2025-06-18");
}

#[tokio::test]
async fn older_revisions_are_spoken() {
    for revision in ["2025-06-18", "2025-03-26", "2024-11-05"] {
        let docked =
            Docked::start(&format!("[servers.odd.container]\ncommand = [\"revision\", \"{revision}\"]"))
                .await;
        went_well(&docked.client().call("count", json!({})).await);
    }
}

#[tokio::test]
async fn a_list_of_many_pages_is_whole() {
    let docked = Docked::start("").await;
    let paged = Docked::start("[servers.odd.container]\ncommand = [\"pages\", \"7\"]").await;
    assert_eq!(paged.client().list().await, docked.client().list().await);
}

#[tokio::test]
async fn answers_out_of_order_reach_who_asked() {
    let docked =
        Docked::start("[servers.odd.container]\nlifetime = \"warm\"\ncommand = [\"out-of-order\"]").await;
    let (one, two) = (docked.client(), docked.client());
    let one = tokio::spawn(async move { one.call("fail", json!({ "message": "one" })).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let two = two.call("fail", json!({ "message": "two" })).await;
    assert_eq!((text(&one.await.unwrap()), text(&two)), ("one", "two"));
}

#[tokio::test]
async fn noise_among_its_answers_is_logged_and_harms_nothing() {
    let docked = Docked::start("").await;
    let print = json!({ "to-stderr": false, "line": "Listening on port 3000", "count": 3 });
    went_well(&docked.client().call("print-lines", print).await);
    docked.gateway.logged("Listening on port 3000").await;
}

#[tokio::test]
async fn a_line_of_a_gigabyte_ends_the_call_and_the_gateways_memory_stays_small() {
    let docked = Docked::start("[servers.odd.limits]\ndeadline = \"120s\"\nmemory = \"3GiB\"").await;
    let result = docked.client().call("huge-line", json!({ "bytes": 1_000_000_000 })).await;
    assert_eq!(failed_with(&result, "output"), "the result is larger than the limit of 4194304 bytes");
    let peak = peak_memory(docked.gateway.pid());
    assert!(peak < 150 << 20, "{} MiB", peak >> 20);
    went_well(&docked.client().call("count", json!({})).await);
}

#[tokio::test]
async fn one_that_ignores_cancellation_is_gone_soon_after_its_call() {
    let docked =
        Docked::start("[servers.odd.limits]\ndeadline = \"1s\"\n[servers.odd.container]\nwarm = 0").await;
    let result = docked.client().call("hog", json!({ "milliseconds": 600_000 })).await;
    failed_with(&result, "deadline");
    docked.engine.settles_at(&docked.label(), 0).await;
}

#[tokio::test]
async fn a_refusal_of_the_server_is_an_error_of_the_call_with_its_words() {
    let docked = Docked::start("").await;
    let result = docked.client().call("refuse", json!({})).await;
    assert_eq!(failed_with(&result, "refused"), "not today");
}

#[tokio::test]
async fn a_result_that_is_none_is_told() {
    let docked = Docked::start("").await;
    for raw in ["7", "[]", "\"text\"", "null"] {
        let result = docked.client().call("raw", json!({ "text": raw })).await;
        failed_with(&result, "trap");
    }
    went_well(&docked.client().call("count", json!({})).await);
}

#[tokio::test]
async fn a_crash_is_told_to_the_operator_with_status_and_last_words() {
    let docked = Docked::start("").await;
    let result = docked.client().call("exit", json!({ "code": 42 })).await;
    failed_with(&result, "trap");
    docked.gateway.logged("its container ended with status 42; its last words: quitting, as asked").await;
}

#[tokio::test]
async fn tools_that_change_are_seen_to() {
    let docked = Docked::start("[servers.odd.container]\nlifetime = \"warm\"").await;
    went_well(&docked.client().call("change-tools", json!({})).await);
    let end = Instant::now() + Duration::from_secs(10);
    while !docked.client().list().await.iter().any(|tool| tool["name"] == "later") {
        assert!(Instant::now() < end, "the new tool is not listed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
