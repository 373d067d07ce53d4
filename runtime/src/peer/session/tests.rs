#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;

use super::{Ended, Listener, Notification, RequestError, Session};

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Listener for Heard {
    fn notified(&self, notification: &Notification) {
        self.0.lock().unwrap().push(notification.method.clone());
    }

    fn noise(&self, line: &[u8]) {
        self.0.lock().unwrap().push(format!("noise {}", String::from_utf8_lossy(line)));
    }
}

fn session(limit: usize) -> (Session, mpsc::Receiver<Vec<u8>>, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let (session, lines) = Session::new(limit, Arc::clone(&heard) as Arc<dyn Listener>);
    (session, lines, heard)
}

async fn line(lines: &mut mpsc::Receiver<Vec<u8>>) -> serde_json::Value {
    let line = tokio::time::timeout(Duration::from_secs(10), lines.recv()).await.unwrap().unwrap();
    serde_json::from_slice(&line).unwrap()
}

fn ask(session: &Session, method: &'static str) -> tokio::task::JoinHandle<Result<String, RequestError>> {
    let session = session.clone();
    tokio::spawn(async move { session.request(method, "{}").await.map(|raw| raw.get().to_owned()) })
}

#[tokio::test]
async fn answers_find_their_requests_in_any_order() {
    let (session, mut lines, heard) = session(1000);
    let (first, second) = (ask(&session, "one"), ask(&session, "two"));
    let mut ids = [0, 0];
    for _ in 0..2 {
        let line = line(&mut lines).await;
        ids[usize::from(line["method"] == "two")] = line["id"].as_u64().unwrap();
    }
    session.feed(format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":\"b\"}}\nstarting", ids[1]).as_bytes());
    session.feed(b" up\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n");
    session.feed(format!("{{\"id\":{},\"error\":{{\"code\":-1,\"message\":\"no\"}}}}\n", ids[0]).as_bytes());
    assert_eq!(second.await.unwrap().unwrap(), "\"b\"");
    assert_eq!(first.await.unwrap().unwrap_err().to_string(), "the server answered with error -1: no");
    assert_eq!(*heard.0.lock().unwrap(), ["noise starting up", "notifications/message"]);
}

#[tokio::test]
async fn a_request_that_is_dropped_is_withdrawn_and_its_answer_ignored() {
    let (session, mut lines, _) = session(1000);
    let request = ask(&session, "tools/call");
    let id = line(&mut lines).await["id"].clone();
    request.abort();
    let withdrawn = line(&mut lines).await;
    assert_eq!(
        (&withdrawn["method"], &withdrawn["params"]["requestId"]),
        (&"notifications/cancelled".into(), &id)
    );
    session.feed(format!("{{\"id\":{id},\"result\":1}}\n").as_bytes());
    assert!(session.ended().is_none());
}

#[tokio::test]
async fn the_end_fails_what_waits_and_what_comes_later() {
    let (session, mut lines, _) = session(1000);
    let request = ask(&session, "tools/call");
    line(&mut lines).await;
    session.end(Ended::Gone("it exited with code 3".to_owned()));
    session.end(Ended::Gone("later".to_owned()));
    for error in [request.await.unwrap().unwrap_err(), ask(&session, "x").await.unwrap().unwrap_err()] {
        assert_eq!(error.to_string(), "it exited with code 3");
    }
}

#[tokio::test]
async fn a_line_without_end_ends_the_session() {
    let (session, mut lines, _) = session(16);
    let request = ask(&session, "tools/call");
    line(&mut lines).await;
    session.feed(&[b'x'; 17]);
    session.feed(&[b'x'; 1000]);
    assert_eq!(request.await.unwrap().unwrap_err(), Ended::TooLong { limit: 16 }.into());
}

#[tokio::test]
async fn what_the_server_asks_is_answered_without_being_offered() {
    let (session, mut lines, _) = session(1000);
    session.feed(b"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ping\"}\n");
    session.feed(b"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"roots/list\"}\n");
    let (ping, roots) = (line(&mut lines).await, line(&mut lines).await);
    assert_eq!((&ping["id"], &ping["result"]), (&"a".into(), &serde_json::json!({})));
    assert_eq!((&roots["id"], &roots["error"]["code"]), (&5.into(), &(-32601).into()));
}
