//! The stream of a session, on which it hears of lists that change.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use http_body_util::BodyExt;

use super::sse::{self, Event};
use super::*;
use crate::auth::Principal;
use crate::catalog::View;
use crate::mcp::answer::Context;
use crate::mcp::changes::Changes;
use crate::mcp::session::SessionKey;
use crate::transport::http::listening::Listening;

/// A stream of events; what came of it grows in the background.
pub(super) struct Stream {
    /// Of the session that it was opened for.
    token: String,
    seen: Arc<Mutex<String>>,
    pub(super) ended: Arc<AtomicBool>,
    reader: JoinHandle<()>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Stream {
    /// Opens a session and its stream.
    async fn open(served: &Served, path: &str) -> Self {
        let info = json!({ "name": "test", "version": "0" });
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info });
        let answer = Ask::post(&request(0, "initialize", params)).send(served).await;
        let capabilities = &answer.json()["result"]["capabilities"];
        assert_eq!(capabilities["tools"]["listChanged"], true, "{capabilities}");
        let token = answer.header("mcp-session-id").unwrap().to_owned();
        let mut opened = Self::of(served, &get(path, &token)).await;
        opened.token = token;
        opened
    }

    /// The same, with the token of the session.
    pub(super) async fn of_session(served: &Served, path: &str) -> (Self, String) {
        let opened = Self::open(served, path).await;
        let token = opened.token.clone();
        (opened, token)
    }

    /// The one that answers a request.
    pub(super) async fn of(served: &Served, ask: &Ask) -> Self {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(&ask.bytes()).await.unwrap();
        let (seen, ended) = (Arc::<Mutex<String>>::default(), Arc::<AtomicBool>::default());
        let (sees, ends) = (Arc::clone(&seen), Arc::clone(&ended));
        let reader = tokio::spawn(async move {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = stream.read(&mut bytes).await {
                let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
                let is_last = text.ends_with("\r\n0\r\n\r\n") || text == "0\r\n\r\n";
                sees.lock().unwrap().push_str(&text);
                if is_last {
                    break;
                }
            }
            ends.store(true, Ordering::SeqCst);
        });
        let opened = Self { token: String::new(), seen, ended, reader };
        until("the head of the stream", || opened.seen().contains("text/event-stream")).await;
        opened
    }

    pub(super) fn seen(&self) -> String {
        self.seen.lock().unwrap().clone()
    }

    /// The messages so far.
    pub(super) fn messages(&self) -> Vec<Value> {
        let seen = self.seen();
        let messages = seen.lines().filter_map(|line| line.strip_prefix("data: "));
        messages.map(|message| serde_json::from_str(message).unwrap()).collect()
    }

    /// The events so far.
    pub(super) fn events(&self) -> Vec<Event> {
        sse::read(&self.seen())
    }

    /// The methods of the notifications so far.
    fn told(&self) -> Vec<String> {
        let method = |message: &Value| {
            assert!(message.get("id").is_none(), "{message}");
            message["method"].as_str().unwrap().to_owned()
        };
        self.messages().iter().map(method).collect()
    }
}

pub(super) fn get(path: &str, token: &str) -> Ask {
    let ask = Ask::new("GET", path).header("accept", "text/event-stream");
    ask.header("mcp-session-id", token).header("mcp-protocol-version", "2025-11-25")
}

const TOOLS: &str = "notifications/tools/list_changed";

#[tokio::test]
async fn a_session_hears_of_lists_that_change_and_of_nothing_else() {
    let served = start().await;
    let stream = Stream::open(&served, "/mcp").await;
    served.gateway.replace(fake::with_tool("fake", "other"));
    until("a word of it", || stream.told() == [TOOLS]).await;
    // The same again is no change; if it were told, it would be before the next one.
    served.gateway.replace(fake::with_tool("fake", "other"));
    tokio::task::yield_now().await;
    served.gateway.replace(fake::with_tool("fake", "third"));
    until("a word of the next", || stream.told() == [TOOLS, TOOLS]).await;
    let prompting = Fake::of_mcp("prompt", "a:b", "a:{c}");
    served.gateway.replace(fake::catalog(vec![fake::entry("fake", prompting as _)]));
    until("prompts and resources", || stream.told().len() >= 5).await;
    let told = stream.told();
    assert_eq!(
        told[2..],
        [TOOLS, "notifications/prompts/list_changed", "notifications/resources/list_changed"]
    );
}

