//! Components that handle HTTP and speak MCP without sessions: what they are sent, what of their answers arrives, and
//! what comes of those that answer badly or not at all.

use std::time::{Duration, Instant};

use e2e::client::Client;
use e2e::gateway::{Gateway, run};
use e2e::guests;
use e2e::site::Site;
use serde_json::{Value, json};

/// Tools whose calls end at their deadline, which is to be soon.
const PATIENCE: &str = "deadline = \"2s\"\nfuel = 500_000_000\n";

fn site(list: &str, limits: &str) -> Site {
    let file = guests::guest("responder");
    let grants = if list.is_empty() {
        String::new()
    } else {
        format!("[servers.r.grants]\nenv = {{ LIST = \"{list}\" }}\n")
    };
    Site::new(&format!(
        "[servers.r]\ncomponent = \"file:{}\"\n[servers.r.limits]\n{limits}{grants}",
        file.display()
    ))
}

async fn responder() -> (Site, Gateway, Client) {
    let site = site("", PATIENCE);
    let gateway = Gateway::start(&site).await;
    let client = gateway.client_of("r");
    (site, gateway, client)
}

/// A `tools/call` with more in its metadata, and more members; as text.
async fn call_with(client: &Client, tool: &str, meta: Value, members: &str) -> String {
    let mut whole = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} },
    });
    whole.as_object_mut().unwrap().extend(meta.as_object().unwrap().clone());
    let params = format!(r#"{{"name":"{tool}","arguments":{{}},"_meta":{whole}{members}}}"#);
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
    let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", tool)];
    client.post(&headers, body).await.text
}

#[tokio::test]
async fn its_requests_are_those_of_the_revision_without_sessions() {
    let (_site, _gateway, client) = responder().await;
    let arguments = r#"{ "region":"sch\u00f6n", "n":18446744073709551616 }"#;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "someone", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": { "sampling": {} },
        "com.example/tenant": 7,
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    });
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"request","arguments":{arguments},"_meta":{meta}}}}}"#
    );
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "request"),
        ("mcp-param-region", "=?base64?c2Now7Zu?="),
        ("x-other", "not for it"),
        ("authorization", "Bearer not-for-it"),
    ];
    let reply = client.post(&headers, body).await.json();
    let seen = &reply["result"]["structuredContent"];
    assert_eq!(seen["line"], "Method::Post Scheme::Http localhost /mcp", "{reply}");
    let length = seen["headers"][4].as_str().unwrap().to_owned();
    assert!(length.starts_with("content-length: "), "{seen}");
    let expected = [
        "content-type: application/json",
        "accept: application/json, text/event-stream",
        "mcp-protocol-version: 2026-07-28",
        "mcp-method: tools/call",
        &length,
        "mcp-name: request",
        "mcp-param-region: =?base64?c2Now7Zu?=",
    ];
    assert_eq!(seen["headers"], json!(expected));
    let params = &seen["body"]["params"];
    assert_eq!((&params["name"], &params["arguments"]["region"]), (&json!("request"), &json!("schön")));
    let expected = json!({
        "com.example/tenant": 7,
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "toolgate", "version": env!("CARGO_PKG_VERSION") },
        "io.modelcontextprotocol/clientCapabilities": { "sampling": {} },
    });
    assert_eq!(params["_meta"], expected);
}

#[tokio::test]
async fn each_request_has_a_fresh_instance() {
    let (_site, _gateway, client) = responder().await;
    for _ in 0..3 {
        assert_eq!(client.call("counts", json!({})).await["content"][0]["text"], "1");
    }
    let site = site("pages", PATIENCE);
    let gateway = Gateway::start(&site).await;
    let tools = gateway.client_of("r").list().await;
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, [0, 1, 2, 3].map(|page| format!("page-{page}-of-instance-1")), "also of a list");
}

