//! Components that speak MCP: what `everything` answers and tells, and what comes of one that breaks its world.

use e2e::client::Client;
use e2e::gateway::{Gateway, run};
use e2e::guests;
use e2e::site::Site;
use serde_json::{Value, json};

async fn everything(grants: &str) -> (Site, Gateway, Client) {
    let file = guests::tool("everything");
    let site = Site::new(&format!("[servers.e]\ncomponent = \"file:{}\"\n{grants}", file.display()));
    let gateway = Gateway::start(&site).await;
    let client = gateway.client_of("e");
    (site, gateway, client)
}

#[tokio::test]
async fn each_kind_of_content_arrives_as_it_was_made() {
    let (_site, _gateway, client) = everything("").await;
    let content = async |tool: &str| client.call(tool, json!({})).await["content"].clone();
    let image = content("test_image_content").await;
    assert_eq!((&image[0]["type"], &image[0]["mimeType"]), (&json!("image"), &json!("image/png")));
    assert!(image[0]["data"].as_str().unwrap().starts_with("iVBORw0KGgo"), "{image}");
    let audio = content("test_audio_content").await;
    assert!(audio[0]["data"].as_str().unwrap().starts_with("UklGRiQAAABXQVZF"), "{audio}");
    let mixed = content("test_multiple_content_types").await;
    let kinds: Vec<_> = mixed.as_array().unwrap().iter().map(|part| &part["type"]).collect();
    assert_eq!(kinds, ["text", "image", "resource"]);
    let link = content("link").await;
    let annotations = json!({ "audience": ["user"], "priority": 0.5 });
    assert_eq!((&link[0]["uri"], &link[0]["annotations"]), (&json!("test://static-text"), &annotations));
    let sum = client.call("sum", json!({ "a": 2, "b": 3 })).await;
    assert_eq!(
        (&sum["structuredContent"], &sum["_meta"]["everything/terms"]),
        (&json!({ "sum": 5 }), &json!(2))
    );
    assert_eq!(sum["_meta"]["toolgate/usage"]["backend"], "wasm");
    assert!(sum["_meta"]["toolgate/usage"]["fuel"].as_u64().unwrap() > 1000, "{sum}");
    let wrong = client.call("sum", json!({ "a": "x" })).await;
    assert_eq!(wrong["isError"], true);
    assert!(wrong["content"][0]["text"].as_str().unwrap().starts_with("invalid arguments: "), "{wrong}");
}

#[tokio::test]
async fn its_tools_are_known_only_when_it_runs() {
    let (_site, _gateway, client) =
        everything("[servers.e.grants]\nenv = { EVERYTHING_TOOLS = \"3\" }\n").await;
    let tools = client.list().await;
    let numbered: Vec<_> =
        tools.iter().filter_map(|tool| tool["name"].as_str()?.strip_prefix("number-")).collect();
    assert_eq!(numbered, ["0", "1", "2"]);
    assert_eq!(client.call("number-2", json!({})).await["content"][0]["text"], "2");
    let sum = tools.iter().find(|tool| tool["name"] == "sum").unwrap();
    assert_eq!(sum["inputSchema"]["properties"]["a"]["description"], "The first");
    assert_eq!(sum["outputSchema"]["required"], json!(["sum"]));
    let schema = tools.iter().find(|tool| tool["name"] == "json_schema_2020_12_tool").unwrap();
    assert_eq!(schema["inputSchema"]["$defs"]["address"]["$anchor"], "addressDef");
}

#[tokio::test]
async fn five_thousand_tools_are_listed_page_by_page() {
    let grants = "[servers.e.grants]\nenv = { EVERYTHING_TOOLS = \"5000\" }\n";
    let (_site, gateway, _) = everything(grants).await;
    let mut names = std::collections::HashSet::new();
    let (mut pages, mut params) = (0, json!({}));
    loop {
        let reply = gateway.client().request("tools/list", None, params).await;
        let tools = reply["result"]["tools"].as_array().unwrap();
        assert!(tools.len() <= 1000, "{} on a page", tools.len());
        names.extend(tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()));
        pages += 1;
        let Some(next) = reply["result"].get("nextCursor") else { break };
        params = json!({ "cursor": next });
    }
    assert_eq!(pages, 6);
    assert!((0..5000).all(|number| names.contains(&format!("e__number-{number}"))));
    let last = gateway.client().call("e__number-4999", json!({})).await;
    assert_eq!(last["content"][0]["text"], "4999");
}

