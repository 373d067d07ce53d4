//! Revisions 2025-03-26 to 2025-11-25: a handshake, then a session.

use super::*;

fn initialize(version: &str) -> Value {
    let info = json!({ "name": "test", "version": "0" });
    let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": info });
    request(0, "initialize", params)
}

/// Opens a session and returns its token.
async fn open(served: &Served, version: &str) -> String {
    let answer = Ask::post(&initialize(version)).send(served).await;
    assert_eq!(answer.status, 200);
    token(&answer)
}

fn token(answer: &Answer) -> String {
    answer.header("mcp-session-id").unwrap().to_owned()
}

fn in_session(token: &str, body: &Value) -> Ask {
    Ask::post(body).header("mcp-session-id", token)
}

#[tokio::test]
async fn every_revision_with_sessions_initializes_lists_and_calls() {
    let served = start().await;
    for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let answer = Ask::post(&initialize(version)).send(&served).await;
        let result = answer.json()["result"].clone();
        assert_eq!(result["protocolVersion"], version);
        assert_eq!(result["serverInfo"]["name"], "toolgate");
        assert!(result["capabilities"]["tools"].is_object());
        let token = token(&answer);
        let ask = |body: Value| in_session(&token, &body).header("mcp-protocol-version", version);
        let done = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        assert_eq!(ask(done).send(&served).await.status, 202);
        let pong = ask(request(1, "ping", json!({}))).send(&served).await;
        assert_eq!(pong.json()["result"], json!({}));
        let list = ask(request(2, "tools/list", json!({}))).send(&served).await.json();
        assert_eq!(list["result"]["tools"][0]["name"], "fake__echo");
        assert!(list["result"].get("resultType").is_none(), "resultType is of a later revision");
        let call = request(3, "tools/call", json!({ "name": "fake__echo", "arguments": {} }));
        let answer = ask(call).send(&served).await.json();
        assert_eq!(answer["result"]["isError"], false);
        assert_eq!(answer["result"]["_meta"]["toolgate/usage"]["fuel"], 42);
    }
}

#[tokio::test]
async fn pages_are_followed_by_their_cursor_in_a_session() {
    let served = start_paged().await;
    for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let token = open(&served, version).await;
        let names = follow(&served, |params| in_session(&token, &request(1, "tools/list", params))).await;
        assert_eq!(names.len(), 9, "{version}");
        assert_eq!((names[0].as_str(), names[8].as_str()), ("fake__echo", "fake__talk"));
    }
}

#[tokio::test]
async fn other_revisions_are_offered_the_newest_with_sessions() {
    let served = start().await;
    for version in ["2026-07-28", "2099-01-01", ""] {
        let answer = Ask::post(&initialize(version)).send(&served).await;
        assert_eq!(answer.json()["result"]["protocolVersion"], "2025-11-25", "{version}");
    }
    let answer = Ask::post(&request(0, "initialize", json!({}))).send(&served).await;
    assert_eq!(answer.code(), -32602);
}

#[tokio::test]
async fn a_client_of_before_these_revisions_is_told_so_and_has_no_session() {
    let served = start().await;
    let answer = Ask::post(&initialize("2024-11-05")).send(&served).await;
    assert_eq!((answer.status, answer.code()), (200, -32602));
    let error = answer.json()["error"].clone();
    assert_eq!(
        error["message"],
        "revision 2024-11-05 of MCP is not spoken here: use a client of 2025-03-26 or later"
    );
    let supported = json!(["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"]);
    assert_eq!(error["data"], json!({ "supported": supported, "requested": "2024-11-05" }));
    assert!(answer.header("mcp-session-id").is_none());
}

