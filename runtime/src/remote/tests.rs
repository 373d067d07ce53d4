//! Servers that misbehave, and what comes of it. What a server does that is as it should be is shown end to end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Place, RemoteError, RemoteOptions, RemoteServer, Surroundings};
use crate::egress::Egress;
use crate::events::{CallId, Denial, Observer, Stdio, Usage};
use crate::limits::Limits;
use crate::policy::Policy;
use crate::sandbox::{CallError, Content, Dialogue, Invocation, Naming, Outcome, Sandbox, Target};

struct Deaf;

impl Observer for Deaf {
    fn stdio(&self, _: Stdio, _: &[u8]) {}
    fn stdio_dropped(&self, _: u64) {}
    fn denied(&self, _: &Denial) {}
    fn finished(&self, _: &Usage) {}
}

/// A request as it came: its first line and headers in lower case, and its body.
#[derive(Clone)]
struct Asked {
    head: String,
    body: Value,
}

impl Asked {
    fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or_default()
    }
}

/// A comment of a stream, after which nothing comes.
const STUCK: &str = ":";

/// A server that answers each request with the bytes that a test says, and tells what it was asked.
struct Scripted {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::AbortHandle,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Scripted {
    /// One that says what is `said`, after which the connection is closed; what it does not know of has status 404.
    async fn start(said: impl Fn(&Asked) -> Option<String> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let (asked, said) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::new(said));
        let heard = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (heard, said) = (Arc::clone(&heard), Arc::clone(&said));
                tokio::spawn(async move {
                    let asked = read(&mut stream).await;
                    heard.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
                    let answer = said(&asked).unwrap_or_else(|| response("404 Not Found", "text/plain", ""));
                    drop(stream.write_all(answer.as_bytes()).await);
                    if answer.ends_with(STUCK) {
                        // Until its client goes away.
                        drop(stream.read(&mut [0]).await);
                    }
                });
            }
        });
        Self { url, asked, task: task.abort_handle() }
    }

    fn asked(&self, method: &str) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().filter(|asked| asked.method() == method).cloned().collect()
    }

    async fn prepared(&self) -> Result<RemoteServer, RemoteError> {
        prepared(&self.url).await
    }

    async fn call(&self) -> Result<Outcome, CallError> {
        called(&self.prepared().await.unwrap()).await
    }
}

async fn prepared(url: &str) -> Result<RemoteServer, RemoteError> {
    let place = Place::parse(url).unwrap();
    let grants = place.grants().unwrap();
    let policy = Policy { grants, limits: Limits { output: 64 * 1024, ..Limits::default() } };
    let options = RemoteOptions { start: Duration::from_secs(2), ..RemoteOptions::of(place) };
    let egress = Egress::default();
    RemoteServer::prepare(options, Surroundings { policy, egress: &egress, naming: &Naming::default() }).await
}

async fn called(server: &RemoteServer) -> Result<Outcome, CallError> {
    let invocation = Invocation {
        id: CallId(1),
        target: Target::Tool(0),
        arguments: RawValue::from_string("{}".to_owned()).unwrap(),
        session: None,
        deadline: Instant::now() + Duration::from_secs(3),
        observer: Arc::new(Deaf),
        notices: None,
        dialogue: Dialogue::default(),
        lease: Arc::new(()),
    };
    server.call(invocation).await
}

async fn read(stream: &mut TcpStream) -> Asked {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Asked { head, body: serde_json::from_str(body).unwrap_or_default() };
            }
        }
        let mut more = [0; 4096];
        let count = stream.read(&mut more).await.unwrap_or(0);
        if count == 0 {
            return Asked { head: String::new(), body: Value::Null };
        }
        bytes.extend_from_slice(&more[..count]);
    }
}

