//! What a call tells while it runs, as a stream of events before its answer.

use super::*;

const PAUSE: Duration = Duration::from_millis(150);

/// A server of one tool that tells how far it is three times, or thirty.
pub(super) async fn start_telling(times: u32, settings: HttpSettings) -> Served {
    let fake = Fake::new(&[("tell", fake::Does::Tell(times, PAUSE))]);
    let catalog = fake::catalog(vec![fake::entry("fake", Arc::clone(&fake) as _)]);
    let settings_of_gateway = GatewaySettings { servers_of_mcp: true, ..GatewaySettings::default() };
    let gateway = Gateway::new(catalog, settings_of_gateway);
    start_gateway(Arc::new(gateway), fake, settings).await
}

fn telling(meta: &Value) -> Ask {
    let mut ask = call("fake__tell");
    let mut body: Value = serde_json::from_slice(&ask.body).unwrap();
    let meta = meta.as_object().unwrap().clone();
    body["params"]["_meta"].as_object_mut().unwrap().extend(meta);
    ask.body = body.to_string().into_bytes();
    ask
}

/// The messages of a stream, taken out of the frames of its events and of the chunks of its body.
fn messages(answer: &Answer) -> Vec<String> {
    let lines = answer.body.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.map(str::to_owned).collect()
}

#[tokio::test]
async fn progress_comes_before_the_answer_under_the_clients_token() {
    let served = start_telling(3, HttpSettings::default()).await;
    let answer = telling(&json!({ "progressToken": "mine" })).send(&served).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")));
    let messages = messages(&answer);
    let progress = |i: u32| {
        let params = format!("{{\"progressToken\":\"mine\", \"progress\":{i}.50}}");
        format!("{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{params}}}")
    };
    assert_eq!(messages[..3], [progress(1), progress(2), progress(3)]);
    let last: Value = serde_json::from_str(&messages[3]).unwrap();
    assert_eq!((messages.len(), &last["id"]), (4, &json!(7)));
    assert_eq!(last["result"]["content"][0]["text"], "told");
}

#[tokio::test]
async fn it_comes_at_once_and_not_with_the_answer() {
    let served = start_telling(30, HttpSettings::default()).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(&telling(&json!({ "progressToken": 1 })).bytes()).await.unwrap();
    let (mut seen, mut bytes) = (String::new(), [0; 4096]);
    while !seen.contains("\"progress\":2.50") {
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut bytes)).await;
        seen += &String::from_utf8_lossy(&bytes[..read.unwrap().unwrap()]);
    }
    assert!(!seen.contains("\"result\""), "{seen}");
    assert_eq!(served.fake.ended.load(Ordering::SeqCst), 0);
    drop(stream);
    until("the end of the call", || served.fake.ended.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn who_asks_for_nothing_or_reads_no_streams_gets_the_answer_alone() {
    let served = start_telling(1, HttpSettings::default()).await;
    let none = telling(&json!({}));
    let no_streams = telling(&json!({ "progressToken": 1 })).header("accept", "application/json");
    for ask in [none, no_streams] {
        let answer = ask.send(&served).await;
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.json()["result"]["content"][0]["text"], "told");
    }
}

#[tokio::test]
async fn log_messages_are_told_from_the_level_on_that_the_request_names() {
    let served = start_telling(0, HttpSettings::default()).await;
    let at = |level: &str| telling(&json!({ "io.modelcontextprotocol/logLevel": level }));
    let told = at("debug").send(&served).await;
    let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"done"}}"#;
    assert_eq!(messages(&told)[0], log);
    assert!(!at("warning").send(&served).await.body.contains("notifications/message"));
    assert_eq!(at("loud").send(&served).await.code(), -32602);
}

#[tokio::test]
async fn a_session_sets_its_level_and_hears_nothing_before() {
    let served = start_telling(1, HttpSettings::default()).await;
    let open = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "t", "version": "0" } });
    let opened = Ask::post(&request(0, "initialize", open)).send(&served).await;
    assert!(opened.json()["result"]["capabilities"]["logging"].is_object(), "{opened:?}");
    let token = opened.header("mcp-session-id").unwrap().to_owned();
    let ask = |id, method: &str, params| {
        let ask = Ask::post(&request(id, method, params)).header("mcp-session-id", &token);
        ask.header("mcp-protocol-version", "2025-06-18")
    };
    let call = || ask(1, "tools/call", json!({ "name": "fake__tell", "_meta": { "progressToken": 5 } }));
    let before = messages(&call().send(&served).await);
    assert!(before.len() == 2 && before[0].contains("notifications/progress"), "{before:?}");
    assert_eq!(ask(2, "logging/setLevel", json!({ "level": "loud" })).send(&served).await.code(), -32602);
    let set = ask(3, "logging/setLevel", json!({ "level": "info" })).send(&served).await;
    assert_eq!(set.json()["result"], json!({}));
    let after = messages(&call().send(&served).await);
    assert!(after.len() == 3 && after[1].contains("notifications/message"), "{after:?}");
}

#[tokio::test]
async fn a_stream_outlasts_the_time_in_which_a_connection_may_idle() {
    let short = Duration::from_millis(100);
    let settings = HttpSettings { idle_timeout: short, write_timeout: short, ..HttpSettings::default() };
    let served = start_telling(4, settings).await;
    let answer = telling(&json!({ "progressToken": 1 })).send(&served).await;
    assert_eq!(messages(&answer).len(), 5, "{answer:?}");
}

#[tokio::test]
async fn a_withdrawn_call_ends_its_stream_without_an_answer() {
    let served = start_telling(30, HttpSettings::default()).await;
    let open = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "t", "version": "0" } });
    let opened = Ask::post(&request(0, "initialize", open)).send(&served).await;
    let token = opened.header("mcp-session-id").unwrap().to_owned();
    let in_session = |body: &Value| Ask::post(body).header("mcp-session-id", &token);
    let call = request(9, "tools/call", json!({ "name": "fake__tell", "_meta": { "progressToken": 5 } }));
    let calling = in_session(&call);
    let withdrawing = async {
        until("the call", || served.fake.begun.load(Ordering::SeqCst) == 1).await;
        tokio::time::sleep(PAUSE * 2).await;
        let cancel =
            json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 9 } });
        assert_eq!(in_session(&cancel).send(&served).await.status, 202);
    };
    let (answer, ()) = tokio::join!(calling.send(&served), withdrawing);
    let messages = messages(&answer);
    assert!(
        !messages.is_empty() && messages.iter().all(|message| message.contains("progress")),
        "{answer:?}"
    );
}
