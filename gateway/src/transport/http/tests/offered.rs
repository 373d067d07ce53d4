//! Prompts and resources of servers that speak MCP.

use super::*;
use crate::auth::{ApiKey, Callers, Key, Servers};

async fn start_offering(callers: Callers) -> Served {
    let one = Fake::of_mcp("say", "odd://a", "odd://t/{id}");
    let two = Fake::of_mcp("say", "odd://b", "odd://t/{id}");
    let entries = vec![fake::entry("one", Arc::clone(&one) as _), fake::entry("two", two as _)];
    let settings = GatewaySettings { servers_of_mcp: true, ..GatewaySettings::default() };
    let gateway = Gateway::new(fake::catalog(entries), settings);
    start_gateway(Arc::new(gateway), one, HttpSettings { callers, ..HttpSettings::default() }).await
}

/// A request whose header names what its body names.
fn named(method: &str, params: Value) -> Ask {
    let name = params["uri"].as_str().unwrap_or_default().to_owned();
    let ask = stateless(1, method, params);
    if name.is_empty() { ask } else { ask.header("mcp-name", &name) }
}

#[tokio::test]
async fn lists_are_passed_on_with_prefixed_names_of_prompts() {
    let served = start_offering(Callers::Anyone).await;
    for (method, member, at_all, at_one) in [
        (
            "prompts/list",
            "prompts",
            r#"[{"name":"one__say","x":1.50},{"name":"two__say","x":1.50}]"#,
            r#"[{"name":"say","x":1.50}]"#,
        ),
        (
            "resources/list",
            "resources",
            r#"[{"name":"r","uri":"odd://a","x":1.50},{"name":"r","uri":"odd://b","x":1.50}]"#,
            r#"[{"name":"r","uri":"odd://b","x":1.50}]"#,
        ),
        (
            "resources/templates/list",
            "resourceTemplates",
            r#"[{"name":"t","uriTemplate":"odd://t/{id}","x":1.50},{"name":"t","uriTemplate":"odd://t/{id}","x":1.50}]"#,
            r#"[{"name":"t","uriTemplate":"odd://t/{id}","x":1.50}]"#,
        ),
    ] {
        for (path, expected) in [("/mcp", at_all), ("/mcp/two", at_one)] {
            let answer = named(method, json!({})).at(path).send(&served).await;
            assert!(answer.body.contains(&format!("\"{member}\":{expected}")), "{path} {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_prompt_is_passed_on_as_its_server_wrote_it() {
    let served = start_offering(Callers::Anyone).await;
    let ask = named("prompts/get", json!({ "name": "one__say", "arguments": { "a": "b" } }));
    let answer = ask.send(&served).await;
    assert!(answer.body.contains(r#""messages":[],"y":2.50,"of":[0,{"a":"b"}]"#), "{answer:?}");
    assert_eq!(answer.json()["result"]["resultType"], "complete");
    for (name, arguments) in [("say", json!({})), ("three__say", json!({})), ("one__say", json!([1]))] {
        let ask = named("prompts/get", json!({ "name": name, "arguments": arguments }));
        assert_eq!(ask.send(&served).await.code(), -32602, "{name} {arguments}");
    }
    assert_eq!(served.fake.begun.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_resource_is_read_from_the_server_that_has_it() {
    let served = start_offering(Callers::Anyone).await;
    let read = |uri: &str| named("resources/read", json!({ "uri": uri }));
    for uri in ["odd://a", "odd://b", "odd://t/7"] {
        let answer = read(uri).send(&served).await.json();
        assert_eq!(answer["result"]["contents"][0]["uri"], uri, "{answer}");
        assert_eq!(
            (&answer["result"]["ttlMs"], &answer["result"]["cacheScope"]),
            (&json!(0), &json!("private"))
        );
    }
    assert_eq!(
        served.fake.begun.load(Ordering::SeqCst),
        2,
        "the template is that of both, and the first is asked"
    );
    assert_eq!(read("odd://elsewhere").send(&served).await.code(), -32602);
    let refused = read("odd://t/none").send(&served).await;
    assert_eq!((refused.status, refused.code()), (200, -32002), "in the server's own words: {refused:?}");
    assert_eq!(refused.json()["error"]["message"], "nothing there");
    let mismatch = read("odd://a").header("mcp-name", "odd://b").send(&served).await;
    assert_eq!(mismatch.code(), -32020);
}

fn completion(reference: Value) -> Ask {
    let context = json!({ "arguments": { "a": "b" } });
    let argument = json!({ "name": "city", "value": "U", "x": 1.50 });
    stateless(1, "completion/complete", json!({ "ref": reference, "argument": argument, "context": context }))
}

#[tokio::test]
async fn an_argument_is_completed_by_the_server_whose_prompt_or_template_it_is_of() {
    let served = start_offering(Callers::Anyone).await;
    let asked = r#"{"argument":{"name":"city","value":"U","x":1.5},"context":{"arguments":{"a":"b"}}}"#;
    for (path, reference, of) in [
        ("/mcp", json!({ "type": "ref/prompt", "name": "one__say", "title": "t" }), "Prompt(0)"),
        ("/mcp/one", json!({ "type": "ref/prompt", "name": "say" }), "Prompt(0)"),
        ("/mcp", json!({ "type": "ref/resource", "uri": "odd://t/{id}" }), "Template(0)"),
    ] {
        let answer = completion(reference).at(path).send(&served).await;
        assert!(answer.body.contains(&format!(r#""of":["{of}",{asked}]"#)), "{answer:?}");
        let result = &answer.json()["result"];
        assert_eq!(
            (&result["completion"]["values"], &result["resultType"]),
            (&json!(["Ulm"]), &json!("complete"))
        );
    }
    assert_eq!(served.fake.begun.load(Ordering::SeqCst), 3);
    for wrong in [
        json!({ "type": "ref/prompt", "name": "say" }),
        json!({ "type": "ref/prompt", "uri": "one__say" }),
        json!({ "type": "ref/resource", "uri": "odd://t/7" }),
        json!({ "type": "ref/tool", "name": "one__say" }),
        json!({ "name": "one__say" }),
        json!("one__say"),
        Value::Null,
    ] {
        let answer = completion(wrong.clone()).send(&served).await;
        assert_eq!(answer.code(), -32602, "{wrong}: {answer:?}");
    }
}

#[tokio::test]
async fn a_key_shows_and_reads_what_its_servers_offer_and_no_more() {
    let key = ApiKey::generate().unwrap();
    let (hash, servers) = (key.hash(), Servers::only(["two"]));
    let keys = [Key { name: "ann".to_owned(), hash, owner: "ann".to_owned(), servers }];
    let served = start_offering(Callers::of(&keys)).await;
    let with = |ask: Ask| ask.header("authorization", &format!("Bearer {}", key.expose()));
    let listed = with(named("resources/list", json!({}))).send(&served).await;
    assert!(listed.body.contains("odd://b") && !listed.body.contains("odd://a"), "{listed:?}");
    let read = |uri: &str| with(named("resources/read", json!({ "uri": uri })));
    assert_eq!(read("odd://a").send(&served).await.code(), -32602);
    assert!(read("odd://t/7").send(&served).await.json()["result"].is_object(), "of the server that is open");
    let prompt = with(named("prompts/get", json!({ "name": "one__say" }))).send(&served).await;
    assert_eq!(prompt.json()["error"]["message"], "unknown prompt: one__say");
    let of = |name: &str| with(completion(json!({ "type": "ref/prompt", "name": name })));
    assert_eq!(of("one__say").send(&served).await.code(), -32602);
    assert!(of("two__say").send(&served).await.json()["result"].is_object());
    assert_eq!(served.fake.begun.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn without_such_servers_there_are_no_such_methods() {
    let served = start().await;
    for method in ["prompts/list", "resources/list", "resources/templates/list", "completion/complete"] {
        assert_eq!(named(method, json!({})).send(&served).await.code(), -32601, "{method}");
    }
    let discovered = stateless(1, "server/discover", json!({})).send(&served).await.json();
    assert_eq!(discovered["result"]["capabilities"], json!({ "tools": { "listChanged": true } }));
}