#[tokio::test]
async fn its_tools_prompts_resources_and_completions_are_offered() {
    let (_site, gateway, client) = responder().await;
    let tools = gateway.client().list().await;
    assert!(tools.iter().any(|tool| tool["name"] == "r__counts"), "{tools:?}");
    assert_eq!(tools[0]["inputSchema"]["properties"]["region"]["x-mcp-header"], "Region");
    let params = json!({ "name": "greet", "arguments": { "who": "Ada" } });
    let prompt = client.request("prompts/get", Some("greet"), params).await;
    assert_eq!(prompt["result"]["messages"][0]["content"]["text"], "Greet Ada.", "{prompt}");
    let listed = client.request("resources/list", None, json!({})).await;
    assert_eq!(listed["result"]["resources"][0]["uri"], "responder://fixed");
    for uri in ["responder://fixed", "responder://any thing"] {
        let read = client.request("resources/read", Some(uri), json!({ "uri": uri })).await;
        assert_eq!(read["result"]["contents"], json!([{ "uri": uri, "text": uri }]), "{read}");
    }
    let reference = json!({ "type": "ref/prompt", "name": "greet" });
    let params = json!({ "ref": reference, "argument": { "name": "who", "value": "x" } });
    let completed = client.request("completion/complete", None, params).await;
    assert_eq!(completed["result"]["completion"]["values"], json!(["xa", "xb"]), "{completed}");
}

#[tokio::test]
async fn an_operator_sees_what_it_offers_without_granting_anything() {
    let site = site("", "");
    let file = format!("file:{}", guests::guest("responder").display());
    let inspected = run(&site, &["inspect", &file]);
    let text = String::from_utf8_lossy(&inspected.stdout).into_owned();
    assert!(inspected.status.success() && text.contains("tool counts"), "{inspected:?}");
    let config = site.config();
    let called = run(&site, &["call", "--config", config.to_str().unwrap(), "r__counts", "{}"]);
    assert!(called.status.success(), "{called:?}");
    assert!(String::from_utf8_lossy(&called.stdout).contains('1'), "{called:?}");
}

/// What a stream of events says, message by message.
fn messages(text: &str) -> Vec<Value> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.map(|message| serde_json::from_str(message).unwrap()).collect()
}

#[tokio::test]
async fn what_it_tells_in_a_stream_reaches_its_caller() {
    let (_site, _gateway, client) = responder().await;
    let meta = json!({ "progressToken": "mine", "io.modelcontextprotocol/logLevel": "info" });
    let told = messages(&call_with(&client, "tells", meta, "").await);
    let progress: Vec<_> = told.iter().filter(|told| told["method"] == "notifications/progress").collect();
    let expected = |progress| json!({ "progressToken": "mine", "progress": progress, "total": 3 });
    assert_eq!(
        progress.iter().map(|told| &told["params"]).collect::<Vec<_>>(),
        [&expected(1), &expected(2), &expected(3)]
    );
    let logged: Vec<_> = told.iter().filter(|told| told["method"] == "notifications/message").collect();
    assert_eq!(logged.len(), 1, "{told:?}");
    assert_eq!(logged[0]["params"], json!({ "level": "warning", "data": { "at": "warning" } }));
    assert_eq!(told.last().unwrap()["result"]["content"][0]["text"], "told");
    let unheard = client.call("tells", json!({})).await;
    assert_eq!(unheard["content"][0]["text"], "told", "who wants to hear nothing gets the answer alone");
    let meta = json!({ "progressToken": 7 });
    let flooded = messages(&call_with(&client, "floods", meta, "").await);
    assert_eq!(flooded.last().unwrap()["result"]["content"][0]["text"], "done");
}

#[tokio::test]
async fn what_it_asks_is_answered_in_a_round_with_a_fresh_instance() {
    let (_site, _gateway, client) = responder().await;
    let client = client.able(&json!({ "elicitation": {} }));
    let asked = client.call("asks", json!({})).await;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    assert_eq!(asked["inputRequests"]["who"]["method"], "elicitation/create");
    let state = asked["requestState"].as_str().unwrap();
    assert!(!state.contains("kept"), "what it keeps is sealed: {state}");
    let members = format!(
        r#","inputResponses":{{"who":{{"action":"accept","content":{{"name":"Ada"}}}}}},"requestState":"{state}""#
    );
    let reply: Value = serde_json::from_str(&call_with(&client, "asks", json!({}), &members).await).unwrap();
    let said: Value = serde_json::from_str(reply["result"]["content"][0]["text"].as_str().unwrap()).unwrap();
    let answers = json!({ "who": { "action": "accept", "content": { "name": "Ada" } } });
    assert_eq!(said, json!({ "answers": answers, "state": "kept by call 1", "calls": 1 }));
}

