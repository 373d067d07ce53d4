#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::peer::Listening;

use super::{ClientError, List, initialize, list};
use crate::notice::Notices;
use crate::peer::request::{completion, trace};
use crate::peer::{Besides, Conversation, Reference, Wanted};
use crate::peer::{Listener, Notification, Session};

struct Deaf;

impl Listener for Deaf {
    fn notified(&self, _: &Notification) {}
    fn noise(&self, _: &[u8]) {}
}

/// A server that answers each request with the JSON text of `result`, if that gives any.
fn server(result: impl Fn(&str, &Value) -> Option<String> + Send + 'static) -> Session {
    let (session, mut lines) = Session::new(1 << 20, Arc::new(Deaf));
    let own = session.clone();
    tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            let asked: Value = serde_json::from_slice(&line).unwrap();
            if let Some(result) = result(asked["method"].as_str().unwrap(), &asked["params"]) {
                own.feed(format!("{{\"id\":{},\"result\":{result}}}\n", asked["id"]).as_bytes());
            }
        }
    });
    session
}

async fn tools(session: &Session) -> Result<Vec<super::Offered>, ClientError> {
    list(session, List::Tools, &Besides::default()).await
}

fn always(result: &'static str) -> Session {
    server(move |_, _| Some(result.to_owned()))
}

#[tokio::test]
async fn the_newest_revision_is_offered_and_an_older_one_taken() {
    let session = server(|method, params| {
        (method == "initialize").then(|| {
            assert_eq!(params["protocolVersion"], "2025-11-25");
            r#"{"protocolVersion":"2025-03-26","capabilities":{"tools":{"listChanged":true}}}"#.to_owned()
        })
    });
    let greeting = initialize(&session).await.unwrap();
    assert_eq!((greeting.revision.as_str(), greeting.tools), ("2025-03-26", true));
}

#[tokio::test]
async fn a_revision_that_nobody_knows_is_refused_with_its_name() {
    let session = always(r#"{"protocolVersion":"1999-01-01","capabilities":{}}"#);
    let error = initialize(&session).await.unwrap_err();
    let expected = "it speaks revision \"1999-01-01\" of MCP, which is none of \
                    2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn answers_that_make_no_sense_are_told() {
    for answer in ["1", "{}", r#"{"protocolVersion":7}"#] {
        let error = initialize(&always(answer)).await.unwrap_err();
        assert!(error.to_string().starts_with("its answer to initialize makes no sense: "), "{error}");
    }
    for answer in
        ["[]", "{}", r#"{"tools":{}}"#, r#"{"tools":[{}]}"#, r#"{"tools":[{"name":"a","name":"b"}]}"#]
    {
        let error = tools(&always(answer)).await.unwrap_err();
        assert!(error.to_string().starts_with("its answer to tools/list makes no sense: "), "{error}");
    }
}

#[tokio::test]
async fn every_page_is_asked_for_and_tools_stay_as_they_are() {
    const TOOL: &str = r#"{"x-unknown": 1.50,  "name":"one" , "inputSchema":{"type":"object"}}"#;
    let session = server(|_, params| {
        Some(match params["cursor"].as_str() {
            None => format!(r#"{{"tools":[{TOOL}],"nextCursor":"say \"more\""}}"#),
            Some("say \"more\"") => r#"{"tools":[{"name":"two"}]}"#.to_owned(),
            Some(other) => panic!("{other}"),
        })
    });
    let tools = tools(&session).await.unwrap();
    assert_eq!(tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(tools[0].json.get(), TOOL);
}

#[tokio::test]
async fn a_list_without_end_is_given_up() {
    let error = tools(&always(r#"{"tools":[],"nextCursor":"again"}"#)).await.unwrap_err();
    assert_eq!(error.to_string(), "its answers to tools/list have more than 1000 pages");
    let session = server(|_, _| {
        let tools = vec![r#"{"name":"x"}"#; 9_000].join(",");
        Some(format!(r#"{{"tools":[{tools}],"nextCursor":"again"}}"#))
    });
    let error = tools(&session).await.unwrap_err();
    assert_eq!(error.to_string(), "its answers to tools/list have more than 10000 entries");
}

#[tokio::test]
async fn arguments_go_and_results_come_as_they_are_written() {
    let session = server(|method, params| {
        assert_eq!((method, &params["name"]), ("tools/call", &json!("a \"tool\"")));
        Some(format!(r#"{{"content":[], "big":18446744073709551616.10, "echo":{}}}"#, params["arguments"]))
    });
    let arguments = RawValue::from_string("{\"a\":\n[1,  2]}".to_owned()).unwrap();
    let request = Wanted::Tool("a \"tool\"".to_owned()).request(&arguments, Besides::default());
    let result = session.ask(request, Listening::default()).await.unwrap();
    assert_eq!(result.get(), r#"{"content":[], "big":18446744073709551616.10, "echo":{"a":[1,2]}}"#);
}

#[tokio::test]
async fn a_server_learns_the_trace_and_nothing_else_of_the_metadata() {
    let session = server(|_, params| Some(format!("{{\"given\":{}}}", params["_meta"])));
    let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
    let given = async |meta: &str, progress: bool| {
        let notices = progress.then(|| Notices::wanted(true, None).0);
        let besides = Besides { meta: trace(&raw(meta)), ..Besides::default() };
        let request = Wanted::Tool("a".to_owned()).request(&raw("{}"), besides);
        let result = session.ask(request, Listening { notices, questions: None }).await.unwrap();
        serde_json::from_str::<Value>(result.get()).unwrap()["given"].clone()
    };
    let meta = r#"{"traceparent":"00-1","baggage":"b","io.modelcontextprotocol/clientInfo":{},"x":1}"#;
    assert_eq!(given(meta, false).await, json!({ "traceparent": "00-1", "baggage": "b" }));
    let both = given(meta, true).await;
    assert!(both["progressToken"].is_u64() && both["traceparent"] == "00-1", "{both}");
    assert_eq!(given("{}", false).await, json!(null));
}

#[tokio::test]
async fn each_list_has_its_own_member_and_key() {
    let lists = [
        (List::Prompts, r#"{"prompts":[{"name":"a","x":1.50}]}"#),
        (List::Resources, r#"{"resources":[{"uri":"a","name":"b"}]}"#),
        (List::Templates, r#"{"resourceTemplates":[{"uriTemplate":"a","name":"b"}]}"#),
    ];
    for (of, answer) in lists {
        let entries = list(&always(answer), of, &Besides::default()).await.unwrap();
        assert_eq!(entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["a"], "{answer}");
        let error = list(&always(r#"{"tools":[]}"#), of, &Besides::default()).await.unwrap_err();
        assert!(error.to_string().contains("missing field"), "{error}");
    }
    let nameless = always(r#"{"resources":[{"name":"b"}]}"#);
    let error = list(&nameless, List::Resources, &Besides::default()).await.unwrap_err();
    assert!(error.to_string().contains("missing field `uri`"), "{error}");
}

#[test]
fn a_completion_keeps_the_members_that_were_asked_for() {
    let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
    let asked = raw(r#"{"argument":{"name":"a","value":1.50},"context":{}}"#);
    assert_eq!(
        completion(Reference::Prompt("a\"b"), &asked),
        r#"{"ref":{"type":"ref/prompt","name":"a\"b"},"argument":{"name":"a","value":1.50},"context":{}}"#
    );
    let none = completion(Reference::Template("a:{b}"), &raw("{ }"));
    assert_eq!(none, r#"{"ref":{"type":"ref/resource","uri":"a:{b}"}}"#);
}
