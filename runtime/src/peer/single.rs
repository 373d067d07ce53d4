//! Messages that come on streams of their own, as over HTTP: that of a request brings its answer, and all that the server
//! tells and asks for it; another what it tells and asks besides.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::value::RawValue;

use super::message::{self, Message, Refusal};
use super::session::{Listener, Listening, Pending};
use super::{asked, notices};

/// Requests without an answer, of one conversation.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<HashMap<u64, Pending>>>);

impl Calls {
    /// One more, which has an id of its own.
    pub(crate) fn add(&self, id: u64, listening: Listening) {
        self.all().insert(id, Pending::of(listening));
    }

    /// One that is over.
    pub(crate) fn remove(&self, id: u64) {
        self.all().remove(&id);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<u64, Pending>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream of messages, and the requests that they may be for: the one whose answer it brings, or those of a
/// conversation.
pub(crate) struct Single {
    id: Option<u64>,
    calls: Calls,
    listener: Arc<dyn Listener>,
}

/// What a message of the stream was.
#[derive(Debug)]
pub(crate) enum Taken {
    /// The answer.
    Answer(Result<Box<RawValue>, Refusal>),
    /// A request of the server, which this message answers.
    Reply(Vec<u8>),
    /// Passed on, or not for this request.
    Heard,
    /// No message.
    Noise,
}

impl Single {
    /// That of the request of that id.
    pub(crate) fn new(id: u64, listening: Listening, listener: Arc<dyn Listener>) -> Self {
        let calls = Calls::default();
        calls.add(id, listening);
        Self { id: Some(id), calls, listener }
    }

    /// One that brings no answer.
    pub(crate) fn beside(calls: Calls, listener: Arc<dyn Listener>) -> Self {
        Self { id: None, calls, listener }
    }

    /// Takes a message that the server sent.
    pub(crate) fn take(&mut self, message: &[u8]) -> Taken {
        match message::parse(message) {
            Some(Message::Response(id, answer)) if Some(id) == self.id => {
                self.calls.remove(id);
                Taken::Answer(answer)
            }
            Some(Message::Response(..)) => Taken::Heard,
            Some(Message::Request(asked)) => match asked::pass_on(&self.calls.all(), asked) {
                Some(reply) => Taken::Reply(reply),
                None => Taken::Heard,
            },
            Some(Message::Notification(notification)) => {
                let rest = notices::tell(&self.calls.all(), notification);
                rest.into_iter().for_each(|notification| self.listener.notified(&notification));
                Taken::Heard
            }
            None => Taken::Noise,
        }
    }
}