#[tokio::test]
async fn what_the_gateway_has_no_reason_to_touch_arrives_byte_for_byte() {
    let (_site, _gateway, client) = responder().await;
    let text = call_with(&client, "odd", json!({}), "").await;
    let expected = r#" "content":[ {"type":"new","x":1.50} ] , "y\u0041" :18446744073709551616,"_meta":"#;
    assert!(text.contains(expected), "{text}");
}

#[tokio::test]
async fn a_request_is_handed_over_in_pieces_however_large_it_is() {
    let (_site, _gateway, client) = responder().await;
    let large = "x".repeat(300_000);
    let seen = client.call("request", json!({ "large": large })).await["structuredContent"].clone();
    assert_eq!(seen["body"]["params"]["arguments"]["large"], large);
    assert_eq!(seen["largest"], 65_536);
}

#[tokio::test]
async fn arguments_are_mirrored_into_headers_also_for_a_client_that_knows_none() {
    let (_site, _gateway, client) = responder().await;
    let post = async |headers: &[(&str, &str)], method: &str, params: Value| {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        client.post(headers, body.to_string()).await
    };
    let info = json!({ "name": "e2e", "version": "1" });
    let begin = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info });
    let begun = post(&[], "initialize", begin).await;
    let session = begun.headers["mcp-session-id"].to_str().unwrap();
    let headers = [("mcp-session-id", session), ("mcp-protocol-version", "2025-06-18")];
    let call = async |region: &str| {
        let params = json!({ "name": "request", "arguments": { "region": region } });
        post(&headers, "tools/call", params).await.json()["result"].take()
    };
    let seen = call("a b").await;
    let seen = seen["structuredContent"]["headers"].as_array().unwrap();
    assert!(seen.contains(&json!("mcp-param-region: a b")), "{seen:?}");
    assert!(seen.contains(&json!("mcp-protocol-version: 2026-07-28")), "{seen:?}");
    let refused = call(&"x".repeat(40_000)).await;
    assert_eq!(refused["_meta"]["toolgate/error"], "arguments", "{refused}");
    let why = refused["content"][0]["text"].as_str().unwrap();
    assert!(why.ends_with("these would have more than 32768 bytes"), "{why}");
}

#[tokio::test]
async fn an_answer_that_is_none_is_an_error_with_its_reason_for_the_operator_alone() {
    let (_site, gateway, client) = responder().await;
    for (tool, code, why) in [
        ("refuses", "refused", "the server refused with error -32001"),
        ("spins", "fuel", "out of fuel"),
        ("traps", "trap", "unreachable"),
        ("sleeps", "deadline", "deadline exceeded"),
        ("huge", "output", "the result is larger than the limit"),
        ("huge-event", "output", "the result is larger than the limit"),
        ("garbage", "trap", "its body is no message of JSON-RPC"),
        ("garbage-event", "trap", "an event is no message of JSON-RPC"),
        ("no-object", "trap", "it is no object"),
        ("wrong-id", "trap", "it answers another request"),
        ("wrong-id-event", "trap", "it answers another request"),
        ("unknown-result-type", "trap", "its `resultType` is \\\"task\\\""),
        ("state-too-large", "trap", "it has 65537 bytes of at most 65536"),
        ("asks-too-much", "trap", "\"tool\":\"asks-too-much\""),
        ("silent", "trap", "the component's response makes no sense: there is none"),
        ("ends-early", "trap", "it ends before it has answered"),
        ("half", "trap", "it was given up, or has another length than it says"),
        ("fails", "trap", "it is the error"),
        ("html", "trap", "its content type is \\\"text/html\\\""),
        ("status", "trap", "its status is 503"),
        ("compressed", "trap", "its body is encoded as \\\"gzip\\\""),
        ("asks-by-request", "trap", "it asks by a request of its own"),
        ("drips", "deadline", "deadline exceeded"),
    ] {
        let began = Instant::now();
        let result = client.call(tool, json!({})).await;
        let ended = (&result["isError"], &result["_meta"]["toolgate/error"]);
        assert_eq!(ended, (&json!(true), &json!(code)), "{tool}: {result}");
        assert!(began.elapsed() < Duration::from_secs(20), "{tool}: {:?}", began.elapsed());
        let shown = result["content"][0]["text"].as_str().unwrap();
        assert!(shown.len() <= 1024, "{tool}: {} bytes of its own words", shown.len());
        gateway.logged(why).await;
    }
    assert_eq!(client.call("counts", json!({})).await["content"][0]["text"], "1", "and harms nobody");
}

