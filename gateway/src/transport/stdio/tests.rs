#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::fake::{self, Fake};
use crate::gateway::GatewaySettings;

/// A client of a gateway over pipes.
struct Host {
    input: Option<WriteHalf<DuplexStream>>,
    output: Lines<BufReader<ReadHalf<DuplexStream>>>,
    served: JoinHandle<io::Result<()>>,
    stop: Option<oneshot::Sender<()>>,
    fake: Arc<Fake>,
}

fn start() -> Host {
    start_with(StdioSettings::default())
}

fn start_with(settings: StdioSettings) -> Host {
    let (gateway, fake) = fake::gateway();
    start_gateway(gateway, fake, settings)
}

fn start_gateway(gateway: Arc<Gateway>, fake: Arc<Fake>, settings: StdioSettings) -> Host {
    let (client, server) = tokio::io::duplex(64 * 1024);
    let (server_in, server_out) = tokio::io::split(server);
    let (client_in, client_out) = tokio::io::split(client);
    let (stop, stopped) = oneshot::channel();
    let stopped = async { stopped.await.unwrap_or(()) };
    let served = tokio::spawn(serve(gateway, server_in, server_out, settings, stopped));
    let output = BufReader::new(client_in).lines();
    Host { input: Some(client_out), output, served, stop: Some(stop), fake }
}

impl Host {
    async fn send(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.input.as_mut().unwrap().write_all(line.as_bytes()).await.unwrap();
    }

    async fn receive(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(10), self.output.next_line());
        serde_json::from_str(&line.await.unwrap().unwrap().unwrap()).unwrap()
    }

    async fn ask(&mut self, line: &str) -> Value {
        self.send(line).await;
        self.receive().await
    }

    async fn initialize(&mut self, revision: &str) -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "t", "version": "0"} } });
        let answer = self.ask(&request.to_string()).await;
        self.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
        answer
    }
}

