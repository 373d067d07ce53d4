//! One stream that is kept: whose it is, its log, and whether a connection reads it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context as Turn, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::id::{EventId, StreamId};
use super::log::Log;
use crate::mcp::answer::Context;
use crate::mcp::session::SessionId;
use crate::transport::budget::Share;
use crate::transport::http::reply;

/// Whose a stream is.
#[derive(Clone, Debug)]
pub(in super::super) struct Owner {
    /// The session.
    pub(in super::super) session: SessionId,
    /// Whether each connection begins with an event without data.
    pub(in super::super) is_primed: bool,
    /// Who asked, and where.
    pub(in super::super) context: Context,
}

impl Owner {
    /// Whether a request comes from where the stream was opened.
    pub(super) fn is(&self, session: SessionId, context: &Context) -> bool {
        let own = &self.context;
        self.session == session && own.principal == context.principal && own.view == context.view
    }
}

/// What tells two streams apart.
pub(super) type Key = (SessionId, StreamId);

/// One stream.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) owner: Owner,
    id: StreamId,
    log: Mutex<Log>,
    reader: Mutex<Reader>,
    /// Tells the task of the call that there is room, or that a connection came or went.
    changed: Notify,
}

/// Who reads a stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reader {
    /// A connection.
    Here,
    /// Nobody since then; in this order among those whom nobody reads.
    Away(Instant, u64),
    /// Nobody ever again.
    GivenUp,
}

impl Kept {
    pub(super) fn new(owner: Owner, id: StreamId, share: Share) -> Self {
        let (log, reader) = (Mutex::new(Log::new(share)), Mutex::new(Reader::Here));
        Self { owner, id, log, reader, changed: Notify::new() }
    }

    pub(super) fn key(&self) -> Key {
        (self.owner.session, self.id)
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn reader(&self) -> Reader {
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says who reads it from now on.
    pub(super) fn set(&self, reader: Reader) {
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = reader;
        self.changed.notify_one();
    }

    /// Waits until something is different; whether it is that nobody will read on, which is so after `patience`.
    pub(super) async fn changed(&self, patience: Duration) -> bool {
        let changed = self.changed.notified();
        match self.reader() {
            Reader::GivenUp => true,
            Reader::Here => {
                changed.await;
                false
            }
            Reader::Away(since, _) => timeout_at(since + patience, changed).await.is_err(),
        }
    }

    /// Whether another event has room.
    pub(super) fn has_room(&self) -> bool {
        self.log().has_room()
    }

    /// Whether a connection reads it.
    pub(super) fn is_read(&self) -> bool {
        self.log().is_read()
    }

    /// What comes next on a connection.
    pub(super) fn poll_next(&self, connection: u64, turn: &Turn<'_>) -> Poll<Option<Bytes>> {
        let next = self.log().poll_next(connection, turn);
        next.map(|next| {
            let (event, has_room_again) = next?;
            if has_room_again {
                self.changed.notify_one();
            }
            Some(event)
        })
    }

    /// Writes an event.
    pub(super) fn push(&self, message: &[u8]) {
        let mut log = self.log();
        let event = self.event(log.number(), message);
        log.push(event.into());
    }

    /// Writes the answer, where there is one, and ends.
    pub(super) fn end_with(&self, answer: Option<(Vec<u8>, Share)>) {
        let mut log = self.log();
        if let Some((message, share)) = answer {
            let event = self.event(log.number(), &message);
            log.push_last(reply::held(event, share));
        }
        log.end();
    }

    fn event(&self, number: u64, message: &[u8]) -> Vec<u8> {
        let id = EventId { stream: self.id, number, connection: None };
        reply::event_of(&id.to_string(), message)
    }

    /// The event without data with which a connection begins.
    pub(super) fn priming(&self, number: u64, connection: u64) -> Option<Bytes> {
        let id = EventId { stream: self.id, number, connection: Some(connection) };
        self.owner.is_primed.then(|| reply::priming(&id.to_string()).into())
    }
}