#[tokio::test]
async fn a_change_of_another_server_is_none_for_the_stream_of_one() {
    let served = start().await;
    served.gateway.replace(fake::catalog(vec![
        fake::entry("one", Fake::new(&[("a", fake::Does::Echo)]) as _),
        fake::entry("two", Fake::new(&[("b", fake::Does::Echo)]) as _),
    ]));
    let stream = Stream::open(&served, "/mcp/one").await;
    let all = Stream::open(&served, "/mcp").await;
    served.gateway.replace(fake::catalog(vec![
        fake::entry("one", Fake::new(&[("a", fake::Does::Echo)]) as _),
        fake::entry("two", Fake::new(&[("c", fake::Does::Echo)]) as _),
    ]));
    until("a word of it", || all.told() == [TOOLS]).await;
    assert_eq!(stream.told(), Vec::<String>::new());
}

#[tokio::test]
async fn a_stream_needs_a_session_and_a_client_that_reads_events() {
    let served = start().await;
    let stream = Stream::open(&served, "/mcp").await;
    let token = &stream.token;
    for (ask, status) in [
        (get("/mcp", "no-token"), 404),
        (Ask::new("GET", "/mcp").header("accept", "text/event-stream"), 400),
        (Ask::new("GET", "/mcp").header("accept", "application/json").header("mcp-session-id", token), 406),
        (Ask::new("GET", "/mcp").header("mcp-session-id", token), 406),
        (get("/mcp/none", token), 404),
    ] {
        assert_eq!(ask.send(&served).await.status, status);
    }
    let modern = Ask::new("GET", "/mcp").header("accept", "text/event-stream");
    let answer = modern.header("mcp-protocol-version", "2026-07-28").send(&served).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
}

#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let served = start().await;
    let stream = Stream::open(&served, "/mcp").await;
    let delete = Ask::new("DELETE", "/mcp").header("mcp-session-id", &stream.token);
    assert_eq!(delete.send(&served).await.status, 204);
    served.gateway.replace(fake::with_tool("fake", "other"));
    until("the end", || stream.ended.load(Ordering::SeqCst)).await;
    assert_eq!(stream.told(), Vec::<String>::new());
}

