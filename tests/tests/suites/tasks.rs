//! Calls that go on as tasks, by what they answer: over HTTP, with the fixtures of the conformance suite and with a plain
//! function that its operator made one of.

use std::time::Duration;

use e2e::client::Client;
use e2e::gateway::Gateway;
use e2e::guests;
use e2e::site::Site;
use serde_json::{Value, json};

use super::keys::make_key;

fn site() -> Site {
    Site::new(&format!(
        "[servers.e]\ncomponent = \"file:{}\"\n[servers.e.limits]\ndeadline = \"5s\"\n\
         [servers.hello]\ncomponent = \"file:{}\"\n[servers.hello.override.greet]\ntask = \"optional\"\n",
        guests::tool("everything").display(),
        guests::guest("hello").display()
    ))
}

fn able() -> Value {
    json!({ "elicitation": {}, "extensions": { "io.modelcontextprotocol/tasks": {} } })
}

async fn ask(client: &Client, method: &str, task: &Value, more: Value) -> Value {
    let mut params = more;
    params["taskId"] = task.clone();
    client.request(method, task.as_str(), params).await
}

/// What comes of a task in the end.
async fn end(client: &Client, task: &Value) -> Value {
    let ended = async {
        loop {
            let told = ask(client, "tasks/get", task, json!({})).await["result"].clone();
            if !["working", "input_required"].contains(&told["status"].as_str().unwrap()) {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended).await.unwrap()
}

#[tokio::test]
async fn a_task_ends_with_what_its_call_would_have_answered() {
    let gateway = Gateway::start(&site()).await;
    let (plain, client) = (gateway.client_of("hello"), gateway.client_of("hello").able(&able()));
    let arguments = json!({ "name": "you" });
    let direct = plain.call("greet", arguments.clone()).await;
    let begun = client.call("greet", arguments).await;
    assert_eq!((&begun["resultType"], begun.get("content")), (&json!("task"), None), "{begun}");
    let told = end(&client, &begun["taskId"]).await;
    assert_eq!(told["status"], "completed");
    assert_eq!(told["result"]["content"], direct["content"]);
    assert_eq!(told["result"]["structuredContent"], direct["structuredContent"]);
    let listed = &plain.list().await[0];
    assert_eq!(listed["execution"], json!({ "taskSupport": "optional" }));
}

#[tokio::test]
async fn a_task_that_takes_too_long_or_is_cancelled_says_so_and_its_call_is_recorded() {
    let gateway = Gateway::start(&site()).await;
    let client = gateway.client_of("e").able(&able());
    let begin = async |seconds: u64| {
        client.call("slow_compute", json!({ "seconds": seconds })).await["taskId"].clone()
    };
    let late = begin(30).await;
    let cancelled = begin(31).await;
    let ack = ask(&client, "tasks/cancel", &cancelled, json!({})).await;
    assert_eq!(ack["result"]["resultType"], "complete", "{ack}");
    assert_eq!(end(&client, &cancelled).await["status"], "cancelled");
    gateway.logged("cancelled").await;
    let told = end(&client, &late).await;
    assert_eq!(told["status"], "completed", "a tool that fails is a result");
    assert_eq!(told["result"]["isError"], true);
    assert_eq!(told["result"]["_meta"]["toolgate/error"], "deadline");
}

#[tokio::test]
async fn the_client_of_a_task_may_go_away_and_come_back_with_its_answer() {
    let gateway = Gateway::start(&site()).await;
    let began = gateway.client_of("e").able(&able()).call("confirm_delete", json!({ "filename": "f" })).await;
    // Another connection, later.
    let client = gateway.client_of("e").able(&able());
    let task = &began["taskId"];
    let asked = async {
        loop {
            let told = ask(&client, "tasks/get", task, json!({})).await["result"].clone();
            if told["status"] == "input_required" {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let asked = tokio::time::timeout(Duration::from_secs(10), asked).await.unwrap();
    assert_eq!(asked["inputRequests"]["1-confirm"]["params"]["message"], "Delete f?");
    let answers =
        json!({ "inputResponses": { "1-confirm": { "action": "accept", "content": { "confirm": true } } } });
    ask(&client, "tasks/update", task, answers).await;
    let told = end(&client, task).await;
    assert_eq!(told["result"]["content"][0]["text"], "Deleted f");
}

#[tokio::test]
async fn a_task_is_of_the_caller_who_began_it() {
    let site = site();
    let (ann, ben) = (make_key(&site, "ann", "*"), make_key(&site, "ben", "*"));
    let gateway = Gateway::start(&site).await;
    let of = |key: &str| Client::new(&gateway.url(""), "/mcp/e").with_key(key).able(&able());
    let task = of(&ann).call("slow_compute", json!({ "seconds": 4 })).await["taskId"].clone();
    for method in ["tasks/get", "tasks/cancel"] {
        let refused = ask(&of(&ben), method, &task, json!({})).await;
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
    }
    assert_eq!(ask(&of(&ann), "tasks/get", &task, json!({})).await["result"]["status"], "working");
}

#[tokio::test]
async fn who_knows_nothing_of_tasks_gets_results_or_is_told() {
    let gateway = Gateway::start(&site()).await;
    let client = gateway.client_of("e");
    let result = client.call("slow_compute", json!({ "seconds": 0 })).await;
    assert_eq!((&result["resultType"], result.get("taskId")), (&json!("complete"), None), "{result}");
    let refused = client.try_call("failing_job", json!({})).await;
    assert_eq!(refused["error"]["code"], -32021, "{refused}");
    // In revisions with sessions there is no such method.
    let method = json!({ "jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": { "taskId": "1" } });
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "e2e", "version": "1" } } });
    let opened = client.post(&[], initialize.to_string()).await;
    let session = opened.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let headers = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-11-25")];
    assert_eq!(client.post(&headers, method.to_string()).await.json()["error"]["code"], -32601);
}
