//! What a server in a container could send.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use serde_json::value::RawValue;
use toolgate_runtime::notice::{Level, Notice, Notices};
use toolgate_runtime::peer::{Listener, Listening, Notification, RequestError, Session};

use crate::Reached;

/// Bytes of a line, few enough for an input to exceed them.
const LIMIT: usize = 1024;

/// Bytes of an answer of ours beyond those that it repeats.
const MAX_ANSWER: usize = 256;

/// Asks for something and takes the bytes for what comes back, in two pieces.
pub fn peer(data: &[u8]) -> Reached {
    let heard = Arc::new(Heard::default());
    let (session, mut lines) = Session::new(LIMIT, Arc::clone(&heard) as Arc<dyn Listener>);
    let (notices, mut told) = Notices::wanted(true, Some(Level::Debug));
    let listening = Listening { notices: Some(notices), questions: None };
    let mut request = pin!(session.request_with("tools/call", |_| "{}".to_owned(), listening));
    let mut context = Context::from_waker(Waker::noop());
    assert!(request.as_mut().poll(&mut context).is_pending(), "nothing was answered yet");
    let (first, rest) = data.split_at(data.len() / 2);
    session.feed(first);
    session.feed(rest);
    let answer = request.as_mut().poll(&mut context);
    let mut reached = heard.all();
    if let Poll::Ready(answer) = answer {
        reached.push(name(&answer));
    }
    while let Ok(notice) = told.try_recv() {
        let (Notice::Progress(params) | Notice::Log(params)) = notice;
        assert!(params.get().len() <= LIMIT, "a notice is a part of a line");
        reached.push("told");
    }
    assert!(lines.try_recv().is_ok(), "the request was sent");
    while let Ok(line) = lines.try_recv() {
        assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1, "an answer is one line");
        assert!(line.len() <= LIMIT + MAX_ANSWER, "an answer of {} bytes", line.len());
        assert!(serde_json::from_slice::<&RawValue>(&line).is_ok(), "an answer is JSON");
        reached.push("asked");
    }
    reached
}

fn name(answer: &Result<Box<RawValue>, RequestError>) -> &'static str {
    match answer {
        Ok(_) => "answered",
        Err(RequestError::Refused(_)) => "refused",
        Err(RequestError::Ended(_)) => "ended",
        Err(RequestError::Full) => "full",
    }
}

#[derive(Default)]
struct Heard(Mutex<Reached>);

impl Heard {
    fn note(&self, what: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    fn all(&self) -> Reached {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Listener for Heard {
    fn notified(&self, _: &Notification) {
        self.note("notified");
    }

    fn noise(&self, _: &[u8]) {
        self.note("noise");
    }
}