#[tokio::test]
async fn a_request_without_its_session_is_400_and_with_a_false_one_404() {
    let served = start().await;
    let list = request(1, "tools/list", json!({}));
    let answer = Ask::post(&list).send(&served).await;
    assert_eq!((answer.status, answer.json()["id"].clone()), (400, json!(1)));
    let token = open(&served, "2025-11-25").await;
    assert_eq!(in_session(&token, &list).send(&served).await.status, 200);
    let mut tampered = token.clone().into_bytes();
    tampered[20] = if tampered[20] == b'A' { b'B' } else { b'A' };
    let tampered = String::from_utf8(tampered).unwrap();
    let (_, other) = {
        let other = start().await;
        let token = open(&other, "2025-11-25").await;
        (other, token)
    };
    for token in [tampered.as_str(), other.as_str(), "x", &"A".repeat(8000)] {
        let answer = in_session(token, &list).send(&served).await;
        assert_eq!(answer.status, 404, "{token}");
    }
}

#[tokio::test]
async fn a_replica_with_the_same_key_takes_the_session() {
    use crate::gateway::GatewaySettings;
    use crate::mcp::session::SessionKey;
    let replica = || {
        let session_key = SessionKey::from_secret(b"sixteen bytes or more").unwrap();
        let fake = Fake::of_all_kinds();
        let catalog = fake::catalog(vec![fake::entry("fake", Arc::clone(&fake) as _)]);
        let settings = GatewaySettings { session_key, ..GatewaySettings::default() };
        start_gateway(Arc::new(Gateway::new(catalog, settings)), fake, HttpSettings::default())
    };
    let (one, two) = (replica().await, replica().await);
    let token = open(&one, "2025-06-18").await;
    let list = in_session(&token, &request(1, "tools/list", json!({}))).send(&two).await;
    assert_eq!(list.status, 200);
    assert!(SessionKey::from_secret(b"short").is_none());
}

#[tokio::test]
async fn a_session_ends_when_deleted() {
    let served = start().await;
    let token = open(&served, "2025-11-25").await;
    let delete = Ask::new("DELETE", "/mcp").header("mcp-session-id", &token);
    assert_eq!(delete.send(&served).await.status, 204);
    assert_eq!(delete.send(&served).await.status, 404);
    let list = in_session(&token, &request(1, "tools/list", json!({}))).send(&served).await;
    assert_eq!(list.status, 404);
    assert_eq!(Ask::new("DELETE", "/mcp").send(&served).await.status, 400);
}

#[tokio::test]
async fn an_unsupported_version_header_is_400() {
    let served = start().await;
    let token = open(&served, "2025-06-18").await;
    for body in [
        request(1, "tools/list", json!({})),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        initialize("2025-06-18"),
    ] {
        let answer =
            in_session(&token, &body).header("mcp-protocol-version", "1999-01-01").send(&served).await;
        assert_eq!((answer.status, answer.code()), (400, -32022), "{body}");
    }
}

#[tokio::test]
async fn a_header_of_another_revision_than_the_session_is_400() {
    let served = start().await;
    let token = open(&served, "2025-06-18").await;
    for body in [
        request(1, "tools/list", json!({})),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
    ] {
        let ask = in_session(&token, &body).header("mcp-protocol-version", "2025-11-25");
        let answer = ask.clone().send(&served).await;
        assert_eq!((answer.status, answer.code()), (400, -32600), "{body}");
        let right = ask.header("mcp-protocol-version", "2025-06-18").send(&served).await;
        assert!(right.status < 300, "{right:?}");
    }
}

#[tokio::test]
async fn an_id_that_is_in_use_is_refused() {
    let served = Arc::new(start().await);
    let token = open(&served, "2025-11-25").await;
    let call = |tool: &str| in_session(&token, &request(5, "tools/call", json!({ "name": tool })));
    let slow = {
        let (served, ask) = (Arc::clone(&served), call("fake__slow"));
        tokio::spawn(async move { ask.send(&served).await })
    };
    let fake = Arc::clone(&served.fake);
    until("the call", || fake.begun.load(Ordering::SeqCst) == 1).await;
    let second = call("fake__echo").send(&served).await;
    assert_eq!((second.status, second.code()), (400, -32600));
    assert_eq!(slow.await.unwrap().status, 200, "the first is not disturbed");
    assert_eq!(call("fake__echo").send(&served).await.status, 200, "the id is free again");
}

