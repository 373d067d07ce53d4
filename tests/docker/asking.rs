//! Containers that ask their client in the middle of a call: clients of both eras answer, as the official SDK does.

use std::time::Duration;

use e2e::engine::ODD;
use rmcp::model::{
    CallToolRequestParams, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction,
    ProtocolVersion,
};
use rmcp::service::RequestContext;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, ErrorData, RoleClient};
use serde_json::{Value, json};

use super::support::{Docked, READY, text};

/// A client whose user says yes to everything, and their name.
#[derive(Clone)]
struct Agrees;

impl ClientHandler for Agrees {
    fn get_info(&self) -> ClientConfig {
        let mut config = ClientConfig::default();
        config.capabilities = serde_json::from_value(json!({ "elicitation": {} })).unwrap();
        config
    }

    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(json!({ "name": "Ann" })))
    }
}

async fn docked(lifetime: &str) -> Docked {
    let docked = Docked::start(&format!("[servers.odd.container]\nlifetime = \"{lifetime}\"")).await;
    docked.gateway.logged_within(Duration::from_secs(30), READY).await;
    docked
}

fn form() -> Value {
    let name =
        json!({ "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] });
    json!({ "method": "elicitation/create", "params": { "message": "Who?", "requestedSchema": name } })
}

async fn asks(docked: &Docked, lifecycle: ClientLifecycleMode) -> Value {
    let transport = StreamableHttpClientTransport::from_uri(docked.gateway.url("/mcp/odd"));
    let client = Agrees.serve_with_lifecycle(transport, lifecycle).await.unwrap();
    let arguments = json!({ "requests": [form()] }).as_object().unwrap().clone();
    let result = client.call_tool(CallToolRequestParams::new("ask").with_arguments(arguments)).await;
    client.cancel().await.unwrap();
    serde_json::to_value(result.unwrap()).unwrap()
}

#[tokio::test]
async fn a_client_with_a_session_is_asked_on_its_stream() {
    for lifetime in ["call", "session", "warm"] {
        let result = asks(&docked(lifetime).await, ClientLifecycleMode::Initialize).await;
        assert!(text(&result).contains(r#""content":{"name":"Ann"}"#), "{lifetime}: {result}");
    }
}

#[tokio::test]
async fn a_client_without_one_answers_with_its_next_request_and_the_call_goes_on() {
    let modern = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    let result = asks(&docked("call").await, modern).await;
    assert!(text(&result).contains(r#""content":{"name":"Ann"}"#), "{result}");
}

/// A call of `ask`, of a client that can do that.
async fn round(docked: &Docked, requests: &Value, capabilities: &Value, more: &Value) -> Value {
    let mut params = json!({ "name": "ask", "arguments": { "requests": requests } });
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    docked.gateway.client_of("odd").able(capabilities).request("tools/call", Some("ask"), params).await
}

#[tokio::test]
async fn what_it_asks_arrives_as_it_is_and_a_held_call_goes_on_once() {
    let docked = docked("warm").await;
    let odd = json!([{ "method": "elicitation/create", "params": { "message": "?", "x": 1.5 } }, form()]);
    let able = json!({ "elicitation": {} });
    let asked = round(&docked, &odd, &able, &json!({})).await["result"].clone();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    assert_eq!(asked["inputRequests"], json!({ "0": odd[0], "1": odd[1] }));
    let responses = json!({ "1": { "action": "accept", "content": { "name": "Ann" } } });
    let more = json!({ "inputResponses": responses, "requestState": asked["requestState"] });
    let done = round(&docked, &odd, &able, &more).await["result"].clone();
    let lines: Vec<Value> = text(&done).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["message"], "the client did not answer");
    assert_eq!(lines[1], responses["1"]);
    // It is over, and nobody goes on with it again.
    let again = round(&docked, &odd, &able, &more).await["result"].clone();
    assert_eq!((&again["isError"], &again["_meta"]["toolgate/error"]), (&json!(true), &json!("refused")));
    assert!(text(&again).contains("is not held here"), "{again}");
}

#[tokio::test]
async fn what_a_client_cannot_do_is_refused_to_the_server_at_once() {
    let docked = docked("call").await;
    let requests =
        json!([form(), { "method": "roots/list", "params": {} }, { "method": "tools/list", "params": {} }]);
    let done = round(&docked, &requests, &json!({ "sampling": {} }), &json!({})).await["result"].clone();
    let lines: Vec<Value> = text(&done).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["message"], r#"the client lacks {"elicitation":{"form":{}}}"#);
    assert_eq!(lines[1]["message"], r#"the client lacks {"roots":{}}"#);
    assert_eq!(lines[2]["code"], -32601);
}

#[tokio::test]
async fn a_server_with_several_calls_under_way_cannot_say_whose_user_it_asks() {
    let docked = docked("warm").await;
    let client = docked.gateway.client_of("odd");
    let other = tokio::spawn(async move { client.call("sleep-for", json!({ "milliseconds": 3000 })).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let done = round(&docked, &json!([form()]), &json!({ "elicitation": {} }), &json!({})).await;
    let done = done["result"].clone();
    assert!(text(&done).contains("several calls are under way"), "{done}");
    other.await.unwrap();
}

#[tokio::test]
async fn a_client_that_goes_away_while_it_is_asked_and_stays_away_ends_its_call() {
    let gateway = "[gateway]\nlisten = \"127.0.0.1:0\"\nstate-dir = \"state\"\nresume-window = \"1s\"";
    let server = format!("[servers.odd]\nimage = \"{ODD}\"\n[servers.odd.container]\nlifetime = \"call\"");
    let docked = Docked::of(&format!("{gateway}\n{server}")).await;
    docked.gateway.logged_within(Duration::from_secs(30), READY).await;
    let client = docked.gateway.client_of("odd");
    let info = json!({ "name": "e2e", "version": "1" });
    let able = json!({ "elicitation": {} });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": able, "clientInfo": info });
    let initialize = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
    let session = client.post(&[], initialize.to_string()).await.headers["mcp-session-id"].clone();
    let call = json!({ "name": "ask", "arguments": { "requests": [form()] } });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call }).to_string();
    let token = session.to_str().unwrap().to_owned();
    let asking = tokio::spawn(async move { client.post(&[("mcp-session-id", &token)], call).await });
    // Its own, and the one that is kept ready.
    docked.engine.settles_at(&docked.label(), 2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    asking.abort();
    docked.engine.settles_at(&docked.label(), 1).await;
}
