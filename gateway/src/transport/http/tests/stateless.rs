//! Revision 2026-07-28: every request stands for itself.

use super::*;

#[tokio::test]
async fn discovery_names_versions_capabilities_and_the_server() {
    let served = start().await;
    let answer = stateless(1, "server/discover", json!({})).send(&served).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("mcp-session-id"), None);
    let result = answer.json()["result"].clone();
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["supportedVersions"], json!(["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"]));
    assert!(result["capabilities"]["tools"].is_object());
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "toolgate");
    assert!(result["ttlMs"].is_u64());
    assert_eq!(result["cacheScope"], "public");
}

#[tokio::test]
async fn the_list_is_of_ready_servers_with_cache_hints() {
    let served = start().await;
    let result = stateless(1, "tools/list", json!({})).send(&served).await.json()["result"].clone();
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["ttlMs"], 60_000);
    assert_eq!(result["cacheScope"], "public");
    assert_eq!(result["tools"][0]["name"], "fake__echo");
    assert_eq!(result["tools"][0]["description"], "does \"echo\"");
    assert_eq!(result["tools"][0]["inputSchema"], json!({ "type": "object" }));
    assert_eq!(result["tools"].as_array().unwrap().len(), 9);
    assert!(result.get("nextCursor").is_none());
}

#[tokio::test]
async fn pages_are_followed_by_their_cursor() {
    let served = start_paged().await;
    let names = follow(&served, |params| stateless(1, "tools/list", params)).await;
    assert_eq!(names.len(), 9);
    assert_eq!((names[0].as_str(), names[8].as_str()), ("fake__echo", "fake__talk"));
    let one = follow(&served, |params| stateless(1, "tools/list", params).at("/mcp/fake")).await;
    assert_eq!((one.len(), one[2].as_str()), (9, "trap"));
    let first = stateless(1, "tools/list", json!({})).send(&served).await.json()["result"].clone();
    let elsewhere = stateless(1, "tools/list", json!({ "cursor": first["nextCursor"] })).at("/mcp/fake");
    assert_eq!(elsewhere.send(&served).await.code(), -32602, "a cursor is of one list");
}

#[tokio::test]
async fn one_server_is_listed_and_called_without_prefix() {
    let served = start().await;
    let list = stateless(1, "tools/list", json!({})).at("/mcp/fake").send(&served).await;
    assert_eq!(list.json()["result"]["tools"][0]["name"], "echo");
    let answer = call("echo").at("/mcp/fake").send(&served).await;
    assert_eq!(answer.json()["result"]["isError"], false);
    assert_eq!(call("fake__echo").at("/mcp/fake").send(&served).await.code(), -32602);
    let nobody = call("echo").at("/mcp/nobody").send(&served).await;
    assert_eq!((nobody.status, nobody.code()), (404, 404));
}

