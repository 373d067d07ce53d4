//! Servers that ask their client: by a result without a session, on the stream of the request with one.

use super::listening::Stream;
use super::*;
use crate::auth::{ApiKey, Callers, Key, Servers};
use crate::fake::Does;

const NAME: &str = r#"{"name":{"method":"elicitation/create","params":{"message":"?","x":1.50}}}"#;
const TWO: &str = r#"{"name":{"method":"elicitation/create","params":{}},"roots":{"method":"roots/list"}}"#;
const ENDLESS: &str = r#"{"endless":{"method":"roots/list"}}"#;
const ODD: &str = r#"{"name":{"method":"tools/call","params":{}}}"#;

async fn start_asking(settings: HttpSettings) -> Served {
    let tools = [("ask", NAME), ("two", TWO), ("endless", ENDLESS), ("odd", ODD)];
    let (gateway, fake) = fake::gateway_of(&tools.map(|(name, asks)| (name, Does::Ask(asks))));
    start_gateway(gateway, fake, settings).await
}

fn able() -> Value {
    json!({ "elicitation": {}, "roots": {} })
}

/// A call without a session, of a client that can do that, and what else its request has.
fn round(tool: &str, capabilities: &Value, more: &Value) -> Ask {
    let mut ask = call(tool);
    let mut body: Value = serde_json::from_slice(&ask.body).unwrap();
    body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities.clone();
    body["params"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    ask.body = body.to_string().into_bytes();
    ask
}

async fn asked(served: &Served, tool: &str) -> String {
    let answer = round(tool, &able(), &json!({})).send(served).await;
    answer.json()["result"]["requestState"].as_str().unwrap().to_owned()
}

fn answers(state: &str) -> Value {
    json!({ "inputResponses": { "name": { "action": "accept" } }, "requestState": state })
}

#[tokio::test]
async fn without_a_session_questions_are_a_result_and_the_answers_come_with_the_next_request() {
    let served = start_asking(HttpSettings::default()).await;
    let first = round("fake__ask", &able(), &json!({})).send(&served).await;
    let expected =
        format!(r#""result":{{"resultType":"input_required","inputRequests":{NAME},"requestState":""#);
    assert!(first.body.contains(&expected), "{first:?}");
    let result = &first.json()["result"];
    assert_eq!(result["_meta"]["toolgate/usage"]["fuel"], 42);
    let state = result["requestState"].as_str().unwrap();
    let last = round("fake__ask", &able(), &answers(state)).send(&served).await;
    let text = r#"{"name":{"action":"accept"}} Some("kept")"#;
    assert_eq!(last.json()["result"]["content"][0]["text"], text, "{last:?}");
    assert_eq!(last.json()["result"]["resultType"], "complete");
}

#[tokio::test]
async fn what_a_server_kept_is_for_its_request_alone() {
    let served = start_asking(HttpSettings::default()).await;
    let state = asked(&served, "fake__ask").await;
    let mut tampered = state.clone().into_bytes();
    tampered[40] ^= 1;
    let with_arguments = |arguments: Value| {
        let mut more = answers(&state);
        more["arguments"] = arguments;
        more
    };
    for (tool, more) in [
        ("fake__ask", answers(std::str::from_utf8(&tampered).unwrap())),
        ("fake__ask", answers("x")),
        ("fake__ask", with_arguments(json!({ "other": 1 }))),
        ("fake__two", answers(&state)),
        ("fake__ask", json!({ "inputResponses": {}, "requestState": 7 })),
        ("fake__ask", json!({ "inputResponses": [] })),
    ] {
        let answer = round(tool, &able(), &more).send(&served).await;
        assert_eq!((answer.status, answer.code()), (200, -32602), "{tool} {more} {answer:?}");
    }
    // It may come twice: who has it may have lost the answer.
    for _ in 0..2 {
        let answer = round("fake__ask", &able(), &answers(&state)).send(&served).await;
        assert_eq!(answer.json()["result"]["isError"], false, "{answer:?}");
    }
}

#[tokio::test]
async fn what_a_server_kept_is_for_its_caller_alone() {
    let keys = [("ann", ApiKey::generate().unwrap()), ("ben", ApiKey::generate().unwrap())];
    let known = keys.each_ref().map(|(name, key)| Key {
        name: (*name).to_owned(),
        hash: key.hash(),
        owner: (*name).to_owned(),
        servers: Servers::All,
    });
    let callers = Callers::of(&known);
    let served = start_asking(HttpSettings { callers, ..HttpSettings::default() }).await;
    let by = |who: usize, more: &Value| {
        let bearer = format!("Bearer {}", keys[who].1.expose());
        round("fake__ask", &able(), more).header("authorization", &bearer)
    };
    let first = by(0, &json!({})).send(&served).await;
    let state = first.json()["result"]["requestState"].as_str().unwrap().to_owned();
    assert_eq!(by(1, &answers(&state)).send(&served).await.code(), -32602);
    assert_eq!(by(0, &answers(&state)).send(&served).await.json()["result"]["isError"], false);
}

#[tokio::test]
async fn a_client_is_not_asked_for_what_it_cannot_do() {
    let served = start_asking(HttpSettings::default()).await;
    let answer = round("fake__two", &json!({ "elicitation": { "url": {} } }), &json!({})).send(&served).await;
    assert_eq!((answer.status, answer.code()), (400, -32021), "{answer:?}");
    let missing = json!({ "requiredCapabilities": { "elicitation": { "form": {} }, "roots": {} } });
    assert_eq!(answer.json()["error"]["data"], missing);
}

#[tokio::test]
async fn what_no_client_can_be_asked_is_the_tools_fault() {
    let served = start_asking(HttpSettings::default()).await;
    let answer = round("fake__odd", &able(), &json!({})).send(&served).await;
    let result = &answer.json()["result"];
    assert_eq!((&result["isError"], &result["_meta"]["toolgate/error"]), (&json!(true), &json!("trap")));
}

/// A session whose client can do that.
async fn session(served: &Served, capabilities: &Value) -> String {
    let info = json!({ "name": "test", "version": "0" });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": info });
    let answer = Ask::post(&request(0, "initialize", params)).send(served).await;
    answer.header("mcp-session-id").unwrap().to_owned()
}

fn in_session(token: &str, body: &Value) -> Ask {
    Ask::post(body).header("mcp-session-id", token)
}

fn calls(tool: &str) -> Value {
    request(7, "tools/call", json!({ "name": tool, "arguments": { "a": 1 } }))
}

/// A session whose client was asked, and the stream on which it was.
async fn asked_in_session() -> (Served, String, Stream) {
    asked_with(HttpSettings::default()).await
}

async fn asked_with(settings: HttpSettings) -> (Served, String, Stream) {
    let served = start_asking(settings).await;
    let token = session(&served, &able()).await;
    let stream = Stream::of(&served, &in_session(&token, &calls("fake__ask"))).await;
    until("the question", || stream.messages().len() == 1).await;
    (served, token, stream)
}

#[tokio::test]
async fn with_a_session_questions_come_on_the_stream_of_the_request() {
    let served = start_asking(HttpSettings::default()).await;
    let token = session(&served, &able()).await;
    let stream = Stream::of(&served, &in_session(&token, &calls("fake__two"))).await;
    until("both questions", || stream.messages().len() == 2).await;
    let questions = stream.messages();
    let methods: Vec<_> = questions.iter().map(|question| question["method"].clone()).collect();
    assert_eq!(methods, ["elicitation/create", "roots/list"]);
    let answer = |question: &Value, result: Value| {
        in_session(&token, &json!({ "jsonrpc": "2.0", "id": question["id"], "result": result }))
    };
    // The other way round, and each once.
    let roots = answer(&questions[1], json!({ "roots": [] }));
    assert_eq!(roots.send(&served).await.status, 202);
    let again = roots.send(&served).await;
    assert_eq!((again.status, again.code()), (400, -32600), "{again:?}");
    assert!(!stream.ended.load(Ordering::SeqCst));
    assert_eq!(answer(&questions[0], json!({ "action": "decline" })).send(&served).await.status, 202);
    until("the answer", || stream.messages().len() == 3).await;
    let last = stream.messages().pop().unwrap();
    let text = r#"{"name":{"action":"decline"},"roots":{"roots":[]}} Some("kept")"#;
    assert_eq!((&last["id"], &last["result"]["content"][0]["text"]), (&json!(7), &json!(text)), "{last}");
    assert_eq!(served.fake.begun.load(Ordering::SeqCst), 2, "each round is a call of its own");
}

#[tokio::test]
async fn nobody_answers_for_another_session() {
    let (served, token, stream) = asked_in_session().await;
    let other = session(&served, &able()).await;
    let id = stream.messages()[0]["id"].clone();
    let answer = json!({ "jsonrpc": "2.0", "id": id, "result": { "action": "accept" } });
    let foreign = in_session(&other, &answer).send(&served).await;
    assert_eq!((foreign.status, foreign.code()), (400, -32600), "{foreign:?}");
    assert_eq!(in_session(&token, &answer).send(&served).await.status, 202);
    until("the answer", || stream.messages().len() == 2).await;
}

#[tokio::test]
async fn a_client_that_refuses_to_answer_ends_the_call() {
    let (served, token, stream) = asked_in_session().await;
    let error = json!({ "code": -1, "message": "User rejected" });
    let refusal = json!({ "jsonrpc": "2.0", "id": stream.messages()[0]["id"], "error": error });
    assert_eq!(in_session(&token, &refusal).send(&served).await.status, 202);
    until("the answer", || stream.messages().len() == 2).await;
    let result = stream.messages().pop().unwrap()["result"].clone();
    let text = "the client did not answer what the tool asked: elicitation/create: User rejected";
    assert_eq!((&result["isError"], &result["content"][0]["text"]), (&json!(true), &json!(text)));
}

#[tokio::test]
async fn a_session_that_cannot_be_asked_hears_why() {
    let served = start_asking(HttpSettings::default()).await;
    let unable = session(&served, &json!({ "sampling": {} })).await;
    let no_stream = session(&served, &able()).await;
    let json_alone = in_session(&no_stream, &calls("fake__ask")).header("accept", "application/json");
    for (ask, why) in [
        (in_session(&unable, &calls("fake__ask")), r#"it lacks {"elicitation":{"form":{}}}"#),
        (json_alone, "it takes no stream of events"),
    ] {
        let result = ask.send(&served).await.json()["result"].clone();
        assert_eq!(result["isError"], true, "{result}");
        assert!(result["content"][0]["text"].as_str().unwrap().ends_with(why), "{result}");
    }
}

#[tokio::test]
async fn a_server_that_asks_for_ever_is_stopped() {
    let served = start_asking(HttpSettings::default()).await;
    let token = session(&served, &able()).await;
    let stream = Stream::of(&served, &in_session(&token, &calls("fake__endless"))).await;
    for round in 1..=16 {
        until("a question", || stream.messages().len() == round).await;
        let id = stream.messages().pop().unwrap()["id"].clone();
        let answer = json!({ "jsonrpc": "2.0", "id": id, "result": {} });
        assert_eq!(in_session(&token, &answer).send(&served).await.status, 202);
    }
    until("the end", || stream.messages().len() == 17).await;
    let result = stream.messages().pop().unwrap()["result"].clone();
    assert_eq!(result["_meta"]["toolgate/error"], "trap", "{result}");
}

#[tokio::test]
async fn a_client_that_stays_away_takes_its_questions_along() {
    let settings = HttpSettings { resume: Duration::from_millis(50), ..HttpSettings::default() };
    let (served, token, stream) = asked_with(settings).await;
    let answer = json!({ "jsonrpc": "2.0", "id": stream.messages()[0]["id"], "result": {} });
    drop(stream);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(in_session(&token, &answer).send(&served).await.code(), -32600);
}

#[tokio::test]
async fn a_client_whose_connection_broke_is_asked_again_and_has_its_answer() {
    let (served, token, stream) = asked_in_session().await;
    let events = stream.events();
    drop(stream);
    let resume = listening::get("/mcp", &token).header("last-event-id", &events[0].id);
    let stream = Stream::of(&served, &resume).await;
    until("the question", || stream.messages().len() == 1).await;
    assert_eq!(stream.events().last(), events.last(), "the same");
    let answer = json!({ "jsonrpc": "2.0", "id": stream.messages()[0]["id"], "result": {} });
    assert_eq!(in_session(&token, &answer).send(&served).await.status, 202);
    until("the answer", || stream.messages().len() == 2).await;
    assert_eq!(stream.messages()[1]["result"]["isError"], false);
}
