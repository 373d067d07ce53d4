//! What an operator makes of servers as they come: other names and arguments, choices of tools, and two tools in place of
//! all.

use std::process::Output;

use e2e::client::Client;
use e2e::gateway::{Gateway, run};
use e2e::guests;
use e2e::site::Site;
use serde_json::{Value, json};

/// A component of functions and one that speaks MCP, with something overridden of each, and two profiles.
fn site(gateway: &str) -> Site {
    let (clock, everything) = (guests::tool("clock"), guests::tool("everything"));
    Site::new(&format!(
        r#"[gateway]
listen = "127.0.0.1:0"
state-dir = "state"
{gateway}
[servers.clock]
component = "file:{}"

[servers.clock.override.convert]
rename = "to-berlin"
description = "Tells what time it is in Berlin then."
annotations = {{ readOnlyHint = true }}

[servers.clock.override.convert.parameters]
time = {{ rename = "when", description = "The time" }}
to-zone = {{ value = "Europe/Berlin" }}
from-zone = {{ hide = true }}

[servers.clock.override.zones]
hide = true

[servers.clock.override.sunset]
hide = true

[servers.clock.override.difference.parameters]
begin = {{ value = "2026-01-01" }}

[servers.e]
component = "file:{}"

[servers.e.override.sum.parameters]
a = {{ rename = "left" }}
b = {{ value = 40 }}

[profiles.small]
servers = ["clock", "e"]
tools = ["clock__*", "e__sum"]
hide = ["clock__now", "clock__never"]

[profiles.found]
servers = ["e"]
tools = ["e__s*", "e__test_*"]
surface = "search"
"#,
        clock.display(),
        everything.display()
    ))
}

fn names(tools: &[Value]) -> Vec<&str> {
    tools.iter().filter_map(|tool| tool["name"].as_str()).collect()
}

