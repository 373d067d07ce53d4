//! The process: how it starts, what it answers about itself, how it ends; and stdio by hand.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use e2e::gateway::{Gateway, command};
use e2e::guests;
use e2e::site::Site;
use serde_json::{Value, json};

fn site() -> Site {
    Site::new(&format!(
        "[servers.hello]\ncomponent = \"file:{}\"\n[servers.bad]\ncomponent = \"file:{}\"\n",
        guests::guest("hello").display(),
        guests::guest("misbehave").display()
    ))
}

#[tokio::test]
async fn health_is_told_in_three_ways() {
    let site = site();
    let gateway = Gateway::start(&site).await;
    for path in ["/livez", "/readyz", "/health"] {
        let response = reqwest::get(gateway.url(path)).await.unwrap();
        assert_eq!(response.status().as_u16(), 200, "{path}");
    }
    let health: Value =
        reqwest::get(gateway.url("/health")).await.unwrap().text().await.unwrap().parse().unwrap();
    assert!(health["version"].is_string() && health.to_string().contains("\"ready\""), "{health}");
}

#[tokio::test]
async fn sigterm_lets_accepted_calls_finish() {
    let site = site();
    let gateway = Gateway::start(&site).await;
    let client = gateway.client();
    let call =
        tokio::spawn(async move { client.call("bad__sleep-for", json!({ "milliseconds": 800 })).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let start = Instant::now();
    let status = tokio::task::spawn_blocking(|| gateway.terminate()).await.unwrap();
    let result = call.await.unwrap();
    assert_eq!(result["isError"], false, "{result}");
    assert!(status.success(), "{status}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_call_and_leaves_one_record() {
    let site = site();
    let gateway = Gateway::start(&site).await;
    let client = gateway.client();
    let call = client.call("bad__sleep-for", json!({ "milliseconds": 20_000 }));
    assert!(tokio::time::timeout(Duration::from_millis(300), call).await.is_err());
    let log = gateway.logged("\"outcome\":\"cancelled\"").await;
    let records = log.lines().filter(|line| line.contains("\"outcome\"") && line.contains("sleep-for"));
    assert_eq!(records.count(), 1, "{log}");
}

#[test]
fn stdio_answers_in_whole_lines_and_ends_with_its_input() {
    let site = site();
    let mut child = command(&site)
        .arg("stdio")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let initialize = json!({
        "jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": { "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "e", "version": "1" } },
    });
    writeln!(stdin, "{initialize}").unwrap();
    writeln!(stdin, "{}", json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).unwrap();
    for id in 1..=20 {
        let params = json!({ "name": "bad__forge-reply", "arguments": { "id": id.to_string() } });
        writeln!(
            stdin,
            "{}",
            json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
        )
        .unwrap();
    }
    writeln!(stdin, "this is no JSON").unwrap();
    drop(stdin);
    let lines: Vec<Value> = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).expect("each line is one message"))
        .collect();
    assert!(child.wait().unwrap().success());
    let mut ids: Vec<i64> = lines.iter().filter_map(|line| line["id"].as_i64()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..=20).collect::<Vec<_>>(), "one reply for each request, none forged");
    assert_eq!(lines.iter().filter(|line| line["error"]["code"] == -32700).count(), 1);
}

#[test]
fn a_notification_cancels_a_call_over_stdio() {
    let site = site();
    let mut child = command(&site)
        .arg("stdio")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    let initialize = json!({
        "jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": { "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "e", "version": "1" } },
    });
    writeln!(stdin, "{initialize}").unwrap();
    stdout.next().unwrap().unwrap();
    let params = json!({ "name": "bad__sleep-for", "arguments": { "milliseconds": 25_000 } });
    writeln!(stdin, "{}", json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }))
        .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } });
    writeln!(stdin, "{cancel}").unwrap();
    drop(stdin);
    let rest: Vec<_> = stdout.map(Result::unwrap).collect();
    assert!(start.elapsed() < Duration::from_secs(5), "the call went on: {:?}", start.elapsed());
    assert!(rest.iter().all(|line| !line.contains("\"result\"")), "{rest:?}");
    assert!(child.wait().unwrap().success());
}