fn stateless(id: u32, method: &str, mut params: Value) -> String {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

fn call(id: u32, tool: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": tool } }).to_string()
}

#[tokio::test]
async fn a_desktop_host_lists_and_calls() {
    let mut host = start();
    let answer = host.initialize("2025-06-18").await;
    assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
    let list = host.ask(r#"{"jsonrpc":"2.0","id":"a","method":"tools/list"}"#).await;
    assert_eq!(list["id"], "a");
    assert_eq!(list["result"]["tools"][0]["name"], "fake__echo");
    let answer = host.ask(r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"fake__echo","arguments":{"x":18446744073709551615}}}"#).await;
    assert_eq!(answer["result"]["structuredContent"]["x"], u64::MAX);
    assert_eq!(answer["result"]["isError"], false);
}

#[tokio::test]
async fn stateless_requests_need_no_handshake() {
    let mut host = start();
    let answer = host.ask(&stateless(1, "server/discover", json!({}))).await;
    assert_eq!(answer["result"]["supportedVersions"][0], "2026-07-28");
    let answer = host.ask(&stateless(2, "tools/call", json!({"name": "fake__echo"}))).await;
    assert_eq!(answer["result"]["resultType"], "complete");
    for method in ["initialize", "ping", "logging/setLevel"] {
        let answer = host.ask(&stateless(3, method, json!({}))).await;
        assert_eq!(answer["error"]["code"], -32601, "{method}");
    }
}

#[tokio::test]
async fn a_request_of_no_era_is_refused() {
    let mut host = start();
    assert_eq!(host.ask(&call(1, "fake__echo")).await["error"]["code"], -32602);
    let ping = host.ask(r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#).await;
    assert_eq!(ping["result"], json!({}));
}

#[tokio::test]
async fn lines_sent_at_once_take_effect_in_order() {
    let mut host = start();
    let init = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    host.send(&[init, &call(1, "fake__hang"), cancel, &call(2, "fake__echo")].join("\n")).await;
    assert_eq!(host.receive().await["id"], 0);
    assert_eq!(host.receive().await["id"], 2);
    host.input.take().unwrap().shutdown().await.unwrap();
    host.served.await.unwrap().unwrap();
    assert_eq!(host.fake.ended.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_slow_call_holds_up_no_other() {
    let mut host = start();
    host.initialize("2025-11-25").await;
    host.send(&call(1, "fake__slow")).await;
    assert_eq!(host.ask(&call(2, "fake__echo")).await["id"], 2);
    assert_eq!(host.receive().await["id"], 1);
}

#[tokio::test]
async fn answers_are_whole_lines_however_many_run() {
    let mut host = start();
    host.initialize("2025-11-25").await;
    for id in 1..=40 {
        host.send(&call(id, if id % 4 == 0 { "fake__flood" } else { "fake__echo" })).await;
        if id % 4 == 0 {
            // Read along, or both sides would wait for each other's pipe.
            for _ in 0..4 {
                assert!(host.receive().await["result"].is_object());
            }
        }
    }
}

#[tokio::test]
async fn the_end_of_input_lets_calls_finish() {
    let mut host = start();
    host.initialize("2025-11-25").await;
    host.send(&call(1, "fake__slow")).await;
    host.input.take().unwrap().shutdown().await.unwrap();
    assert_eq!(host.receive().await["id"], 1);
    host.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_calls() {
    let mut host = start();
    host.initialize("2025-11-25").await;
    host.send(&call(1, "fake__hang")).await;
    host.send(&call(2, "fake__flood")).await;
    drop(host.output);
    drop(host.input);
    tokio::time::timeout(Duration::from_secs(5), host.served).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn stopping_lets_calls_finish_and_reads_no_more() {
    let mut host = start();
    host.initialize("2025-11-25").await;
    host.send(&call(1, "fake__slow")).await;
    host.send(r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#).await;
    assert_eq!(host.receive().await["id"], 2, "the call before runs");
    host.stop.take().unwrap().send(()).unwrap();
    host.send(&call(3, "fake__echo")).await;
    assert_eq!(host.receive().await["id"], 1);
    assert_eq!(host.output.next_line().await.unwrap(), None);
    host.served.await.unwrap().unwrap();
    assert_eq!(host.fake.begun.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn stopping_waits_no_longer_than_the_drain() {
    for input_ends_first in [false, true] {
        let settings = StdioSettings { drain: Duration::from_millis(100), ..StdioSettings::default() };
        let mut host = start_with(settings);
        host.initialize("2025-11-25").await;
        host.send(&call(1, "fake__hang")).await;
        host.send(r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#).await;
        assert_eq!(host.receive().await["id"], 2);
        if input_ends_first {
            host.input.take().unwrap().shutdown().await.unwrap();
        }
        host.stop.take().unwrap().send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(5), host.served).await.unwrap().unwrap().unwrap();
        assert_eq!(host.fake.ended.load(std::sync::atomic::Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn answers_beyond_their_memory_are_refused_while_nobody_reads() {
    let mut host = start_with(StdioSettings { answers: 4_000_000, ..StdioSettings::default() });
    host.initialize("2025-11-25").await;
    for id in 1..=3 {
        host.send(&call(id, "fake__flood")).await;
    }
    host.send(r#"{"jsonrpc":"2.0","id":4,"method":"ping"}"#).await;
    assert!(host.receive().await["result"].is_object());
    for id in [2, 3] {
        let refused = host.receive().await;
        assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(id), &json!(503)));
    }
    assert_eq!(host.receive().await["id"], 4, "a small one still fits");
    assert!(host.ask(&call(5, "fake__flood")).await["result"].is_object());
}

#[tokio::test]
async fn garbage_is_answered_and_forgotten() {
    let mut host = start();
    for (line, code) in [
        ("{", -32700),
        ("\u{0}\u{1}", -32700),
        ("[1,2", -32700),
        ("42", -32600),
        ("[]", -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, -32600),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#, -32602),
    ] {
        assert_eq!(host.ask(line).await["error"]["code"], code, "{line}");
    }
    let long = "x".repeat(MAX_LINE + 1);
    assert_eq!(host.ask(&long).await["error"]["code"], 413);
    assert_eq!(host.ask(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).await["id"], 1);
}

#[tokio::test]
async fn batches_are_of_one_revision() {
    let mut host = start();
    host.initialize("2025-03-26").await;
    let batch = format!("[{},{}]", call(1, "fake__echo"), r#"{"jsonrpc":"2.0","id":2,"method":"x"}"#);
    let answers = host.ask(&batch).await;
    assert_eq!(answers[0]["id"], 1);
    assert_eq!(answers[1]["error"]["code"], -32601);
    host.initialize("2025-06-18").await;
    assert_eq!(host.ask(&batch).await["error"]["code"], -32600);
}

#[tokio::test]
async fn what_a_call_tells_is_written_before_its_answer() {
    let fake = Fake::new(&[("tell", fake::Does::Tell(2, Duration::from_millis(20)))]);
    let catalog = fake::catalog(vec![fake::entry("fake", Arc::clone(&fake) as _)]);
    let settings = GatewaySettings { servers_of_mcp: true, ..GatewaySettings::default() };
    let gateway = Arc::new(Gateway::new(catalog, settings));
    let mut host = start_gateway(gateway, fake, StdioSettings::default());
    let meta = json!({ "progressToken": "t", "io.modelcontextprotocol/logLevel": "info" });
    let mut call: Value =
        serde_json::from_str(&stateless(1, "tools/call", json!({"name": "fake__tell"}))).unwrap();
    call["params"]["_meta"].as_object_mut().unwrap().extend(meta.as_object().unwrap().clone());
    let first = host.ask(&call.to_string()).await;
    assert_eq!(first["params"], json!({ "progressToken": "t", "progress": 1.5 }));
    assert_eq!(host.receive().await["params"]["progress"], 2.5);
    assert_eq!(host.receive().await["method"], "notifications/message");
    assert_eq!(host.receive().await["id"], 1);
}

#[tokio::test]
async fn a_server_asks_the_client_of_a_session_and_goes_on_with_its_answer() {
    let asks = r#"{"name":{"method":"elicitation/create","params":{"message":"?"}}}"#;
    let (gateway, fake) = fake::gateway_of(&[("ask", fake::Does::Ask(asks))]);
    let mut host = start_gateway(gateway, fake, StdioSettings::default());
    let info = json!({ "name": "test", "version": "0" });
    let params =
        json!({ "protocolVersion": "2025-11-25", "capabilities": { "elicitation": {} }, "clientInfo": info });
    host.ask(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }).to_string())
        .await;
    let call =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "fake__ask" } });
    let question = host.ask(&call.to_string()).await;
    assert_eq!(
        (&question["method"], &question["params"]["message"]),
        (&json!("elicitation/create"), &json!("?"))
    );
    let result = json!({ "action": "accept" });
    let answer = json!({ "jsonrpc": "2.0", "id": question["id"], "result": result });
    let last = host.ask(&answer.to_string()).await;
    let text = r#"{"name":{"action":"accept"}} Some("kept")"#;
    assert_eq!((&last["id"], &last["result"]["content"][0]["text"]), (&json!(1), &json!(text)), "{last}");
}

#[tokio::test]
async fn a_client_with_a_session_hears_of_lists_that_change() {
    let (gateway, fake) = fake::gateway();
    let mut host = start_gateway(Arc::clone(&gateway), fake, StdioSettings::default());
    // Before there is a session nobody is told.
    gateway.replace(fake::with_tool("fake", "before"));
    let answer = host.initialize("2025-11-25").await;
    assert_eq!(answer["result"]["capabilities"]["tools"]["listChanged"], true, "{answer}");
    gateway.replace(fake::with_tool("fake", "after"));
    let told = host.receive().await;
    assert_eq!(told, json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" }));
}

fn listen(id: u32) -> String {
    stateless(id, "subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } }))
}

#[tokio::test]
async fn a_subscription_is_told_until_it_is_cancelled() {
    let (gateway, fake) = fake::gateway();
    let mut host = start_gateway(Arc::clone(&gateway), fake, StdioSettings::default());
    let first = host.ask(&listen(1)).await;
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged", "{first}");
    gateway.replace(fake::with_tool("fake", "after"));
    let told = host.receive().await;
    assert_eq!(told["method"], "notifications/tools/list_changed", "{told}");
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 1, "{told}");
    host.send(
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"enough"}}"#,
    )
    .await;
    // Nothing of it is told any more, nor is it answered: what comes next is the answer to what comes next.
    let listed = host.ask(&stateless(2, "tools/list", json!({}))).await;
    assert_eq!(listed["id"], 2, "{listed}");
    gateway.replace(fake::with_tool("fake", "later"));
    let listed = host.ask(&stateless(3, "tools/list", json!({}))).await;
    assert_eq!(listed["id"], 3, "{listed}");
}

#[tokio::test]
async fn the_end_of_input_ends_subscriptions_too() {
    let mut host = start();
    host.ask(&listen(1)).await;
    host.input.take().unwrap().shutdown().await.unwrap();
    let last = host.receive().await;
    assert_eq!((&last["id"], &last["result"]["resultType"]), (&json!(1), &json!("complete")), "{last}");
    tokio::time::timeout(Duration::from_secs(5), host.served).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn subscriptions_do_not_take_all_places() {
    let mut host = start();
    for id in 0..MAX_SUBSCRIPTIONS as u32 {
        host.ask(&listen(id)).await;
    }
    let refused = host.ask(&listen(900)).await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(900), &json!(-32600)), "{refused}");
    assert_eq!(host.ask(&stateless(901, "tools/list", json!({}))).await["id"], 901);
}
