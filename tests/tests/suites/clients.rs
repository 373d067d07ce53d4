//! The official Rust SDK as a client, in both eras and over both transports: what it reads is what
//! the tools said.

use e2e::gateway::{Gateway, binary};
use e2e::guests;
use e2e::site::Site;
use rmcp::model::{CallToolRequestParams, ProtocolVersion};
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ClientLifecycleMode, ClientServiceExt};
use serde_json::json;

fn site() -> Site {
    Site::new(&format!(
        "[servers.hello]\ncomponent = \"file:{}\"\n[servers.t]\ncomponent = \"file:{}\"\n",
        guests::guest("hello").display(),
        guests::guest("torture").display()
    ))
}

fn modern() -> ClientLifecycleMode {
    ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
}

fn stdio(site: &Site) -> TokioChildProcess {
    let mut command = tokio::process::Command::new(binary());
    command.arg("stdio").arg("--config").arg(site.config()).current_dir(site.dir());
    TokioChildProcess::new(command).expect("toolgate stdio starts")
}

/// Lists, calls, fails and mistypes; the same whatever the era and the transport.
async fn uses_the_tools(client: RunningService<RoleClient, ()>) {
    let tools = client.list_all_tools().await.expect("a list");
    let greet = tools.iter().find(|tool| tool.name == "hello__greet").expect("greet is listed");
    assert_eq!(greet.input_schema["required"], json!(["name"]));
    assert!(tools.len() > 60, "all pages are read: {}", tools.len());

    let answer = call(&client, "hello__greet", json!({ "name": "Ada" })).await;
    let expected = "Hello, Ada! Your name has 3 letters.";
    assert_eq!(answer["structuredContent"], json!({ "result": expected }));
    assert_eq!(answer["content"], json!([{ "type": "text", "text": expected }]));

    let answer = call(&client, "t__echo-u64", json!({ "value": u64::MAX })).await;
    assert_eq!(answer["structuredContent"], json!({ "result": u64::MAX }));
    let failed = call(&client, "t__divide", json!({ "dividend": 1, "divisor": 0 })).await;
    assert_eq!(failed["isError"], true, "{failed}");

    let unknown = client.call_tool(CallToolRequestParams::new("hello__nothing")).await;
    assert!(unknown.is_err(), "an unknown tool is a protocol error: {unknown:?}");
    client.cancel().await.expect("an orderly end");
}

async fn call(
    client: &RunningService<RoleClient, ()>,
    tool: &'static str,
    arguments: serde_json::Value,
) -> serde_json::Value {
    let arguments = arguments.as_object().expect("an object").clone();
    let result = client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await;
    serde_json::to_value(result.expect("a result")).expect("JSON")
}

#[tokio::test]
async fn a_modern_client_over_http() {
    let site = site();
    let gateway = Gateway::start(&site).await;
    let transport = StreamableHttpClientTransport::from_uri(gateway.url("/mcp"));
    uses_the_tools(().serve_with_lifecycle(transport, modern()).await.expect("a session")).await;
}

#[tokio::test]
async fn a_legacy_client_over_http() {
    let site = site();
    let gateway = Gateway::start(&site).await;
    let transport = StreamableHttpClientTransport::from_uri(gateway.url("/mcp"));
    let client = ().serve_with_lifecycle(transport, ClientLifecycleMode::Initialize).await;
    uses_the_tools(client.expect("a session")).await;
}

#[tokio::test]
async fn a_client_that_finds_out_the_era_over_http() {
    let site = site();
    let gateway = Gateway::start(&site).await;
    let transport = StreamableHttpClientTransport::from_uri(gateway.url("/mcp"));
    let auto = ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: None,
    };
    uses_the_tools(().serve_with_lifecycle(transport, auto).await.expect("a session")).await;
}

#[tokio::test]
async fn a_modern_client_over_stdio() {
    let site = site();
    uses_the_tools(().serve_with_lifecycle(stdio(&site), modern()).await.expect("a session")).await;
}

#[tokio::test]
async fn a_legacy_client_over_stdio() {
    let site = site();
    let client = ().serve_with_lifecycle(stdio(&site), ClientLifecycleMode::Initialize).await;
    uses_the_tools(client.expect("a session")).await;
}