#[tokio::test]
async fn a_server_that_is_unavailable_says_so() {
    let served = start().await;
    let list = stateless(1, "tools/list", json!({})).at("/mcp/broken").send(&served).await;
    assert_eq!((list.status, list.code()), (503, 503));
    assert_eq!(list.header("retry-after"), Some("5"));
    for (path, tool) in [("/mcp", "broken__x"), ("/mcp/broken", "x")] {
        let answer = call(tool).at(path).send(&served).await;
        assert_eq!(answer.status, 200);
        let result = answer.json()["result"].clone();
        assert_eq!(result["isError"], true);
        assert_eq!(result["_meta"]["toolgate/error"], "unavailable");
        assert!(!answer.body.contains("secret"), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_result_is_spliced_exactly_and_accounted() {
    let served = start().await;
    let params = json!({ "name": "fake__echo", "arguments": { "n": u64::MAX, "s": "é\n" } });
    let answer = stateless(1, "tools/call", params).send(&served).await;
    let result = answer.json()["result"].clone();
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["structuredContent"], json!({ "n": u64::MAX, "s": "é\n" }));
    assert_eq!(result["content"][0]["type"], "text");
    let usage = &result["_meta"]["toolgate/usage"];
    assert_eq!(usage["fuel"], 42);
    assert_eq!(usage["memoryPeak"], 65_536);
    assert_eq!(usage["wallMicros"], 7);
    assert_eq!(usage["backend"], "wasm");
    assert!(usage["bytesIn"].is_u64() && usage["bytesOut"].is_u64());
    assert!(result["_meta"].get("toolgate/error").is_none());
}

#[tokio::test]
async fn failures_of_tool_and_sandbox_are_results_without_host_detail() {
    let served = start().await;
    for (tool, code, text) in [
        ("tool-error", Value::Null, "no such city"),
        ("bad-args", "arguments".into(), "invalid arguments: `x` must be a string"),
        ("trap", "trap".into(), "the tool crashed"),
        ("panic", "internal".into(), "the gateway failed to run the tool"),
    ] {
        let answer = call(&format!("fake__{tool}")).send(&served).await;
        assert_eq!(answer.status, 200, "{tool}");
        let result = answer.json()["result"].clone();
        assert_eq!(result["isError"], true, "{tool}");
        assert_eq!(result["content"][0]["text"], text, "{tool}");
        assert_eq!(result["_meta"]["toolgate/error"], code, "{tool}");
        assert_eq!(result["_meta"]["toolgate/usage"]["fuel"], 42, "{tool}");
        assert!(result.get("structuredContent").is_none(), "{tool}");
    }
}

#[tokio::test]
async fn a_large_result_arrives_whole() {
    let served = start().await;
    let answer = call("fake__flood").send(&served).await;
    assert_eq!(answer.json()["result"]["content"][0]["text"].as_str().unwrap().len(), 3_000_000);
}

#[tokio::test]
async fn unknown_methods_and_removed_ones_are_404() {
    let served = start().await;
    for method in ["initialize", "ping", "logging/setLevel", "resources/list", "resources/subscribe", "x"] {
        let answer = stateless(5, method, json!({})).send(&served).await;
        assert_eq!((answer.status, answer.code()), (404, -32601), "{method}");
        assert_eq!(answer.json()["id"], 5);
    }
}

#[tokio::test]
async fn unknown_tools_and_cursors_are_invalid_params() {
    let served = start().await;
    for ask in [
        call("fake__nothing"),
        call("nobody__echo"),
        call("echo"),
        stateless(7, "tools/list", json!({ "cursor": "AAAA" })),
        stateless(7, "tools/list", json!({ "cursor": 3 })),
        stateless(7, "tools/call", json!({ "name": "fake__echo", "arguments": [] })),
        stateless(7, "tools/call", json!({})).header("mcp-name", "x"),
    ] {
        let answer = ask.send(&served).await;
        assert_eq!((answer.status, answer.code()), (200, -32602), "{answer:?}");
        assert_eq!(answer.json()["id"], 7);
    }
}

#[tokio::test]
async fn required_meta_is_required() {
    let served = start().await;
    let version = "io.modelcontextprotocol/protocolVersion";
    let capabilities = "io.modelcontextprotocol/clientCapabilities";
    for params in [
        json!({}),
        json!({ "_meta": { capabilities: {} } }),
        json!({ "_meta": { version: "2026-07-28" } }),
        json!({ "_meta": { version: "2026-07-28", capabilities: [] } }),
        json!({ "_meta": { version: 1, capabilities: {} } }),
        json!({ "_meta": 1 }),
        json!([]),
    ] {
        let body = request(9, "server/discover", params);
        let answer = Ask::post(&body)
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "server/discover")
            .send(&served)
            .await;
        assert_eq!((answer.status, answer.code()), (400, -32602), "{body}");
        assert_eq!(answer.json()["id"], 9);
    }
    let no_info = json!({ "_meta": { version: "2026-07-28", capabilities: {} } });
    let answer = Ask::post(&request(9, "server/discover", no_info))
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "server/discover")
        .send(&served)
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn headers_must_say_what_the_body_says() {
    let served = start().await;
    let good = call("fake__echo");
    for (ask, what) in [
        (good.clone().without("mcp-protocol-version"), "no version"),
        (good.clone().header("mcp-protocol-version", "2025-11-25"), "another version"),
        (good.clone().without("mcp-method"), "no method"),
        (good.clone().header("mcp-method", "tools/list"), "another method"),
        (good.clone().header("mcp-method", "TOOLS/CALL"), "another case"),
        (good.clone().without("mcp-name"), "no name"),
        (good.clone().header("mcp-name", "fake__trap"), "another name"),
        (good.clone().header("mcp-name", "=?base64?ZmFrZV9f?="), "another name, encoded"),
        (good.clone().header("mcp-name", "=?base64?***?="), "a broken encoding"),
        (good.clone().header("mcp-name", "fake__é"), "other than ASCII"),
    ] {
        let answer = ask.send(&served).await;
        assert_eq!((answer.status, answer.code()), (400, -32020), "{what}");
        assert_eq!(answer.json()["id"], 7, "{what}");
    }
    let mut doubled = good.clone();
    doubled.headers.push(("Mcp-Name".into(), "fake__trap".into()));
    assert_eq!(doubled.send(&served).await.code(), -32020);
}

#[tokio::test]
async fn header_values_may_be_padded_or_encoded() {
    let served = start().await;
    for name in ["  fake__echo  ", "=?base64?ZmFrZV9fZWNobw==?="] {
        let answer = call("fake__echo").header("mcp-name", name).send(&served).await;
        assert_eq!(answer.status, 200, "{name}");
    }
}

#[tokio::test]
async fn an_unsupported_version_is_told_what_is_supported() {
    let served = start().await;
    let mut body = request(3, "server/discover", json!({}));
    body["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "v999.0.0",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let answer = Ask::post(&body).header("mcp-protocol-version", "v999.0.0").send(&served).await;
    assert_eq!((answer.status, answer.code()), (400, -32022));
    let error = answer.json()["error"].clone();
    assert_eq!(error["data"]["requested"], "v999.0.0");
    assert_eq!(error["data"]["supported"][0], "2026-07-28");
    assert_eq!(answer.json()["id"], 3);
}

#[tokio::test]
async fn a_client_that_takes_only_events_gets_a_stream_of_one() {
    let served = start().await;
    let answer = call("fake__echo").header("accept", "text/event-stream").send(&served).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let data = answer.body.strip_prefix("event: message\ndata: ").unwrap();
    let message: Value = serde_json::from_str(data.strip_suffix("\n\n").unwrap()).unwrap();
    assert_eq!(message["id"], 7);
}

#[tokio::test]
async fn notifications_are_accepted_and_responses_are_not() {
    let served = start().await;
    let ask = |body: Value| Ask::post(&body).header("mcp-protocol-version", "2026-07-28");
    let notification = ask(json!({ "jsonrpc": "2.0", "method": "notifications/x" }));
    let answer = notification.clone().header("mcp-method", "notifications/x").send(&served).await;
    assert_eq!((answer.status, answer.body.as_str()), (202, ""));
    for ask in [notification.clone(), notification.header("mcp-method", "notifications/y")] {
        let answer = ask.send(&served).await;
        assert_eq!((answer.status, answer.code()), (400, -32020), "a notification carries its headers too");
    }
    let answer = ask(json!({ "jsonrpc": "2.0", "id": 1, "result": {} })).send(&served).await;
    assert_eq!((answer.status, answer.code()), (400, -32600));
    let answer = ask(json!([])).send(&served).await;
    assert_eq!((answer.status, answer.code()), (400, -32600));
}
