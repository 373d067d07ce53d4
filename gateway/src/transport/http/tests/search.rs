//! Endpoints that list two tools, by which the others are found and called.

use super::listening::Stream;
use super::*;
use crate::auth::{ApiKey, Callers, Key, Servers};
use crate::catalog::Surface;
use crate::fake::Does;

const NAME: &str = r#"{"name":{"method":"elicitation/create","params":{"message":"?"}}}"#;

/// `fake`, with a tool that has the name of one of ours, and `other`; both under `/mcp`, and `fake` alone.
async fn start_searched(callers: Callers) -> Served {
    let fake = Fake::new(&[
        ("echo", Does::Echo),
        ("trap", Does::Fail(|| toolgate_runtime::sandbox::CallError::Trap("t".into()))),
        ("ask", Does::Ask(NAME)),
        ("tell", Does::Tell(2, Duration::from_millis(150))),
        ("call_tool", Does::Talk),
    ]);
    let entries = vec![
        fake::entry("fake", Arc::clone(&fake) as _),
        fake::entry("other", Fake::new(&[("echo", Does::Echo)])),
        fake::entry_with("broken", ServerState::Unavailable("away".into()), Limits::default()),
    ];
    let settings = CatalogSettings {
        surface: Surface::Search,
        searched: ["fake".to_owned(), "broken".to_owned()].into(),
        ..CatalogSettings::default()
    };
    let catalog = Catalog::build(entries, &settings).unwrap();
    let settings = GatewaySettings { servers_of_mcp: true, ..GatewaySettings::default() };
    let gateway = Gateway::new(catalog, settings);
    start_gateway(Arc::new(gateway), fake, HttpSettings { callers, ..HttpSettings::default() }).await
}

fn with(tool: &str, arguments: Value) -> Ask {
    stateless(7, "tools/call", json!({ "name": tool, "arguments": arguments }))
}

fn through(tool: &str, arguments: Value) -> Ask {
    with("call_tool", json!({ "name": tool, "arguments": arguments }))
}

