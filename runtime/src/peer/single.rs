//! One request whose answer comes on a stream of its own, as over HTTP, and with it all that the server tells and asks
//! for it.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::message::{self, Message, Refusal};
use super::session::{Listener, Listening, Pending};
use super::{asked, notices};

/// A request without an answer.
pub(crate) struct Single {
    id: u64,
    pending: HashMap<u64, Pending>,
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
    /// The request of that id.
    pub(crate) fn new(id: u64, listening: Listening, listener: Arc<dyn Listener>) -> Self {
        let pending = HashMap::from([(id, Pending::of(listening))]);
        Self { id, pending, listener }
    }

    /// Takes a message that the server sent.
    pub(crate) fn take(&mut self, message: &[u8]) -> Taken {
        match message::parse(message) {
            Some(Message::Response(id, answer)) if id == self.id => {
                self.pending.clear();
                Taken::Answer(answer)
            }
            Some(Message::Response(..)) => Taken::Heard,
            Some(Message::Request(asked)) => match asked::pass_on(&self.pending, asked) {
                Some(reply) => Taken::Reply(reply),
                None => Taken::Heard,
            },
            Some(Message::Notification(notification)) => {
                let rest = notices::tell(&self.pending, notification);
                rest.into_iter().for_each(|notification| self.listener.notified(&notification));
                Taken::Heard
            }
            None => Taken::Noise,
        }
    }
}
