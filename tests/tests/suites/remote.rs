//! Servers elsewhere: one of the official SDK behind the gateway and by itself, one that comes and goes, and one that is
//! the gateway again.

use std::time::Duration;

use e2e::client::Client;
use e2e::gateway::Gateway;
use e2e::guests;
use e2e::official::{Official, Speaks};
use e2e::site::Site;
use serde_json::{Value, json};

use super::keys::make_key;

fn fixtures() -> Value {
    json!({
        "tools/list": { "tools": [
            {
                "name": "echo",
                "title": "Echo",
                "description": "Says what it is told.",
                "inputSchema": {
                    "type": "object",
                    "properties": { "z": { "type": "integer", "maximum": u64::MAX }, "a": { "$ref": "#/$defs/a" } },
                    "$defs": { "a": { "type": "string", "format": "uri" } },
                    "additionalProperties": true,
                },
                "annotations": { "readOnlyHint": true },
                "_meta": { "example.com/x": [1, 2.5] },
            },
            { "name": "rich", "inputSchema": { "type": "object" }, "outputSchema": { "type": "object" } },
            { "name": "fails", "inputSchema": { "type": "object" } },
        ] },
        "tools/call rich": {
            "content": [
                { "type": "text", "text": "ü\n\u{1f600}", "annotations": { "priority": 0.5 } },
                { "type": "image", "data": "aGk=", "mimeType": "image/png" },
                { "type": "audio", "data": "aGk=", "mimeType": "audio/wav" },
                { "type": "resource_link", "uri": "a:b", "name": "b" },
                { "type": "resource", "resource": { "uri": "a:c", "text": "c", "mimeType": "text/plain" } },
            ],
            "structuredContent": { "big": u64::MAX, "small": -1.5e-7, "nested": { "b": null, "a": [true] } },
            "_meta": { "example.com/trace": "x" },
        },
        "tools/call fails": { "content": [{ "type": "text", "text": "no" }], "isError": true },
        "prompts/list": { "prompts": [
            { "name": "greet", "arguments": [{ "name": "who", "required": true }] },
        ] },
        "prompts/get greet": {
            "description": "A greeting.",
            "messages": [{ "role": "user", "content": { "type": "text", "text": "Hello" } }],
        },
        "resources/list": { "resources": [{ "uri": "a:b", "name": "b", "size": 3, "mimeType": "text/plain" }] },
        "resources/templates/list": { "resourceTemplates": [{ "uriTemplate": "a:{id}", "name": "any" }] },
        "resources/read a:b": { "contents": [{ "uri": "a:b", "text": "bbb", "mimeType": "text/plain" }] },
        "resources/read a:7": { "contents": [{ "uri": "a:7", "blob": "aGk=" }] },
        "completion/complete": { "completion": { "values": ["you", "yonder"], "total": 2, "hasMore": false } },
    })
}

/// What is asked of both: method, name, parameters.
fn transcript() -> Vec<(&'static str, Option<&'static str>, Value)> {
    let call = |name: &'static str, arguments: Value| {
        ("tools/call", Some(name), json!({ "name": name, "arguments": arguments }))
    };
    let read = |uri: &'static str| ("resources/read", Some(uri), json!({ "uri": uri }));
    vec![
        ("tools/list", None, json!({})),
        call("echo", json!({ "z": u64::MAX, "a": "x:y", "more": { "b": [], "a": 1.25e-3 } })),
        call("rich", json!({})),
        call("fails", json!({})),
        ("prompts/list", None, json!({})),
        ("prompts/get", Some("greet"), json!({ "name": "greet", "arguments": { "who": "you" } })),
        ("resources/list", None, json!({})),
        ("resources/templates/list", None, json!({})),
        read("a:b"),
        read("a:7"),
        (
            "completion/complete",
            None,
            json!({
                "ref": { "type": "ref/prompt", "name": "greet" },
                "argument": { "name": "who", "value": "yo" },
            }),
        ),
    ]
}

/// A reply without what the docs say is the gateway's own: what a call used, who answers, how long a list holds.
fn without_splices(mut reply: Value) -> Value {
    let Some(result) = reply["result"].as_object_mut() else { return reply };
    for own in ["resultType", "ttlMs", "cacheScope"] {
        result.remove(own);
    }
    if let Some(meta) = result.get_mut("_meta").and_then(Value::as_object_mut) {
        meta.retain(|name, _| !name.starts_with("toolgate/") && name != "io.modelcontextprotocol/serverInfo");
        if meta.is_empty() {
            result.remove("_meta");
        }
    }
    reply
}

fn site(url: &str) -> Site {
    Site::new(&format!("[servers.far]\nurl = \"{url}\"\n[servers.far.limits]\ndeadline = \"5s\"\n"))
}

