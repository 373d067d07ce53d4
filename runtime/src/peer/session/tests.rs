#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;

use super::{Asked, Ended, Listener, Listening, Notification, RequestError, Session};
use crate::notice::{Level, Notice, Notices};

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
    session.feed(b" up\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n");
    session.feed(format!("{{\"id\":{},\"error\":{{\"code\":-1,\"message\":\"no\"}}}}\n", ids[0]).as_bytes());
    assert_eq!(second.await.unwrap().unwrap(), "\"b\"");
    assert_eq!(first.await.unwrap().unwrap_err().to_string(), "the server answered with error -1: no");
    assert_eq!(*heard.0.lock().unwrap(), ["noise starting up", "notifications/tools/list_changed"]);
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
    session.feed(b"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/list\"}\n");
    session.feed(b"{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"roots/list\"}\n");
    let (ping, tools) = (line(&mut lines).await, line(&mut lines).await);
    assert_eq!((&ping["id"], &ping["result"]), (&"a".into(), &serde_json::json!({})));
    assert_eq!((&tools["id"], &tools["error"]["code"]), (&5.into(), &(-32601).into()));
    let roots = line(&mut lines).await;
    let why = "no call is under way whose client could be asked";
    assert_eq!((&roots["id"], &roots["error"]["message"]), (&6.into(), &why.into()));
}

/// A call whose client may be asked.
fn ask_and_be_asked(session: &Session) -> mpsc::Receiver<Asked> {
    let (questions, asked) = mpsc::channel(1);
    let session = session.clone();
    let listening = Listening { notices: None, questions: Some(questions) };
    let params = |_| "{}".to_owned();
    tokio::spawn(async move { session.request_with("tools/call", params, listening).await.map(drop) });
    asked
}

#[tokio::test]
async fn what_it_asks_for_the_only_call_is_passed_on_and_answered_as_it_was_written() {
    let (session, mut lines, _) = session(1000);
    let mut asked = ask_and_be_asked(&session);
    line(&mut lines).await;
    session.feed(b"{\"id\":\"q\",\"method\":\"elicitation/create\",\"params\":{ \"x\":1.50}}\n");
    let question = asked.recv().await.unwrap();
    assert_eq!(
        (&*question.method, question.params.as_deref().unwrap().get()),
        ("elicitation/create", "{ \"x\":1.50}")
    );
    let answer = serde_json::value::RawValue::from_string("{\"action\":\n\"accept\"}".to_owned()).unwrap();
    session.answer(&question, Ok(&answer));
    let line_of = line(&mut lines).await;
    assert_eq!((&line_of["id"], &line_of["result"]["action"]), (&"q".into(), &"accept".into()));
    // More than fit are refused, as are those of several calls, and those of a call that is over.
    let ask = |id: u32| session.feed(format!("{{\"id\":{id},\"method\":\"roots/list\"}}\n").as_bytes());
    (0..2).for_each(ask);
    assert!(line(&mut lines).await["error"]["message"].as_str().unwrap().starts_with("too many requests"));
    let _second = ask_and_be_asked(&session);
    line(&mut lines).await;
    ask(3);
    assert!(line(&mut lines).await["error"]["message"].as_str().unwrap().starts_with("several calls"));
}

/// Parameters of a notice as text.
fn told(reader: &mut mpsc::Receiver<Notice>) -> Vec<String> {
    let notices = std::iter::from_fn(|| reader.try_recv().ok());
    notices
        .map(|notice| match notice {
            Notice::Progress(params) => format!("progress {params}"),
            Notice::Log(params) => format!("log {params}"),
        })
        .collect()
}

fn ask_and_listen(session: &Session) -> mpsc::Receiver<Notice> {
    let (notices, reader) = Notices::wanted(true, Some(Level::Info));
    let session = session.clone();
    let listening = Listening { notices: Some(notices), questions: None };
    let params = |id| format!("{{\"_meta\":{{\"progressToken\":{id}}}}}");
    tokio::spawn(async move { session.request_with("tools/call", params, listening).await.map(drop) });
    reader
}

#[tokio::test]
async fn progress_reaches_the_request_that_it_is_of_as_it_was_written() {
    let (session, mut lines, heard) = session(1000);
    let (mut first, mut second) = (ask_and_listen(&session), ask_and_listen(&session));
    let ids = [line(&mut lines).await["id"].clone(), line(&mut lines).await["id"].clone()];
    let progress = |token: &str| format!("{{ \"progress\":1.50,\"progressToken\" : {token}, \"x\":null}}");
    for token in [ids[0].to_string(), ids[1].to_string(), "99".to_owned(), "\"a\"".to_owned()] {
        let line = format!("{{\"method\":\"notifications/progress\",\"params\":{}}}\n", progress(&token));
        session.feed(line.as_bytes());
    }
    assert_eq!(told(&mut first), [format!("progress {}", progress(&ids[0].to_string()))]);
    assert_eq!(told(&mut second), [format!("progress {}", progress(&ids[1].to_string()))]);
    session.feed(format!("{{\"id\":{},\"result\":1}}\n", ids[0]).as_bytes());
    session
        .feed(format!("{{\"method\":\"notifications/progress\",\"params\":{}}}\n", progress("1")).as_bytes());
    assert!(told(&mut first).is_empty(), "after the answer there is nothing to tell");
    assert!(heard.0.lock().unwrap().is_empty(), "and nobody else hears of it");
}

#[tokio::test]
async fn what_is_logged_is_told_to_the_only_request_and_else_to_nobody() {
    let (session, mut lines, _) = session(1000);
    let log = |level: &str| {
        let params = format!("{{\"level\":\"{level}\",\"data\":[1, 2]}}");
        format!("{{\"method\":\"notifications/message\",\"params\":{params}}}\n")
    };
    let mut first = ask_and_listen(&session);
    line(&mut lines).await;
    for level in ["debug", "error", "loud"] {
        session.feed(log(level).as_bytes());
    }
    assert_eq!(told(&mut first), ["log {\"level\":\"error\",\"data\":[1, 2]}"]);
    let mut second = ask_and_listen(&session);
    line(&mut lines).await;
    session.feed(log("error").as_bytes());
    assert!(told(&mut first).is_empty() && told(&mut second).is_empty(), "it may be about another caller");
}