#[tokio::test]
async fn errors_of_readable_requests_are_200() {
    let served = start().await;
    let token = open(&served, "2025-11-25").await;
    for (body, code) in [
        (request(1, "no/such", json!({})), -32601),
        (request(1, "server/discover", json!({})), -32601),
        (request(1, "tools/call", json!({ "name": "fake__nothing" })), -32602),
    ] {
        let answer = in_session(&token, &body).send(&served).await;
        assert_eq!((answer.status, answer.code()), (200, code), "{body}");
    }
}

#[tokio::test]
async fn only_the_first_revision_has_batches() {
    let served = start().await;
    let batch = json!([
        request(1, "ping", json!({})),
        { "jsonrpc": "2.0", "method": "notifications/initialized" },
        request(2, "no/such", json!({})),
        { "jsonrpc": "2.0", "id": 3 },
    ]);
    let token = open(&served, "2025-03-26").await;
    let answers = in_session(&token, &batch).send(&served).await.json();
    assert_eq!(answers.as_array().unwrap().len(), 3);
    assert_eq!(answers[0]["result"], json!({}));
    assert_eq!(answers[1]["error"]["code"], -32601);
    assert_eq!(answers[2]["error"]["code"], -32600);
    let quiet = json!([{ "jsonrpc": "2.0", "method": "notifications/initialized" }]);
    assert_eq!(in_session(&token, &quiet).send(&served).await.status, 202);
    for size in [0, 33] {
        let batch = Value::Array(vec![request(1, "ping", json!({})); size]);
        assert_eq!(in_session(&token, &batch).send(&served).await.status, 400, "{size}");
    }
    for version in ["2025-06-18", "2025-11-25"] {
        let token = open(&served, version).await;
        let answer = in_session(&token, &batch).send(&served).await;
        assert_eq!((answer.status, answer.code()), (400, -32600), "{version}");
    }
}

#[tokio::test]
async fn a_batch_answers_no_more_than_its_limit() {
    let served = start().await;
    let token = open(&served, "2025-03-26").await;
    let call = |id: u32, tool: &str| request(id, "tools/call", json!({ "name": tool }));
    let mut batch: Vec<Value> = (0..10).map(|id| call(id, "fake__flood")).collect();
    batch.insert(0, call(10, "fake__echo"));
    let answer = in_session(&token, &Value::Array(batch)).send(&served).await;
    let answers = answer.json().as_array().unwrap().clone();
    assert_eq!(answers.len(), 11, "each request has its answer");
    let refused: Vec<_> = answers.iter().filter(|answer| answer["error"]["code"] == 413).collect();
    assert_eq!(refused.len(), 5, "five of 3 MB fit into 16 MiB");
    assert_eq!(refused[0]["id"], 5);
    let begun = served.fake.begun.load(Ordering::SeqCst);
    assert_eq!(begun, 7, "after one that did not fit, none runs in vain");
}

#[tokio::test]
async fn a_cancelled_request_is_dropped_and_gets_no_message() {
    let served = Arc::new(start().await);
    let token = open(&served, "2025-11-25").await;
    let body = request(5, "tools/call", json!({ "name": "fake__hang" }));
    let hanging = {
        let (served, ask) = (Arc::clone(&served), in_session(&token, &body));
        tokio::spawn(async move { ask.send(&served).await })
    };
    let fake = Arc::clone(&served.fake);
    until("the call", || fake.begun.load(Ordering::SeqCst) == 1).await;
    let cancel = |id: u32| json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    // Neither another request's id nor another session's may cancel it.
    let stranger = open(&served, "2025-11-25").await;
    assert_eq!(in_session(&stranger, &cancel(5)).send(&served).await.status, 202);
    assert_eq!(in_session(&token, &cancel(6)).send(&served).await.status, 202);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!hanging.is_finished());
    assert_eq!(in_session(&token, &cancel(5)).send(&served).await.status, 202);
    let answer = hanging.await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (202, ""));
    assert_eq!(fake.ended.load(Ordering::SeqCst), 1);
}
