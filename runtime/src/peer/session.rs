//! One conversation with an MCP server: which answer belongs to which request.
//!
//! Knows no process and no socket: whoever holds the streams [`feed`](Session::feed)s what comes and
//! writes the lines that the session gives out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};

use super::asked::{self, Asked, Questions};
use super::lines::Lines;
use super::message::{self, Message, Notification, Refusal};
use super::notices;
use crate::notice::Notices;

/// Lines that wait to be written. Whoever sends more waits. Against a server that does not read.
const MAX_WAITING: usize = 64;

/// Requests without an answer. Against memory filled for a server that answers none.
const MAX_PENDING: usize = 1024;

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The server closed its output, or is gone.
    #[error("{0}")]
    Gone(String),
    /// It sent a message that is too long.
    #[error("it sent a message of more than {limit} bytes")]
    TooLong {
        /// Bytes that a message may have.
        limit: usize,
    },
}

/// Why a request has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The server answered with an error.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The session is over.
    #[error("{0}")]
    Ended(#[from] Ended),
    /// Too many requests wait for an answer.
    #[error("{MAX_PENDING} requests wait for an answer already")]
    Full,
}

/// Hears what a server says unasked. Must not block.
pub trait Listener: Send + Sync {
    /// A notification.
    fn notified(&self, notification: &Notification);
    /// A line that is no message: many programs log where only messages may stand.
    fn noise(&self, line: &[u8]);
}

/// A conversation. Cheap to clone.
#[derive(Clone)]
pub struct Session(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    limit: usize,
    listener: Arc<dyn Listener>,
}

struct State {
    received: Lines,
    /// `None` once it is over: then whoever writes them has no more to wait for.
    lines: Option<mpsc::Sender<Vec<u8>>>,
    pending: HashMap<u64, Pending>,
    last: u64,
    ended: Option<Ended>,
}

/// Who hears what a server says and asks while a request runs.
#[derive(Clone, Default)]
pub struct Listening {
    /// Hears what it tells.
    pub notices: Option<Notices>,
    /// Hears what it asks; `None` where nobody can be asked.
    pub questions: Option<Questions>,
}

/// A request without an answer.
pub(super) struct Pending {
    /// Who waits for it; nobody where the answer comes on a stream of its own.
    answer: Option<oneshot::Sender<Answer>>,
    /// Where what the server tells meanwhile goes.
    pub(super) notices: Option<Notices>,
    /// Where what the server asks for it goes.
    pub(super) questions: Option<Questions>,
}

impl Pending {
    /// One whose answer comes on a stream of its own.
    pub(super) fn of(Listening { notices, questions }: Listening) -> Self {
        Self { answer: None, notices, questions }
    }
}

type Answer = Result<Box<RawValue>, Refusal>;

/// The id of a request, where its line goes, and where its answer comes.
type Registered = (u64, mpsc::Sender<Vec<u8>>, oneshot::Receiver<Answer>);

impl State {
    fn gone(&self) -> RequestError {
        let ended = self.ended.clone();
        ended.unwrap_or_else(|| Ended::Gone("it takes no more requests".to_owned())).into()
    }
}

impl Session {
    /// A session whose messages from the server have up to `limit` bytes, and the lines that are to be
    /// written to it.
    pub fn new(limit: usize, listener: Arc<dyn Listener>) -> (Self, mpsc::Receiver<Vec<u8>>) {
        let (lines, written) = mpsc::channel(MAX_WAITING);
        let state = State {
            received: Lines::up_to(limit),
            lines: Some(lines),
            pending: HashMap::new(),
            last: 0,
            ended: None,
        };
        (Self(Arc::new(Shared { state: Mutex::new(state), limit, listener })), written)
    }

    /// Takes bytes that the server wrote.
    pub fn feed(&self, bytes: &[u8]) {
        self.state().received.push(bytes);
        loop {
            let line = self.state().received.next();
            match line {
                Ok(Some(line)) => self.take(&line),
                Ok(None) => return,
                Err(_) => return self.end(Ended::TooLong { limit: self.0.limit }),
            }
        }
    }

