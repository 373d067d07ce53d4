//! The streams of this process: begun, gone on with, and given up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use super::id::{EventId, StreamId};
use super::kept::{Kept, Owner};
use super::reading::Reading;
use super::running::Running;
use super::table::Table;
use crate::error::Error;
use crate::mcp::answer::Context;
use crate::mcp::session::SessionId;
use crate::transport::budget::{Share, UNIT};

/// One part in so many of the memory for answers is for clients that are away. Against answers that nobody fetches in
/// the way of those that somebody waits for; past it, what nobody has read for longest is given up.
const MEMORY_PART: usize = 8;

/// All streams that can be gone on with.
#[derive(Debug)]
pub(in super::super) struct Store {
    /// How long one is kept that nobody reads.
    patience: Duration,
    table: Mutex<Table>,
    /// Their calls.
    tasks: Mutex<JoinSet<()>>,
}

impl Store {
    /// For a gateway whose answers may take so many bytes.
    pub(in super::super) fn new(patience: Duration, answers: usize) -> Arc<Self> {
        let table = Mutex::new(Table::new(answers / MEMORY_PART));
        Arc::new(Self { patience, table, tasks: Mutex::default() })
    }

    /// Begins a stream, with its first connection; `None` where there is no room for another.
    pub(in super::super) fn open(self: &Arc<Self>, owner: Owner, mut share: Share) -> Option<Reading> {
        share.answer(UNIT).ok()?;
        let mut id = StreamId::default();
        getrandom::fill(&mut id).expect("the system has random bytes");
        let stream = Arc::new(Kept::new(owner, id, share));
        let mut table = self.table();
        table.add(&stream)?;
        Some(self.read(&mut table, &stream, 0))
    }

    /// A new connection to the stream of an event, after that event. `None` if nothing comes after it.
    ///
    /// # Errors
    /// [`Error::EventUnknown`] if there is no such stream of whoever asks, or any more, or not here.
    pub(in super::super) fn resume(
        self: &Arc<Self>,
        id: EventId,
        session: SessionId,
        context: &Context,
    ) -> Result<Option<Reading>, Error> {
        let mut table = self.table();
        let stream = table.get((session, id.stream)).cloned();
        let stream = stream.filter(|stream| stream.owner.is(session, context) && stream.log().has(id.number));
        let stream = stream.ok_or(Error::EventUnknown(
            "its stream is not kept here: it ended or broke off too long ago, or is of another session or replica",
        ))?;
        if stream.log().is_last(id.number) {
            return Ok(None);
        }
        Ok(Some(self.read(&mut table, &stream, id.number)))
    }

    fn read(self: &Arc<Self>, table: &mut Table, stream: &Arc<Kept>, after: u64) -> Reading {
        table.find(stream);
        let connection = stream.log().connect(after);
        Reading::new(Arc::clone(self), Arc::clone(stream), connection, stream.priming(after, connection))
    }

    /// A connection is gone.
    pub(super) fn leave(&self, stream: &Kept, connection: u64) {
        let mut table = self.table();
        let was_read = stream.log().disconnect(connection);
        if was_read {
            table.lose(stream);
        }
    }

    /// Something was written to a stream.
    pub(super) fn grew(&self, stream: &Kept) {
        if !stream.is_read() {
            self.table().grew(stream);
        }
    }

    /// Forgets a stream; where it is still read, it ends.
    pub(super) fn forget(&self, stream: &Kept) {
        self.table().forget(stream);
        stream.log().end();
    }

    /// Runs the call of a stream until nobody may ask for its events any more.
    pub(in super::super) fn run(&self, running: Running) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(running.drive(self.patience));
    }

    /// Gives up all of them, since nobody can come back.
    pub(in super::super) async fn end(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
