//! What a server sends and the gateway has no reason to touch arrives as it was written.

use serde_json::json;

use super::support::Docked;
use e2e::client::REVISION;

/// The raw text of a reply to a call of `raw`.
async fn raw_reply(docked: &Docked, result: &str) -> String {
    let params = json!({
        "name": "raw", "arguments": { "text": result },
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": REVISION,
            "io.modelcontextprotocol/clientInfo": { "name": "e2e", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let headers = [("mcp-protocol-version", REVISION), ("mcp-method", "tools/call"), ("mcp-name", "raw")];
    docked.client().post(&headers, body.to_string()).await.text
}

#[tokio::test]
async fn odd_results_arrive_byte_for_byte() {
    let docked = Docked::start("[servers.odd.container]\nlifetime = \"warm\"").await;
    for member in [
        r#""content":[{"type":"text","text":"a","x-new":{"z":1,"a":2}}]"#,
        r#""content":[],"structuredContent":{"b":18446744073709551617,"a":1.50,"e":1E400}"#,
        r#""content":[ {"type" : "text" , "text":"\u00e9\ud83d\ude00\/"} ]"#,
        r#""content":[{"type":"image","data":"AAAA","mimeType":"image/x-odd"}],"x-unknown":[null,true]"#,
        r#" "content" : [] ,"y\u0041":1,"_meta" : { "b\/c" : 1.50"#,
        r#""content":[{"type":"resource_link","uri":"odd://a b","name":"","annotations":{"audience":[]}}]"#,
    ] {
        let close = if member.contains("_meta") { "}}" } else { "}" };
        let reply = raw_reply(&docked, &format!("{{{member}{close}")).await;
        assert!(reply.contains(member), "{member}\nis not in\n{reply}");
    }
}

#[tokio::test]
async fn a_tool_is_listed_as_its_server_wrote_it_but_for_its_name() {
    let docked = Docked::start("").await;
    let (one, all) = (docked.client(), docked.gateway.client());
    let params = json!({ "_meta": {
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientInfo": { "name": "e2e", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    }});
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params }).to_string();
    let headers = [("mcp-protocol-version", REVISION), ("mcp-method", "tools/list")];
    let written = |name: &str| {
        format!(
            r#"{{"name":"{name}","x-odd":{{"z":1.50,"a":18446744073709551617}},"inputSchema":{{"type":"object","properties":{{}}}}}}"#
        )
    };
    let (one, all) = (one.post(&headers, body.clone()).await.text, all.post(&headers, body).await.text);
    assert!(one.contains(&written("count")), "{one}");
    assert!(all.contains(&written("odd__count")), "{all}");
}