    /// Ends the session; requests without an answer fail with the first reason given.
    pub fn end(&self, why: Ended) {
        let pending = {
            let mut state = self.state();
            state.ended.get_or_insert(why);
            state.received = Lines::up_to(0);
            state.lines = None;
            std::mem::take(&mut state.pending)
        };
        drop(pending);
    }

    /// Why it is over; `None` while it goes on.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        self.state().ended.clone()
    }

    /// Sends a request, of which `params` is a JSON object, and waits for its result. When the future is
    /// dropped, the server is told that nobody waits any more.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn request(&self, method: &str, params: &str) -> Result<Box<RawValue>, RequestError> {
        self.request_with(method, |_| params.to_owned(), Listening::default()).await
    }

    /// The same with parameters that depend on the request's id, by which the server names it in what it
    /// tells meanwhile.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn request_with(
        &self,
        method: &str,
        params: impl FnOnce(u64) -> String,
        listening: Listening,
    ) -> Result<Box<RawValue>, RequestError> {
        let (id, lines, answer) = self.register(listening)?;
        let mut waiting = Waiting { session: self, id, method, sent: false };
        let line = message::request(id, method, &params(id));
        if lines.send(line).await.is_err() {
            return Err(self.gone());
        }
        drop(lines);
        waiting.sent = true;
        let answer = answer.await;
        waiting.sent = false;
        match answer {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(self.gone()),
        }
    }

    /// Sends a notification, unless the server reads too slowly for that.
    pub fn notify(&self, method: &str, params: &str) {
        self.send(message::notification(method, params));
    }

    /// Answers what the server asked, by a result, a JSON object, or by why there is none.
    pub fn answer(&self, asked: &Asked, answer: Result<&RawValue, &str>) {
        self.send(match answer {
            Ok(result) => message::result(&asked.id, result),
            Err(why) => message::refusal(&asked.id, why),
        });
    }

    fn send(&self, line: Vec<u8>) {
        if let Some(lines) = &self.state().lines {
            drop(lines.try_send(line));
        }
    }

    fn register(&self, listening: Listening) -> Result<Registered, RequestError> {
        let mut state = self.state();
        let Some(lines) = state.lines.clone() else { return Err(state.gone()) };
        if state.pending.len() >= MAX_PENDING {
            return Err(RequestError::Full);
        }
        state.last += 1;
        let (id, (sender, receiver)) = (state.last, oneshot::channel());
        state.pending.insert(id, Pending { answer: Some(sender), ..Pending::of(listening) });
        Ok((id, lines, receiver))
    }

    fn take(&self, line: &[u8]) {
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        match message::parse(line) {
            Some(Message::Response(id, answer)) => {
                let waiting = self.state().pending.remove(&id);
                // An answer to a request that was withdrawn.
                let Some(waiting) = waiting.and_then(|waiting| waiting.answer) else { return };
                drop(waiting.send(answer));
            }
            Some(Message::Request(asked)) => {
                let answer = asked::pass_on(&self.state().pending, asked);
                answer.into_iter().for_each(|line| self.send(line));
            }
            Some(Message::Notification(notification)) => {
                let rest = notices::tell(&self.state().pending, notification);
                rest.into_iter().for_each(|notification| self.0.listener.notified(&notification));
            }
            None => self.0.listener.noise(line),
        }
    }

    fn gone(&self) -> RequestError {
        self.state().gone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request without an answer; dropped, it is withdrawn.
struct Waiting<'a> {
    session: &'a Session,
    id: u64,
    method: &'a str,
    /// Sent, and not answered.
    sent: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.session.state().pending.remove(&self.id);
        // The specification forbids to cancel `initialize`.
        if self.sent && self.method != "initialize" {
            self.session.notify("notifications/cancelled", &format!("{{\"requestId\":{}}}", self.id));
        }
    }
}

#[cfg(test)]
mod tests;