#[tokio::test]
async fn streams_do_not_hold_up_the_end_of_the_gateway() {
    let mut served = start().await;
    let stream = Stream::open(&served, "/mcp").await;
    served.stop.take().unwrap().send(()).unwrap();
    until("the end of the stream", || stream.ended.load(Ordering::SeqCst)).await;
    tokio::time::timeout(Duration::from_secs(5), served.done).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_stream_whose_client_is_gone_is_let_go_of() {
    // Room for a stream and for what opens the next session.
    let served = start_with(HttpSettings { connections: 2, ..HttpSettings::default() }).await;
    for _ in 0..20 {
        drop(Stream::open(&served, "/mcp").await);
        let free = async || call("fake__echo").send(&served).await.status == 200;
        while !(free().await && free().await) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn a_quiet_stream_shows_signs_of_life() {
    let (gateway, _fake) = fake::gateway();
    let context = Context { principal: Principal::local(), view: View::All };
    let changes = Changes::since_now(gateway, context, [0; 16]);
    let mut body = Listening::new(changes, None, Duration::from_millis(10));
    for _ in 0..3 {
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), ":\n\n");
    }
}

/// The stream again, after an event.
async fn back(served: &Served, path: &str, token: &str, last: &str) -> Stream {
    Stream::of(served, &get(path, token).header("last-event-id", last)).await
}

/// The id of the last event.
fn last(stream: &Stream) -> String {
    stream.events().last().unwrap().id.clone()
}

#[tokio::test]
async fn who_comes_back_hears_of_lists_that_changed_meanwhile_once() {
    let served = start().await;
    let stream = Stream::open(&served, "/mcp").await;
    until("the first event", || stream.events().len() == 1).await;
    let (token, start) = (stream.token.clone(), last(&stream));
    drop(stream);
    served.gateway.replace(fake::with_tool("fake", "other"));
    let again = back(&served, "/mcp", &token, &start).await;
    until("a word of it", || again.told() == [TOOLS]).await;
    assert_eq!(again.events()[0].data, "", "it begins as any stream of its revision does");
    let told = last(&again);
    drop(again);
    let quiet = back(&served, "/mcp", &token, &told).await;
    served.gateway.replace(fake::with_tool("fake", "third"));
    until("a word of the next", || quiet.told() == [TOOLS]).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(quiet.told(), [TOOLS], "and of that alone");
    // All that changed since the start is one change.
    let all = back(&served, "/mcp", &token, &start).await;
    until("a word of it", || all.told() == [TOOLS]).await;
}

#[tokio::test]
async fn of_several_changes_those_are_told_again_that_were_not_yet() {
    let served = start().await;
    let stream = Stream::open(&served, "/mcp").await;
    let prompting = Fake::of_mcp("prompt", "a:b", "a:{c}");
    served.gateway.replace(fake::catalog(vec![fake::entry("fake", prompting as _)]));
    until("all of it", || stream.told().len() == 3).await;
    let (told, events) = (stream.told(), stream.events());
    for (number, event) in events.iter().enumerate() {
        let again = back(&served, "/mcp", &stream.token, &event.id).await;
        until("the rest", || again.told() == told[number..]).await;
    }
}

#[tokio::test]
async fn another_replica_goes_on_with_it() {
    let key = || SessionKey::from_secret(b"of all replicas, ours").unwrap();
    let replica = async |tool: &str| {
        let settings = GatewaySettings { session_key: key(), ..GatewaySettings::default() };
        let gateway = Gateway::new(fake::with_tool("fake", tool), settings);
        start_gateway(Arc::new(gateway), Fake::new(&[]), HttpSettings::default()).await
    };
    let (one, same, newer) = (replica("a").await, replica("a").await, replica("b").await);
    let stream = Stream::open(&one, "/mcp").await;
    until("the first event", || stream.events().len() == 1).await;
    let on_newer = back(&newer, "/mcp", &stream.token, &last(&stream)).await;
    until("a word of the change", || on_newer.told() == [TOOLS]).await;
    let on_same = back(&same, "/mcp", &stream.token, &last(&stream)).await;
    same.gateway.replace(fake::with_tool("fake", "c"));
    until("a word of the next", || on_same.told() == [TOOLS]).await;
}

#[tokio::test]
async fn who_comes_back_takes_the_place_of_the_connection_before() {
    let served = start().await;
    let first = Stream::open(&served, "/mcp").await;
    let other = Stream::open(&served, "/mcp").await;
    until("the first event", || first.events().len() == 1).await;
    let second = back(&served, "/mcp", &first.token, &last(&first)).await;
    until("the end of the first", || first.ended.load(Ordering::SeqCst)).await;
    served.gateway.replace(fake::with_tool("fake", "other"));
    until("a word of it", || second.told() == [TOOLS] && other.told() == [TOOLS]).await;
}

#[tokio::test]
async fn the_id_of_another_session_or_endpoint_is_refused() {
    let served = start().await;
    let stream = Stream::open(&served, "/mcp").await;
    let other = Stream::open(&served, "/mcp").await;
    until("the first event", || stream.events().len() == 1).await;
    let id = last(&stream);
    for (path, token, id) in [
        ("/mcp", &other.token, id.clone()),
        ("/mcp/fake", &stream.token, id.clone()),
        ("/mcp", &stream.token, id.replace(&id[9..12], "abc")),
        ("/mcp", &stream.token, "s".to_owned()),
    ] {
        let refused = get(path, token).header("last-event-id", &id).send(&served).await;
        assert_eq!((refused.status, refused.code()), (400, -32600), "{refused:?}");
    }
    assert!(!stream.ended.load(Ordering::SeqCst));
}