/// What both answer to the transcript.
async fn compare(speaks: Speaks) {
    let official = Official::start(&fixtures(), Speaks::All, 0).await;
    let behind = Official::start(&fixtures(), speaks, 0).await;
    let gateway = Gateway::start(&site(&behind.url())).await;
    let direct = Client::new(&official.url(), "");
    for (method, name, params) in transcript() {
        let expected = without_splices(direct.request(method, name, params.clone()).await);
        assert!(expected["result"].is_object(), "{method} {name:?}: {expected}");
        let through = without_splices(gateway.client_of("far").request(method, name, params).await);
        assert_eq!(through, expected, "{method} {name:?}");
    }
}

#[tokio::test]
async fn a_server_of_the_official_sdk_answers_the_same_behind_the_gateway_as_by_itself() {
    compare(Speaks::All).await;
}

#[tokio::test]
async fn one_that_has_sessions_alone_does_so_too() {
    compare(Speaks::Sessions).await;
}

#[tokio::test]
async fn a_session_that_the_server_ended_is_begun_again_once() {
    let server = Official::start(&fixtures(), Speaks::Sessions, 0).await;
    let gateway = Gateway::start(&site(&server.url())).await;
    let client = gateway.client_of("far");
    assert_eq!(client.call("echo", json!({ "a": "b" })).await["structuredContent"], json!({ "a": "b" }));
    // Another, which knows of no session, at the same place.
    let port = server.stop().await;
    let _server = Official::start(&fixtures(), Speaks::Sessions, port).await;
    assert_eq!(client.call("echo", json!({ "a": "c" })).await["structuredContent"], json!({ "a": "c" }));
}

#[tokio::test]
async fn a_server_that_fails_again_and_again_is_unavailable_until_it_is_back() {
    let server = Official::start(&fixtures(), Speaks::All, 0).await;
    let gateway = Gateway::start(&site(&server.url())).await;
    let client = gateway.client_of("far");
    client.call("echo", json!({})).await;
    let port = server.stop().await;
    for _ in 0..5 {
        let reply = client.try_call("echo", json!({})).await;
        let told = reply["result"]["content"][0]["text"].as_str().or(reply["error"]["message"].as_str());
        assert!(told.is_some_and(|told| told.contains("unavailable")), "{reply}");
    }
    let log = gateway.logged("it failed 5 times in a row").await;
    assert!(log.contains("Connection refused"), "{log}");
    let _server = Official::start(&fixtures(), Speaks::All, port).await;
    let back = async {
        while client.try_call("echo", json!({})).await["result"]["isError"] != json!(null) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), back).await.unwrap();
}

#[tokio::test]
async fn a_secret_goes_along_and_is_not_shown() {
    let hello = guests::guest("hello");
    let far = Site::new(&format!("[servers.hello]\ncomponent = \"file:{}\"\n", hello.display()));
    let key = make_key(&far, "elsewhere", "*");
    let server = Gateway::start(&far).await;
    let url = server.url("/mcp/hello");
    let secret = format!(
        "[servers.far]\nurl = \"{url}\"\n[servers.far.grants]\nsecrets = [{{ from = \"env:TOKEN\", header = \
         \"authorization\", value = \"Bearer {{}}\", to = \"{}\" }}]\n",
        url.trim_end_matches("/mcp/hello")
    );
    let near = Site::new(&secret);
    let gateway = Gateway::start_with(&near, &[("TOKEN", &key)]).await;
    let tools = gateway.client_of("far").list().await;
    assert_eq!(tools.len(), server.client_of("hello").with_key(&key).list().await.len());
    assert!(!tools.is_empty() && !gateway.log().contains(&key));
    // Without it the server does not answer, and why is told.
    let refused = Gateway::start(&site(&url)).await;
    refused.logged("401").await;
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_needs_that_address_named() {
    let server = Official::start(&fixtures(), Speaks::All, 0).await;
    let url = format!("http://localhost:{}/mcp", server.port());
    let gateway = Gateway::start(&site(&url)).await;
    gateway.logged("which is neither public nor named").await;
    gateway.logged("name the address").await;
    let gateway = Gateway::start(&site(&format!("{url} @127.0.0.1,::1"))).await;
    assert_eq!(gateway.client_of("far").list().await.len(), 3);
}

#[tokio::test]
async fn a_result_that_is_too_long_is_not_passed_on() {
    let mut fixtures = fixtures();
    fixtures["tools/call rich"] = json!({ "content": [{ "type": "text", "text": "x".repeat(300_000) }] });
    for speaks in [Speaks::All, Speaks::Sessions] {
        let server = Official::start(&fixtures, speaks, 0).await;
        let site = site(&server.url());
        let config = std::fs::read_to_string(site.config()).unwrap();
        std::fs::write(site.config(), config.replace("deadline", "output = \"64KiB\"\ndeadline")).unwrap();
        let gateway = Gateway::start(&site).await;
        let result = gateway.client_of("far").call("rich", json!({})).await;
        assert_eq!(result["_meta"]["toolgate/error"], "output", "{result}");
    }
}
