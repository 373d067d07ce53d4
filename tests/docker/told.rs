//! What a server tells while a call runs: progress and log messages, to who asked for them and nobody else.

use e2e::client::{Client, REVISION};
use serde_json::{Value, json};

use super::support::{Docked, went_well};

/// A call with more members in its metadata; the messages of the stream that answers it, as they are
/// written.
pub(crate) async fn stream(client: &Client, tool: &str, arguments: Value, meta: Value) -> Vec<String> {
    let mut whole = json!({
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientInfo": { "name": "e2e", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    whole.as_object_mut().unwrap().extend(meta.as_object().unwrap().clone());
    let params = json!({ "name": tool, "arguments": arguments, "_meta": whole });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let headers = [("mcp-protocol-version", REVISION), ("mcp-method", "tools/call"), ("mcp-name", tool)];
    let reply = client.post(&headers, body.to_string()).await;
    let lines = reply.text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.map(str::to_owned).collect()
}

fn lines(params: &[(&str, &str)]) -> Value {
    let line = |(method, params): &(&str, &str)| {
        format!("{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/{method}\",\"params\":{params}}}")
    };
    json!({ "lines": params.iter().map(line).collect::<Vec<_>>() })
}

#[tokio::test]
async fn what_is_told_arrives_byte_for_byte_but_for_the_token() {
    let docked = Docked::start("").await;
    let progress = |token: &str| {
        format!(r#"{{"total":3.0,"progressToken" : {token},"x-odd":{{"z":1.50}},"progress":1}}"#)
    };
    let log = r#"{"level":"warning","logger":"odd","data":{"b":18446744073709551617,"a":[ 1 ]}}"#;
    let told = lines(&[("progress", &progress("TOKEN")), ("message", log), ("progress", &progress("99"))]);
    let meta = json!({ "progressToken": "m/1", "io.modelcontextprotocol/logLevel": "warning" });
    let messages = stream(&docked.client(), "tell", told, meta).await;
    let message = |method: &str, params: &str| {
        format!("{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/{method}\",\"params\":{params}}}")
    };
    let expected = [message("progress", &progress("\"m/1\"")), message("message", log)];
    assert_eq!(messages[..2], expected, "and progress of no request is nobody's");
    let last: Value = serde_json::from_str(&messages[2]).unwrap();
    assert_eq!((messages.len(), went_well(&last["result"])), (3, "told"));
}

#[tokio::test]
async fn a_server_hears_from_which_level_on_it_is_listened_to() {
    let docked = Docked::start("[servers.odd.container]\nlifetime = \"session\"").await;
    let level = json!({ "io.modelcontextprotocol/logLevel": "error" });
    let log = |level: &str| format!(r#"{{"level":"{level}","data":1}}"#);
    let told = lines(&[("message", &log("warning")), ("message", &log("alert"))]);
    let messages = stream(&docked.client(), "tell", told, level).await;
    assert!(messages.len() == 2 && messages[0].contains("alert"), "{messages:?}");
    let reply = docked.client().call("level", json!({})).await;
    assert_eq!(went_well(&reply), "null", "another call has another container");
}

#[tokio::test]
async fn callers_who_share_a_container_hear_of_their_own_calls_alone() {
    let docked =
        Docked::start("[servers.odd.container]\nlifetime = \"warm\"\nwarm = 1\ncontainers = 1").await;
    let told = || {
        let progress = r#"{"progressToken":TOKEN,"progress":1}"#;
        let log = r#"{"level":"error","data":"of one caller"}"#;
        lines(&[("progress", progress), ("message", log), ("progress", progress), ("message", log)])
    };
    let meta = |token: &str| json!({ "progressToken": token, "io.modelcontextprotocol/logLevel": "debug" });
    let (client, other) = (docked.client(), docked.client());
    let (one, two) =
        tokio::join!(stream(&client, "tell", told(), meta("a")), stream(&other, "tell", told(), meta("b")));
    for (messages, own, others) in [(&one, "\"a\"", "\"b\""), (&two, "\"b\"", "\"a\"")] {
        let all = messages.join("\n");
        assert_eq!(all.matches(&format!("\"progressToken\":{own}")).count(), 2, "{all}");
        assert!(!all.contains(others), "{all}");
    }
    let alone = stream(&client, "tell", told(), meta("a")).await.join("\n");
    assert_eq!(alone.matches("of one caller").count(), 2, "{alone}");
}

#[tokio::test]
async fn a_flood_of_progress_takes_no_memory_and_does_not_delay_the_answer() {
    let docked = Docked::start("[servers.odd.container]\nlifetime = \"warm\"").await;
    let flood = json!({
        "count": 200_000,
        "line": r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":TOKEN,"progress":1}}"#,
    });
    let before = e2e::process::resident(docked.gateway.pid());
    let messages = stream(&docked.client(), "print-lines", flood, json!({ "progressToken": 1 })).await;
    let last: Value = serde_json::from_str(messages.last().unwrap()).unwrap();
    assert_eq!(went_well(&last["result"]), "printed");
    assert!(messages.len() > 1, "some of it was told");
    let grown = e2e::process::resident(docked.gateway.pid()).saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
}