#[tokio::test]
async fn a_tool_has_a_view_that_hosts_can_show() {
    let (_site, gateway, client) = everything("").await;
    for client in [client, gateway.client()] {
        let tools = client.list().await;
        let view = tools.iter().find(|tool| tool["name"].as_str().unwrap().ends_with("view")).unwrap();
        let uri = view["_meta"]["ui"]["resourceUri"].as_str().unwrap();
        let read = client.request("resources/read", Some(uri), json!({ "uri": uri })).await;
        let content = &read["result"]["contents"][0];
        assert_eq!(
            (&content["uri"], &content["mimeType"]),
            (&json!(uri), &json!("text/html;profile=mcp-app"))
        );
        assert!(content["text"].as_str().unwrap().starts_with("<!doctype html>"), "{content}");
    }
}

#[tokio::test]
async fn prompts_resources_and_completions_are_its_own() {
    let (_site, gateway, client) = everything("").await;
    let prompts = client.request("prompts/list", None, json!({})).await;
    assert_eq!(prompts["result"]["prompts"][1]["arguments"][0]["name"], "arg1", "{prompts}");
    let all = gateway.client().request("prompts/list", None, json!({})).await;
    assert_eq!(all["result"]["prompts"][0]["name"], "e__test_simple_prompt");
    let name = "test_prompt_with_arguments";
    let params = json!({ "name": name, "arguments": { "arg1": "a", "arg2": "b" } });
    let prompt = client.request("prompts/get", Some(name), params).await;
    let text = &prompt["result"]["messages"][0]["content"]["text"];
    assert_eq!(text, "Prompt with arguments: arg1='a', arg2='b'");
    let uri = "test://template/7/data";
    let read = client.request("resources/read", Some(uri), json!({ "uri": uri })).await;
    let contents = &read["result"]["contents"][0];
    assert_eq!(
        (&contents["uri"], &contents["mimeType"]),
        (&json!(uri), &json!("application/json")),
        "{read}"
    );
    for missing in ["test://nothing", "test://template/7/8"] {
        let refused = client.request("resources/read", Some(missing), json!({ "uri": missing })).await;
        assert_eq!(
            (&refused["error"]["code"], &refused["error"]["data"]["uri"]),
            (&json!(-32602), &json!(missing))
        );
    }
    let reference = json!({ "type": "ref/prompt", "name": name });
    let params = json!({ "ref": reference, "argument": { "name": "arg1", "value": "par" } });
    let completed = client.request("completion/complete", None, params).await;
    assert_eq!(completed["result"]["completion"]["values"], json!(["paris", "park", "party"]), "{completed}");
}

