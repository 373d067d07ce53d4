//! What clients read when they are refused: status, code, headers and text of each refusal, pinned.

use super::*;
use crate::catalog::ServerState;

/// One line for each refusal, in the order in which they were asked for.
#[derive(Default)]
struct Refusals(String);

impl Refusals {
    async fn ask(&mut self, served: &Served, what: &str, ask: Ask) {
        let answer = ask.send(served).await;
        self.note(what, &answer);
    }

    fn note(&mut self, what: &str, answer: &Answer) {
        let error = &answer.json()["error"];
        let extra = ["retry-after", "allow"]
            .map(|name| answer.header(name).map_or_else(String::new, |value| format!(" {name}={value}")));
        let data = error.get("data").map_or_else(String::new, |data| format!("\n    data: {data}"));
        self.0 += &format!(
            "{what}\n    {} {}{}: {}{data}\n",
            answer.status,
            error["code"],
            extra.concat(),
            error["message"].as_str().unwrap(),
        );
    }

    fn pin(&self, name: &str) {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/refusals"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, self.0));
    }
}

#[tokio::test]
async fn messages_that_are_none_are_refused_as_pinned() {
    let served = start().await;
    let mut refusals = Refusals::default();
    for (what, body) in [
        ("nothing", ""),
        ("half an object", r#"{"jsonrpc":"#),
        ("two messages in a row", r#"{"jsonrpc":"2.0","id":1,"method":"ping"}{}"#),
        ("half a code point", r#"{"jsonrpc":"2.0","id":"\ud800","method":"ping"}"#),
        ("a number", "42"),
        ("an empty object", "{}"),
        ("JSON-RPC 1.0", r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#),
        ("null as id", r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#),
        ("a fraction as id", r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#),
        ("two ids", r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#),
        ("no method", r#"{"jsonrpc":"2.0","id":1}"#),
        ("a number as method", r#"{"jsonrpc":"2.0","id":1,"method":5}"#),
        ("both request and response", r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#),
        ("a list as params", r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#),
        ("a number as _meta", r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":1}}"#),
        ("an empty batch", "[]"),
        ("a batch without a session", r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#),
    ] {
        refusals.ask(&served, what, Ask::raw(body)).await;
    }
    let mut not_utf8 = Ask::raw("");
    not_utf8.body = b"{\"jsonrpc\":\"\xff\"}".to_vec();
    refusals.ask(&served, "bytes that are not UTF-8", not_utf8).await;
    let deep = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{}"#, "[".repeat(100_000));
    refusals.ask(&served, "lists in lists", Ask::raw(&deep)).await;
    let method = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#, "x".repeat(200));
    refusals.ask(&served, "a long method", Ask::raw(&method)).await;
    let id = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"x"}}"#, "x".repeat(2000));
    refusals.ask(&served, "a long id", Ask::raw(&id)).await;
    let batch = Value::Array(vec![json!({}); 33]);
    refusals.ask(&served, "a long batch", Ask::post(&batch)).await;
    refusals.pin("messages");
}

#[tokio::test]
async fn requests_that_cannot_be_met_are_refused_as_pinned() {
    let served = start().await;
    let mut refusals = Refusals::default();
    let good = call("fake__echo");
    let capabilities = json!({ "_meta": { "io.modelcontextprotocol/clientCapabilities": {} } });
    let no_version = Ask::post(&request(1, "tools/list", capabilities))
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/list");
    for (what, ask) in [
        ("no version header", good.clone().without("mcp-protocol-version")),
        ("another version header", good.clone().header("mcp-protocol-version", "2025-11-25")),
        ("no version in _meta", no_version),
        ("no method header", good.clone().without("mcp-method")),
        ("another method header", good.clone().header("mcp-method", "tools/list")),
        ("no name header", good.clone().without("mcp-name")),
        ("another name header", good.clone().header("mcp-name", "fake__trap")),
        ("a name header in broken Base64", good.clone().header("mcp-name", "=?base64?***?=")),
        ("a name header that is not ASCII", good.clone().header("mcp-name", "fake__é")),
        ("an unknown method", stateless(1, "no/such", json!({}))),
        ("a method of another revision", stateless(1, "ping", json!({}))),
        ("an unknown tool", call("fake__nothing")),
        ("no tool", stateless(1, "tools/call", json!({})).header("mcp-name", "x")),
        ("a list as arguments", stateless(1, "tools/call", json!({ "name": "fake__echo", "arguments": [] }))),
        ("an unknown cursor", stateless(1, "tools/list", json!({ "cursor": "AAAA" }))),
        ("an unknown server", call("echo").at("/mcp/nobody")),
        ("the list of a server that is away", stateless(1, "tools/list", json!({})).at("/mcp/broken")),
        ("a response to nothing", {
            let response = json!({ "jsonrpc": "2.0", "id": 1, "result": {} });
            Ask::post(&response).header("mcp-protocol-version", "2026-07-28")
        }),
    ] {
        refusals.ask(&served, what, ask).await;
    }
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "1999-01-01",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let unsupported = Ask::post(&request(3, "tools/list", json!({ "_meta": meta })));
    let unsupported = unsupported.header("mcp-protocol-version", "1999-01-01");
    refusals.ask(&served, "an unsupported version", unsupported).await;
    refusals.pin("requests");
}

#[tokio::test]
async fn requests_outside_of_their_session_are_refused_as_pinned() {
    let served = start().await;
    let mut refusals = Refusals::default();
    let list = Ask::post(&request(1, "tools/list", json!({})));
    let initialize = request(0, "initialize", json!({ "protocolVersion": "2025-06-18" }));
    let opened = Ask::post(&initialize).send(&served).await;
    let token = opened.header("mcp-session-id").unwrap();
    let in_session = list.clone().header("mcp-session-id", token);
    let mut doubled = in_session.clone();
    doubled.headers.push(("Mcp-Session-Id".into(), token.into()));
    let batch = Ask::post(&json!([request(1, "ping", json!({}))])).header("mcp-session-id", token);
    for (what, ask) in [
        ("initialize without a version", Ask::post(&request(0, "initialize", json!({})))),
        ("no session", list.clone()),
        ("a session of nobody", list.header("mcp-session-id", "x")),
        ("two sessions", doubled),
        ("another version header", in_session.clone().header("mcp-protocol-version", "2025-11-25")),
        ("an unsupported version header", in_session.clone().header("mcp-protocol-version", "1999-01-01")),
        ("a batch in a revision without", batch),
        ("to end no session", Ask::new("DELETE", "/mcp")),
    ] {
        refusals.ask(&served, what, ask).await;
    }
    Ask::new("DELETE", "/mcp").header("mcp-session-id", token).send(&served).await;
    refusals.ask(&served, "a session that was ended", in_session).await;
    refusals.pin("sessions");
}

#[tokio::test]
async fn what_http_does_not_allow_is_refused_as_pinned() {
    let settings = HttpSettings { body_timeout: Duration::from_secs(1), ..HttpSettings::default() };
    let served = start_with(settings).await;
    let mut refusals = Refusals::default();
    let good = call("fake__echo");
    let mut two_hosts = good.clone();
    two_hosts.headers.push(("Host".into(), "localhost".into()));
    let mut chunked = Ask::raw("").header("transfer-encoding", "chunked");
    chunked.body = [b"600000\r\n".to_vec(), vec![b'x'; 0x60_0000]].concat();
    for (what, ask) in [
        ("another path", Ask::new("GET", "/")),
        ("another method", Ask::new("PUT", "/mcp")),
        ("a POST to a probe", Ask::new("POST", "/livez")),
        ("a foreign host", good.clone().header("host", "evil.example")),
        ("two hosts", two_hosts),
        ("no host", good.clone().without("host")),
        ("a foreign origin", good.clone().header("origin", "https://evil.example")),
        ("no content type", good.clone().without("content-type")),
        ("text", good.clone().header("content-type", "text/plain")),
        ("a client that takes HTML", good.clone().header("accept", "text/html")),
        ("a body of 100 MB", Ask::raw("").header("content-length", "100000000")),
        ("a body that turns out large", chunked),
    ] {
        refusals.ask(&served, what, ask).await;
    }
    let mut slow = TcpStream::connect(served.address).await.unwrap();
    let whole = good.bytes();
    slow.write_all(&whole[..whole.len() - 5]).await.unwrap();
    refusals.note("a body that does not come", &read_all(&mut slow).await);
    refusals.pin("http");
}

#[tokio::test]
async fn what_there_is_no_room_for_is_refused_as_pinned() {
    let mut refusals = Refusals::default();
    let starting = Arc::new(Gateway::starting(GatewaySettings::default()));
    let served = start_gateway(starting, Fake::of_all_kinds(), HttpSettings::default()).await;
    refusals.ask(&served, "before the servers were tried", call("fake__echo")).await;

    let served = start_with(HttpSettings { bodies: 8192, ..HttpSettings::default() }).await;
    let mut large = call("fake__echo");
    large.body.resize(12_000, b' ');
    refusals.ask(&served, "bodies fill their memory", large).await;

    let served = start_with(HttpSettings { answers: 8192, ..HttpSettings::default() }).await;
    refusals.ask(&served, "answers fill their memory", call("fake__flood")).await;

    let served = start_with(HttpSettings { connections: 1, ..HttpSettings::default() }).await;
    let mut held = TcpStream::connect(served.address).await.unwrap();
    held.write_all(b"POST").await.unwrap();
    refusals.ask(&served, "all connections are in use", call("fake__echo")).await;

    let fake = Fake::new(&[("hang", fake::Does::Hang)]);
    let limits = Limits { concurrency: 1, ..Default::default() };
    let state = ServerState::Ready(Arc::clone(&fake) as _);
    let catalog = fake::catalog(vec![fake::entry_with("fake", state, limits)]);
    let gateway = Arc::new(Gateway::new(catalog, GatewaySettings::default()));
    let served = start_gateway(gateway, fake, HttpSettings::default()).await;
    let mut calls = Vec::new();
    for _ in 0..5 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(&call("fake__hang").bytes()).await.unwrap();
        calls.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    refusals.ask(&served, "a server has enough to do", call("fake__hang")).await;
    refusals.pin("overload");
}