fn response(status: &str, kind: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn json_of(asked: &Asked, result: &Value) -> String {
    let body = json!({ "jsonrpc": "2.0", "id": asked.body["id"], "result": result }).to_string();
    response("200 OK", "application/json", &body)
}

/// What a server without sessions and with one tool says but for calls.
fn stateless(asked: &Asked) -> Option<String> {
    let result = match asked.method() {
        "server/discover" => json!({ "supportedVersions": ["2026-07-28"], "capabilities": { "tools": {} } }),
        "tools/list" => json!({ "tools": [{ "name": "a", "inputSchema": { "type": "object" } }] }),
        _ => return None,
    };
    Some(json_of(asked, &result))
}

/// The same with sessions of that id.
fn in_session(asked: &Asked, id: &str) -> Option<String> {
    let initialized = json!({ "protocolVersion": "2025-11-25", "capabilities": { "tools": {} } });
    match asked.method() {
        "initialize" => {
            Some(json_of(asked, &initialized).replacen("\r\n", &format!("\r\nmcp-session-id: {id}\r\n"), 1))
        }
        "server/discover" => Some(response("400 Bad Request", "text/plain", "no")),
        "notifications/initialized" => Some(response("202 Accepted", "text/plain", "")),
        _ => stateless(asked),
    }
}

fn text(outcome: Result<Outcome, CallError>) -> String {
    match outcome.unwrap().content {
        Content::Message(message) => message.get().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_no_answer_is_told_and_ends_its_call_alone() {
    let events = |body: &str| response("200 OK", "text/event-stream", body);
    for (said, why) in [
        (response("200 OK", "text/html", "<p>"), "its content type is text/html"),
        (response("200 OK", "application/json", "hello"), "holds no answer"),
        (
            response("200 OK", "application/json", r#"{"jsonrpc":"2.0","id":77,"result":{}}"#),
            "holds no answer",
        ),
        (response("401 Unauthorized", "text/plain", ""), "status 401"),
        (
            response("301 Moved", "text/plain", "").replacen("\r\n", "\r\nlocation: http://10.0.0.1/\r\n", 1),
            "status 301",
        ),
        (events("data: nothing\n\n"), "ended before the answer"),
        ("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{".to_owned(), ""),
        ("nonsense\r\n\r\n".to_owned(), ""),
    ] {
        let shown = said.clone();
        let server = Scripted::start(move |asked| match asked.method() {
            "tools/call" => Some(said.clone()),
            _ => stateless(asked),
        });
        let error = server.await.call().await.unwrap_err();
        assert!(matches!(&error, CallError::Unavailable(told) if told.contains(why)), "{shown}: {error}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let long = "x".repeat(1 << 20);
    for (kind, body) in [
        ("application/json", format!(r#"{{"jsonrpc":"2.0","id":3,"result":{{"content":"{long}"}}}}"#)),
        ("text/event-stream", format!("data: {long}")),
        ("text/event-stream", format!("data: {}\n\n", "y".repeat(200 * 1024))),
    ] {
        let server = Scripted::start(move |asked| match asked.method() {
            "tools/call" => Some(response("200 OK", kind, &body)),
            _ => stateless(asked),
        });
        let error = server.await.call().await.unwrap_err();
        assert!(matches!(error, CallError::Output { limit: 65536 }), "{kind}: {error}");
    }
}

#[tokio::test]
async fn an_error_of_the_server_is_its_own() {
    let body = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32099,"message":"no","data":{"x":1.50}}}"#;
    let server = Scripted::start(move |asked| match asked.method() {
        "tools/call" => Some(response("400 Bad Request", "application/json", body)),
        _ => stateless(asked),
    });
    match server.await.call().await.unwrap_err() {
        CallError::Refused { code: -32099, message, data } => {
            assert_eq!((message.as_str(), data.as_deref()), ("no", Some(r#"{"x":1.50}"#)));
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_session_that_ends_at_once_is_begun_again_once() {
    let server = Scripted::start(|asked| match asked.method() {
        "tools/call" => Some(response("404 Not Found", "text/plain", "")),
        _ => in_session(asked, "a"),
    });
    let server = server.await;
    let error = server.call().await.unwrap_err();
    assert!(matches!(&error, CallError::Unavailable(why) if why.contains("ended the session")), "{error}");
    assert_eq!((server.asked("initialize").len(), server.asked("tools/call").len()), (2, 2));
    assert!(server.asked("tools/call")[0].head.contains("mcp-session-id: a"));
    assert!(server.asked("tools/call")[0].head.contains("mcp-protocol-version: 2025-11-25"));
}

#[tokio::test]
async fn a_stream_that_breaks_is_asked_for_where_it_broke() {
    let server = Scripted::start(|asked| match asked.method() {
        "tools/call" => {
            let body = "retry: 1\nid: one\ndata: \n\ndata: {\"half\":";
            Some(response("200 OK", "text/event-stream", body))
        }
        "" if asked.head.starts_with("get ") && asked.head.contains("last-event-id: one") => {
            // Whichever request of the conversation it was.
            let answers = (1..9).map(|id| {
                format!("data: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"content\":[]}}}}\n\n")
            });
            Some(response("200 OK", "text/event-stream", &answers.collect::<String>()))
        }
        "" => Some(response("405 Method Not Allowed", "text/plain", "")),
        _ => in_session(asked, "a"),
    });
    assert_eq!(text(server.await.call().await), r#"{"content":[]}"#);
}

#[tokio::test]
async fn what_is_given_up_is_withdrawn_in_a_session() {
    let server = Scripted::start(|asked| match asked.method() {
        // It never goes on.
        "tools/call" => Some(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 1000\r\n\r\n:".to_owned(),
        ),
        "notifications/cancelled" => Some(response("202 Accepted", "text/plain", "")),
        _ => in_session(asked, "a"),
    });
    let server = server.await;
    let prepared = server.prepared().await.unwrap();
    let given_up = tokio::time::timeout(Duration::from_millis(300), called(&prepared)).await;
    assert!(given_up.is_err(), "it was under way");
    let withdrawn = async {
        while server.asked("notifications/cancelled").is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), withdrawn).await.unwrap();
}

#[tokio::test]
async fn one_that_is_not_there_or_says_nothing_is_told_by_its_reason() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", silent.local_addr().unwrap());
    let error = prepared(&url).await.err().unwrap();
    assert!(error.to_string().contains("did not answer within 2 s"), "{error}");
    drop(silent);
    let error = prepared(&url).await.err().unwrap();
    assert!(error.to_string().contains("Connection refused"), "{error}");
}