fn profile(gateway: &Gateway, name: &str) -> Client {
    Client::new(&gateway.url(""), &format!("/mcp/profile/{name}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn a_function_is_called_under_other_names_and_with_fixed_arguments() {
    let site = site("");
    let gateway = Gateway::start(&site).await;
    let client = gateway.client_of("clock");
    let tools = client.list().await;
    assert_eq!(names(&tools), ["now", "to-berlin"]);
    let tool = &tools[1];
    assert_eq!(tool["description"], "Tells what time it is in Berlin then.");
    assert_eq!(tool["annotations"], json!({ "readOnlyHint": true }));
    let schema = &tool["inputSchema"];
    assert_eq!(schema["properties"]["when"]["description"], "The time");
    assert_eq!((schema["properties"].as_object().unwrap().len(), &schema["required"]), (1, &json!(["when"])));
    let told = client.call("to-berlin", json!({ "when": "2026-07-01T12:00Z" })).await;
    assert_eq!(told["structuredContent"]["time"], "2026-07-01T14:00:00+02:00[Europe/Berlin]", "{told}");
    for (arguments, why) in [
        (json!({ "when": 7 }), "invalid arguments: at /when: expected a string, got 7"),
        (json!({}), "invalid arguments: missing required arguments: \"when\""),
        (json!({ "when": "12:00", "to-zone": "UTC" }), "invalid arguments: unknown argument \"to-zone\""),
        (json!({ "when": "12:00", "from-zone": "UTC" }), "invalid arguments: unknown argument \"from-zone\""),
        (json!({ "time": "12:00" }), "invalid arguments: unknown argument \"time\""),
    ] {
        let refused = client.call("to-berlin", arguments.clone()).await;
        assert_eq!(refused["_meta"]["toolgate/error"], "arguments", "{arguments}: {refused}");
        assert!(refused["content"][0]["text"].as_str().unwrap().starts_with(why), "{arguments}: {refused}");
    }
    for hidden in ["convert", "zones", "difference"] {
        assert_eq!(client.try_call(hidden, json!({})).await["error"]["code"], -32602, "{hidden}");
    }
}

#[tokio::test]
async fn a_tool_of_a_server_that_speaks_mcp_is_overridden_alike() {
    let site = site("");
    let gateway = Gateway::start(&site).await;
    let client = gateway.client_of("e");
    let tools = client.list().await;
    let sum = tools.iter().find(|tool| tool["name"] == "sum").unwrap();
    let parameters: Vec<_> = sum["inputSchema"]["properties"].as_object().unwrap().keys().collect();
    assert_eq!(parameters, ["left"]);
    assert_eq!(sum["inputSchema"]["properties"]["left"]["description"], "The first");
    let told = client.call("sum", json!({ "left": 2 })).await;
    assert_eq!(told["structuredContent"], json!({ "sum": 42 }), "{told}");
    assert_eq!(
        client.call("sum", json!({ "left": 2, "b": 1 })).await["_meta"]["toolgate/error"],
        "arguments"
    );
}

#[tokio::test]
async fn what_is_overridden_or_chosen_in_vain_is_told_by_check_and_by_the_log() {
    let site = site("");
    let Output { stdout, .. } = run(&site, &["check"]);
    let told = text(&stdout);
    for line in [
        "sunset: [servers.clock.override.sunset] names it, and the server offers no such tool",
        "difference: it is not offered, since [servers.clock.override.difference] can't be applied: \
         the tool has no parameter `begin`",
        "profile small",
        "/mcp/profile/small",
        "`clock__never` names no tool",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    let gateway = Gateway::start(&site).await;
    gateway.logged("[servers.clock.override.sunset] names it").await;
    gateway.logged("`clock__never` in [profiles.small] names no tool").await;
}

#[tokio::test]
async fn a_profile_is_served_at_its_own_path_and_over_stdio() {
    let site = site("");
    let gateway = Gateway::start(&site).await;
    let client = profile(&gateway, "small");
    assert_eq!(names(&client.list().await), ["clock__to-berlin", "e__sum"]);
    let told = client.call("e__sum", json!({ "left": 1 })).await;
    assert_eq!(told["structuredContent"], json!({ "sum": 41 }));
    let refused = client.try_call("clock__now", json!({})).await;
    assert_eq!(refused["error"]["message"], "unknown tool: clock__now");
    assert!(gateway.client().call("clock__now", json!({})).await["isError"] == false);
    let prompts = client.request("prompts/list", None, json!({})).await;
    assert_eq!(prompts["result"]["prompts"][0]["name"], "e__test_simple_prompt");
    let listed = run(&site, &["list", "--profile", "small"]);
    let listed = text(&listed.stdout);
    assert!(listed.contains("e__sum") && !listed.contains("clock__now"), "{listed}");
    let wrong = run(&site, &["stdio", "--profile", "smal"]);
    let error = text(&wrong.stderr);
    assert!(
        error.contains("the config has no profile \"smal\"") && error.contains("did you mean `small`?"),
        "{error}"
    );
    assert_eq!(names(&over_stdio(&site, "small")), ["clock__to-berlin", "e__sum"]);
}

/// What a client over stdio lists of a profile.
fn over_stdio(site: &Site, profile: &str) -> Vec<Value> {
    use std::io::Write as _;
    let mut stdio = e2e::gateway::command(site)
        .args(["stdio", "--profile", profile])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "e2e", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": meta } });
    // The end of its input is the end of the process, once all is answered.
    writeln!(stdio.stdin.take().unwrap(), "{list}").unwrap();
    let output = stdio.wait_with_output().unwrap();
    let reply: Value = serde_json::from_slice(&output.stdout).unwrap();
    reply["result"]["tools"].as_array().unwrap().clone()
}

#[tokio::test]
async fn among_many_tools_a_model_finds_the_one_and_calls_it_as_itself() {
    let site = site("surface = \"search\"\n");
    let config = std::fs::read_to_string(site.config()).unwrap();
    let many = "[servers.e.grants]\nenv = { EVERYTHING_TOOLS = \"2000\" }\n";
    site.configure(&format!("{config}{many}"));
    let gateway = Gateway::start(&site).await;
    let client = gateway.client();
    assert_eq!(names(&client.list().await), ["find_tools", "call_tool"]);
    let find = async |client: &Client, query: &str| {
        let found = client.call("find_tools", json!({ "query": query, "limit": 3 })).await;
        found["structuredContent"]["tools"].as_array().unwrap_or_else(|| panic!("{found}")).clone()
    };
    let found = find(&client, "what time is it in Berlin").await;
    assert_eq!((&found[0]["name"], found.len() <= 3), (&json!("clock__to-berlin"), true), "{found:?}");
    assert_eq!(found[0]["inputSchema"]["required"], json!(["when"]));
    let arguments = json!({ "name": "clock__to-berlin", "arguments": { "when": "2026-01-01T12:00Z" } });
    let told = client.call("call_tool", arguments).await;
    assert_eq!(told["structuredContent"]["time"], "2026-01-01T13:00:00+01:00[Europe/Berlin]", "{told}");
    assert_eq!(told["_meta"]["toolgate/usage"]["backend"], "wasm");
    let numbered = client.call("call_tool", json!({ "name": "e__number-1999" })).await;
    assert_eq!(numbered["content"][0]["text"], "1999");
    assert_eq!(client.call("e__number-7", json!({})).await["content"][0]["text"], "7");
    let small = profile(&gateway, "found");
    assert_eq!(names(&find(&small, "sum").await)[..1], ["e__sum"]);
    assert_eq!(names(&find(&small, "berlin").await), Vec::<&str>::new());
    let log = gateway.logged("find_tools").await;
    let record = |tool: &str| {
        log.lines().find(|line| {
            line.contains("\"outcome\":\"ok\"") && line.contains(&format!("\"tool\":\"{tool}\""))
        })
    };
    let called = record("to-berlin").unwrap_or_else(|| panic!("{log}"));
    assert!(called.contains("\"server\":\"clock\"") && called.contains("\"fuel\""), "{called}");
    assert!(record("find_tools").is_some() && record("call_tool").is_none(), "{log}");
}