fn found(answer: &Answer) -> Vec<String> {
    let result = &answer.json()["result"];
    let tools = result["structuredContent"]["tools"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn tools_are_found_with_what_it_takes_to_call_them() {
    let served = start_searched(Callers::default()).await;
    let list = stateless(1, "tools/list", json!({})).send(&served).await.json();
    let names: Vec<_> =
        list["result"]["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["find_tools", "call_tool"]);
    let answer = with("find_tools", json!({ "query": "echo" })).send(&served).await;
    assert_eq!(found(&answer), ["fake__echo", "other__echo"]);
    let expected =
        r#"{"tools":[{"name":"fake__echo","description":"does \"echo\"","inputSchema":{"type":"object"}},"#;
    assert!(answer.body.contains(&format!(r#""structuredContent":{expected}"#)), "{answer:?}");
    let text = answer.json()["result"]["content"][0]["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(
        found(&with("find_tools", json!({ "query": "echo", "limit": 1 })).send(&served).await).len(),
        1
    );
    let none = with("find_tools", json!({ "query": "zeppelin" })).send(&served).await;
    assert_eq!(found(&none), Vec::<String>::new());
    assert_eq!(none.json()["result"]["content"][0]["text"], "no tool fits; try other words");
    let one = with("find_tools", json!({ "query": "echo" })).at("/mcp/fake").send(&served).await;
    assert_eq!(found(&one), ["echo"]);
}

#[tokio::test]
async fn a_call_through_call_tool_is_answered_as_the_call_itself() {
    let served = start_searched(Callers::default()).await;
    for (tool, arguments) in [
        ("fake__echo", json!({ "a": 1.5 })),
        ("fake__trap", json!({})),
        ("fake__none", json!({})),
        ("broken__x", json!({})),
    ] {
        let direct = with(tool, arguments.clone()).send(&served).await;
        let through = through(tool, arguments).send(&served).await;
        assert_eq!((through.status, through.body), (direct.status, direct.body), "{tool}");
    }
    let at_one = through("echo", json!({ "b": 2 })).at("/mcp/fake").send(&served).await;
    assert_eq!(at_one.json()["result"]["structuredContent"], json!({ "b": 2 }));
    let without = with("call_tool", json!({ "name": "fake__echo" })).send(&served).await;
    assert_eq!(without.json()["result"]["structuredContent"], json!({}));
    // A tool of a server by the name of ours.
    let named = through("call_tool", json!({})).at("/mcp/fake").send(&served).await;
    assert_eq!(named.json()["result"]["content"][0]["text"], "talked");
    let nested = through("call_tool", json!({ "name": "fake__echo" })).send(&served).await;
    assert_eq!(nested.code(), -32602, "{nested:?}");
    // Where all tools are listed, ours are not there.
    let elsewhere = with("find_tools", json!({ "query": "echo" })).at("/mcp/other").send(&served).await;
    assert_eq!(elsewhere.code(), -32602);
}

#[tokio::test]
async fn questions_and_progress_come_through_call_tool() {
    let served = start_searched(Callers::default()).await;
    let change = |ask: Ask, members: &Value, meta: &Value| {
        let mut body: Value = serde_json::from_slice(&ask.body).unwrap();
        body["params"].as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        body["params"]["_meta"].as_object_mut().unwrap().extend(meta.as_object().unwrap().clone());
        Ask { body: body.to_string().into_bytes(), ..ask }
    };
    let able = json!({ "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} } });
    let asked = change(through("fake__ask", json!({})), &json!({}), &able).send(&served).await.json();
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    let state = &asked["result"]["requestState"];
    let answers = json!({ "inputResponses": { "name": { "action": "accept" } }, "requestState": state });
    let done = change(through("fake__ask", json!({})), &answers, &able).send(&served).await.json();
    assert_eq!(
        done["result"]["content"][0]["text"], r#"{"name":{"action":"accept"}} Some("kept")"#,
        "{done}"
    );
    let other = change(through("fake__ask", json!({ "x": 1 })), &answers, &able).send(&served).await;
    assert_eq!(other.code(), -32602, "what was kept is for the arguments of the tool");
    let told = change(through("fake__tell", json!({})), &json!({}), &json!({ "progressToken": "mine" }));
    let told = told.send(&served).await;
    assert_eq!(told.body.matches(r#""progressToken":"mine""#).count(), 2, "{told:?}");
}

#[tokio::test]
async fn what_is_wrong_with_a_query_or_a_call_is_told_to_the_model() {
    let served = start_searched(Callers::default()).await;
    let long = "x".repeat(501);
    for (tool, arguments, why) in [
        ("find_tools", json!({}), "missing field `query`"),
        ("find_tools", json!({ "query": " " }), "at /query: expected 1 to 500 characters"),
        ("find_tools", json!({ "query": long }), "at /query: expected 1 to 500 characters"),
        (
            "find_tools",
            json!({ "query": "a", "limit": 0 }),
            "at /limit: expected an integer from 1 to 50, got 0",
        ),
        ("find_tools", json!({ "query": "a", "limit": 51 }), "at /limit"),
        ("find_tools", json!({ "query": "a", "limit": "5" }), "expected usize"),
        ("find_tools", json!({ "query": "a", "server": "x" }), "unknown field `server`"),
        ("call_tool", json!({}), "missing field `name`"),
        ("call_tool", json!({ "name": 7 }), "expected a string"),
        (
            "call_tool",
            json!({ "name": "fake__echo", "arguments": "{}" }),
            "at /arguments: expected an object",
        ),
        ("call_tool", json!({ "name": "fake__echo", "a": 1 }), "unknown field `a`"),
    ] {
        let answer = with(tool, arguments.clone()).send(&served).await;
        let result = &answer.json()["result"];
        assert_eq!(
            (&result["isError"], &result["_meta"]["toolgate/error"]),
            (&json!(true), &json!("arguments"))
        );
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.starts_with("invalid arguments: ") && text.contains(why), "{arguments}: {text}");
        assert!(text.len() < 300, "{text}");
    }
    let away = with("find_tools", json!({ "query": "a" })).at("/mcp/broken").send(&served).await;
    assert_eq!(away.json()["result"]["_meta"]["toolgate/error"], "unavailable", "{away:?}");
    assert_eq!(served.fake.begun.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn nobody_finds_or_calls_what_is_not_open_to_it() {
    let some = ApiKey::generate().unwrap();
    let (name, owner) = ("some".to_owned(), "some".to_owned());
    let key = Key { name, owner, hash: some.hash(), servers: Servers::only(["other"]) };
    let served = start_searched(Callers::of(&[key])).await;
    let by = |ask: Ask| ask.header("authorization", &format!("Bearer {}", some.expose()));
    let answer = by(with("find_tools", json!({ "query": "echo trap ask", "limit": 50 }))).send(&served).await;
    assert_eq!(found(&answer), ["other__echo"]);
    let refused = by(through("fake__echo", json!({}))).send(&served).await;
    let unknown = by(through("nope__echo", json!({}))).send(&served).await;
    assert_eq!((refused.code(), refused.body.replace("fake", "nope")), (-32602, unknown.body));
    assert_eq!(by(through("other__echo", json!({}))).send(&served).await.json()["result"]["isError"], false);
    assert_eq!(served.fake.begun.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn clients_of_sessions_find_and_call_too() {
    let served = start_searched(Callers::default()).await;
    let (_stream, token) = Stream::of_session(&served, "/mcp").await;
    let in_session = |method: &str, params: Value| {
        let body = request(1, method, params);
        Ask::post(&body).header("mcp-session-id", &token)
    };
    let arguments = json!({ "name": "find_tools", "arguments": { "query": "echo" } });
    let answer = in_session("tools/call", arguments).send(&served).await;
    assert_eq!(found(&answer), ["fake__echo", "other__echo"]);
    let called =
        json!({ "name": "call_tool", "arguments": { "name": "other__echo", "arguments": { "c": 3 } } });
    let called = in_session("tools/call", called).send(&served).await;
    assert_eq!(called.json()["result"]["structuredContent"], json!({ "c": 3 }));
}
