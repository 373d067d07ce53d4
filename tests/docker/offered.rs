//! Prompts and resources of a server that others wrote.

use e2e::client::Client;
use e2e::engine::SERVERS;
use serde_json::{Value, json};

use super::servers::EVERYTHING;
use super::support::Docked;

async fn ask(client: &Client, method: &str, name: Option<&str>, params: Value) -> Value {
    let reply = client.request(method, name, params).await;
    reply.get("result").cloned().unwrap_or_else(|| panic!("{method}: {reply}"))
}

#[tokio::test]
async fn prompts_and_resources_of_everything() {
    let config = format!(
        "[servers.odd]\nimage = \"{SERVERS}\"\n[servers.odd.container]\ncommand = [\"node\", \"{EVERYTHING}\"]\n"
    );
    let docked = Docked::of(&config).await;
    let (one, all) = (docked.client(), docked.gateway.client());

    let prompts = ask(&all, "prompts/list", None, json!({})).await;
    let prompts: Vec<_> = prompts["prompts"].as_array().unwrap().iter().map(|p| p["name"].clone()).collect();
    assert!(prompts.contains(&json!("odd__args-prompt")), "{prompts:?}");
    let arguments = json!({ "city": "Ulm", "state": "Bavaria" });
    for (client, name) in [(&one, "args-prompt"), (&all, "odd__args-prompt")] {
        let params = json!({ "name": name, "arguments": arguments });
        let prompt = ask(client, "prompts/get", Some(name), params).await;
        assert!(prompt["messages"].to_string().contains("Ulm"), "{prompt}");
        assert_eq!(prompt["resultType"], "complete");
    }
    let lacking = one.request("prompts/get", Some("args-prompt"), json!({ "name": "args-prompt" })).await;
    assert!(lacking["error"]["code"].is_i64(), "the server's own error: {lacking}");

    let resources = ask(&all, "resources/list", None, json!({})).await;
    let uri = resources["resources"][0]["uri"].as_str().unwrap().to_owned();
    let read = ask(&all, "resources/read", Some(&uri), json!({ "uri": uri })).await;
    assert_eq!(read["contents"][0]["uri"], uri, "{read}");
    assert_eq!((&read["ttlMs"], &read["cacheScope"]), (&json!(0), &json!("private")), "{read}");
    let templates = ask(&one, "resources/templates/list", None, json!({})).await;
    let template = templates["resourceTemplates"][0]["uriTemplate"].as_str().unwrap();
    let (before, _) = template.split_once('{').unwrap();
    let dynamic = format!("{before}1");
    for client in [&one, &all] {
        let read = ask(client, "resources/read", Some(&dynamic), json!({ "uri": dynamic })).await;
        assert_eq!(read["contents"][0]["uri"], dynamic, "{read}");
    }
    for (client, prompt) in [(&one, "completable-prompt"), (&all, "odd__completable-prompt")] {
        let reference = json!({ "type": "ref/prompt", "name": prompt });
        let of = json!({ "ref": reference, "argument": { "name": "department", "value": "Eng" } });
        let completed = ask(client, "completion/complete", None, of).await;
        assert_eq!(completed["completion"]["values"], json!(["Engineering"]), "{completed}");
    }
    let reference = json!({ "type": "ref/prompt", "name": "odd__completable-prompt" });
    let given = json!({ "arguments": { "department": "Sales" } });
    let of = json!({ "ref": reference, "argument": { "name": "name", "value": "" }, "context": given });
    let completed = ask(&all, "completion/complete", None, of).await;
    let names = completed["completion"]["values"].to_string();
    assert!(names.contains("David"), "what else is given counts: {completed}");
    let of = json!({ "ref": { "type": "ref/resource", "uri": template }, "argument": { "name": "resourceId", "value": "7" } });
    let completed = ask(&all, "completion/complete", None, of).await;
    assert_eq!(completed["completion"]["values"], json!(["7"]), "{completed}");
    let records = docked.gateway.logged("\"method\":\"resources/read\"").await;
    assert!(records.contains("\"method\":\"prompts/get\""), "{records}");
    assert!(records.contains("\"method\":\"completion/complete\""), "{records}");
}