#[tokio::test]
async fn an_operator_sees_what_it_offers_and_what_it_asks() {
    let (site, _gateway, _client) = everything("").await;
    let file = format!("file:{}", guests::tool("everything").display());
    let inspected = run(&site, &["inspect", &file]);
    let text = String::from_utf8_lossy(&inspected.stdout).into_owned();
    assert!(inspected.status.success() && text.contains("test_simple_text"), "{inspected:?}");
    let config = site.config();
    let called = run(&site, &["call", "--config", config.to_str().unwrap(), "e__sum", r#"{"a":1,"b":2}"#]);
    assert_eq!(String::from_utf8_lossy(&called.stdout), "{\"sum\":3}\n", "{called:?}");
    let asked = run(
        &site,
        &["call", "--config", config.to_str().unwrap(), "e__test_elicitation", r#"{"message":"?"}"#],
    );
    let error = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert!(!asked.status.success() && error.contains("it asks its client"), "{error}");
}

fn speaker(list: &str) -> Site {
    let file = guests::guest("speaker");
    let limits = "[servers.s.limits]\nfuel = 500_000_000\n";
    Site::new(&format!(
        "[servers.s]\ncomponent = \"file:{}\"\n{limits}[servers.s.grants]\nenv = {{ LIST = \"{list}\" }}\n",
        file.display()
    ))
}

#[tokio::test]
async fn a_component_that_does_not_say_what_it_offers_is_unavailable_and_says_why() {
    for (list, why) in [
        ("no-json", "its answer to tools/list makes no sense: EOF while parsing an object"),
        ("no-array", "its answer to tools/list makes no sense: invalid type: map"),
        ("no-name", "its answer to tools/list makes no sense: missing field `name` in an entry"),
        ("many", "its answers to tools/list have more than 10000 entries"),
        ("huge", "the result is larger than the limit of 4194304 bytes"),
        ("refuses", "tools/list: \u{fffd}[2Jnot today"),
        ("traps", "the tool trapped"),
        ("spins", "out of fuel"),
    ] {
        let site = speaker(list);
        let checked = run(&site, &["check", "--config", site.config().to_str().unwrap()]);
        let text = String::from_utf8_lossy(&checked.stdout).into_owned();
        let expected = format!("the component does not say what it offers: {why}");
        assert!(!checked.status.success() && text.contains(&expected), "{list}: {text}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_the_world_is_an_error_and_harms_nobody() {
    let site = speaker("");
    let gateway = Gateway::start(&site).await;
    let client = gateway.client_of("s");
    for (tool, code) in [
        ("no-json", "trap"),
        ("no-object", "trap"),
        ("huge", "output"),
        ("state-too-large", "trap"),
        ("asks-for-what-is-not-there", "trap"),
        ("asks-too-much", "trap"),
        ("refuses", "refused"),
        ("spins", "fuel"),
        ("traps", "trap"),
    ] {
        let result = client.call(tool, json!({})).await;
        assert_eq!(
            (&result["isError"], &result["_meta"]["toolgate/error"]),
            (&json!(true), &json!(code)),
            "{tool}"
        );
        let shown = result["content"][0]["text"].as_str().unwrap();
        assert!(shown.len() <= 1024, "{tool}: {} bytes of its own words", shown.len());
    }
    let flooded = client.call("floods", json!({})).await;
    assert_eq!(flooded["content"], json!([]));
}

#[tokio::test]
async fn what_the_gateway_has_no_reason_to_touch_arrives_byte_for_byte() {
    let site = speaker("");
    let gateway = Gateway::start(&site).await;
    let arguments = r#"{ "b":1.50,"a" : 18446744073709551616, "e\u0041":[1E400] }"#;
    let meta = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"odd","arguments":{arguments},"_meta":{meta}}}}}"#
    );
    let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "odd")];
    let reply = gateway.client_of("s").post(&headers, body).await;
    let expected = format!(
        r#" "content":[ {{"type":"new","x":1.50}} ] , "y\u0041" :18446744073709551616,"given":{arguments},"_meta":"#
    );
    assert!(reply.text.contains(&expected), "{}", reply.text);
    let listed = gateway.client_of("s").request("tools/list", None, json!({})).await;
    assert!(listed.to_string().contains(r#""x":1.5"#), "{listed}");
}

#[tokio::test]
async fn it_speaks_in_nobody_elses_name_and_keeps_nothing() {
    let site = speaker("");
    let gateway = Gateway::start(&site).await;
    let client = gateway.client_of("s");
    let forged = client.call("forges", json!({})).await;
    assert!(forged["_meta"].get("toolgate/error").is_none(), "{forged}");
    assert!(forged["_meta"]["toolgate/usage"]["fuel"].as_u64().unwrap() > 0, "{forged}");
    for _ in 0..3 {
        assert_eq!(client.call("keeps", json!({})).await["content"][0]["text"], "1");
    }
    let skipped = run(&site, &["check", "--config", site.config().to_str().unwrap()]);
    let text = String::from_utf8_lossy(&skipped.stdout).into_owned();
    assert!(text.contains("other") && text.contains("is no part of it"), "{text}");
}

/// What a stream of events says, message by message.
fn messages(text: &str) -> Vec<Value> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.map(|message| serde_json::from_str(message).unwrap()).collect()
}

#[tokio::test]
async fn what_it_tells_is_bounded_and_well_formed() {
    let site = speaker("");
    let gateway = Gateway::start(&site).await;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/logLevel": "debug",
        "progressToken": "mine",
    });
    let params = json!({ "name": "floods", "arguments": {}, "_meta": meta });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let headers =
        [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "floods")];
    let reply = gateway.client_of("s").post(&headers, body.to_string()).await;
    let messages = messages(&reply.text);
    assert!(messages.len() < 20_000, "what comes faster than it is read is dropped: {}", messages.len());
    let log = messages.iter().find(|message| message["method"] == "notifications/message").unwrap();
    assert_eq!(
        (&log["params"]["level"], &log["params"]["logger"]),
        (&json!("emergency"), &json!("forged\"}\n"))
    );
    assert_eq!(log["params"]["data"], "x".repeat(1000), "text that is no JSON is a string");
    let progress = messages.iter().find(|message| message["method"] == "notifications/progress").unwrap();
    let expected = json!({ "progressToken": "mine", "progress": 0, "total": 0, "message": "\u{1b}[2J" });
    assert_eq!(progress["params"], expected);
    assert_eq!(messages.last().unwrap()["result"]["content"], json!([]));
}

#[tokio::test]
async fn the_trace_of_a_request_is_recorded_and_passed_on() {
    let (_site, gateway, client) = everything("").await;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "name": "environment", "arguments": {}, "_meta": meta });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "environment"),
        ("traceparent", parent),
        ("tracestate", "vendor=1"),
    ];
    let reply = client.post(&headers, body.to_string()).await.json();
    let given = &reply["result"]["structuredContent"];
    assert_eq!(
        (&given["traceparent"], &given["tracestate"]),
        (&json!(parent), &json!("vendor=1")),
        "{reply}"
    );
    gateway.logged(r#""trace":"0af7651916cd43dd8448eb211c80319c""#).await;
}