#[tokio::test]
async fn a_stream_that_never_answers_ends_with_its_call() {
    let (_site, _gateway, client) = responder().await;
    let result = client.call("never-ends", json!({})).await;
    let code = result["_meta"]["toolgate/error"].as_str().unwrap();
    assert!(["fuel", "deadline"].contains(&code), "{result}");
    assert!(result["_meta"]["toolgate/usage"]["memoryPeak"].as_u64().unwrap() < 16 << 20, "{result}");
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_call() {
    let site = site("", "deadline = \"60s\"\n");
    let gateway = Gateway::start(&site).await;
    let client = gateway.client_of("r");
    for tool in ["sleeps", "drips"] {
        let call = client.call(tool, json!({}));
        assert!(tokio::time::timeout(Duration::from_millis(300), call).await.is_err());
        let recorded = format!(r#""tool":"{tool}","outcome":"cancelled""#);
        gateway.logged(&recorded).await;
    }
}

#[tokio::test]
async fn an_answer_counts_once_it_is_whole_and_its_instance_ends_there() {
    let (_site, _gateway, client) = responder().await;
    for tool in ["answers-then-spins", "answers-then-traps"] {
        let began = Instant::now();
        let result = client.call(tool, json!({})).await;
        assert_eq!(result["content"][0]["text"], "done", "{tool}: {result}");
        assert!(began.elapsed() < Duration::from_secs(1), "{tool}");
        assert!(result["_meta"]["toolgate/usage"]["fuel"].as_u64().unwrap() < 400_000_000, "{result}");
    }
}

#[tokio::test]
async fn to_be_asked_over_http_grants_it_nothing() {
    let (_site, _gateway, client) = responder().await;
    let fetched = client.call("fetches", json!({})).await;
    let text = fetched["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("HttpRequestDenied"), "{fetched}");
    let seen = client.call("request", json!({})).await;
    assert_eq!(seen["structuredContent"]["variables"], 0);
}

#[tokio::test]
async fn one_that_does_not_say_what_it_offers_is_unavailable_and_says_why() {
    for (list, why) in [
        (
            "no-mcp",
            "server/discover: the tool trapped: the component's response makes no sense: its status is 404",
        ),
        ("refuses", "server/discover: the server refused with error -32000: \u{fffd}[2Jnot today"),
        ("other-revision", "it speaks revisions \"2025-11-25\" of MCP, and not 2026-07-28"),
        (
            "silent",
            "server/discover: the tool trapped: the component's response makes no sense: there is none",
        ),
        ("traps", "tools/list: the tool trapped"),
        ("spins", "tools/list: out of fuel"),
        ("huge", "tools/list: the result is larger than the limit of 4194304 bytes"),
        ("no-list", "its answer to tools/list makes no sense: missing field `tools`"),
        ("asks", "its answer to tools/list makes no sense: missing field `tools`"),
        ("endless", "its answers to tools/list have more than 1000 pages"),
    ] {
        let site = site(list, "fuel = 500_000_000\n");
        let checked = run(&site, &["check", "--config", site.config().to_str().unwrap()]);
        let text = String::from_utf8_lossy(&checked.stdout).into_owned();
        let expected = format!("the component does not say what it offers: {why}");
        assert!(!checked.status.success() && text.contains(&expected), "{list}: {text}");
    }
    let site = site("no-templates", "");
    let checked = run(&site, &["check", "--config", site.config().to_str().unwrap()]);
    assert!(checked.status.success(), "{checked:?}");
}
