//! The streams there are, and which of them nobody reads, within bounds.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::id::StreamId;
use super::kept::{Kept, Key, Reader};
use crate::mcp::session::SessionId;

/// Streams of all sessions and of one. Against memory filled by clients that open many; past it, that which nobody has
/// read for longest is given up, and where all are read, there is no room for another.
pub(super) const MAX_STREAMS: usize = 4096;
pub(super) const MAX_OF_SESSION: usize = 64;

/// Calls that run while their clients are away. Against places for calls taken by those who begin some and leave;
/// past it, that which has run so for longest is given up.
pub(super) const MAX_ALONE: usize = 256;

/// The streams.
#[derive(Debug, Default)]
pub(super) struct Table {
    streams: BTreeMap<Key, Arc<Kept>>,
    /// Those that nobody reads, in the order in which they came to that.
    away: BTreeMap<u64, Away>,
    /// The order of the last one that did.
    last: u64,
    /// What all of `away` take.
    bytes: usize,
    running: usize,
    /// How many bytes that may be.
    memory: usize,
}

#[derive(Clone, Copy, Debug)]
struct Away {
    key: Key,
    bytes: usize,
    is_running: bool,
}

impl Away {
    fn of(stream: &Kept) -> Self {
        let log = stream.log();
        Self { key: stream.key(), bytes: log.bytes(), is_running: !log.has_ended() }
    }
}

impl Table {
    /// One that keeps up to so many bytes for clients that are away.
    pub(super) fn new(memory: usize) -> Self {
        Self { memory, ..Self::default() }
    }

    pub(super) fn get(&self, key: Key) -> Option<&Arc<Kept>> {
        self.streams.get(&key)
    }

    /// Adds a stream that is read; `None` where there is no room.
    pub(super) fn add(&mut self, stream: &Arc<Kept>) -> Option<()> {
        let session = stream.owner.session;
        if self.of(session) >= MAX_OF_SESSION {
            self.give_up(|away| away.key.0 == session)?;
        }
        if self.streams.len() >= MAX_STREAMS {
            self.give_up(|_| true)?;
        }
        self.streams.insert(stream.key(), Arc::clone(stream));
        Some(())
    }

    fn of(&self, session: SessionId) -> usize {
        self.streams.range((session, StreamId::default())..=(session, [u8::MAX; 16])).count()
    }

    /// Nobody reads a stream any more.
    pub(super) fn lose(&mut self, stream: &Kept) {
        if !self.streams.contains_key(&stream.key()) {
            return;
        }
        self.last += 1;
        stream.set(Reader::Away(Instant::now(), self.last));
        self.insert(self.last, Away::of(stream));
        self.tidy();
    }

    /// A stream that nobody may read has grown or ended.
    pub(super) fn grew(&mut self, stream: &Kept) {
        if let Reader::Away(_, order) = stream.reader()
            && self.remove(order).is_some()
        {
            self.insert(order, Away::of(stream));
            self.tidy();
        }
    }

    /// A stream is read again.
    pub(super) fn find(&mut self, stream: &Kept) {
        if let Reader::Away(_, order) = stream.reader() {
            self.remove(order);
        }
        stream.set(Reader::Here);
    }

    /// A stream is no more.
    pub(super) fn forget(&mut self, stream: &Kept) {
        if let Reader::Away(_, order) = stream.reader() {
            self.remove(order);
        }
        stream.set(Reader::GivenUp);
        self.streams.remove(&stream.key());
    }

    fn tidy(&mut self) {
        while self.bytes > self.memory && self.give_up(|_| true).is_some() {}
        while self.running > MAX_ALONE && self.give_up(|away| away.is_running).is_some() {}
    }

    /// Gives up that of the chosen which nobody has read for longest; its task ends its call.
    fn give_up(&mut self, chosen: impl Fn(&Away) -> bool) -> Option<()> {
        let (order, _) = self.away.iter().find(|(_, away)| chosen(away))?;
        let away = self.remove(*order)?;
        self.streams.remove(&away.key)?.set(Reader::GivenUp);
        Some(())
    }

    fn insert(&mut self, order: u64, away: Away) {
        self.bytes += away.bytes;
        self.running += usize::from(away.is_running);
        self.away.insert(order, away);
    }

    fn remove(&mut self, order: u64) -> Option<Away> {
        let away = self.away.remove(&order)?;
        self.bytes -= away.bytes;
        self.running -= usize::from(away.is_running);
        Some(away)
    }
}

#[cfg(test)]
mod tests {
    use super::super::kept::Owner;
    use super::*;
    use crate::auth::Principal;
    use crate::catalog::View;
    use crate::mcp::answer::Context;
    use crate::transport::budget::Budget;

    /// Adds the stream of that number to that session.
    fn add(table: &mut Table, session: usize, number: usize) -> Option<Arc<Kept>> {
        let [session, id] = [session, number].map(|number| (number as u128).to_be_bytes());
        let context = Context { principal: Principal::local(), view: View::All };
        let owner = Owner { session, is_primed: false, context };
        let stream = Arc::new(Kept::new(owner, id, Budget::new(1 << 20).share()));
        table.add(&stream)?;
        table.find(&stream);
        stream.log().connect(0);
        Some(stream)
    }

    fn lose(table: &mut Table, stream: &Kept) {
        stream.log().disconnect(1);
        table.lose(stream);
    }

    fn is_given_up(stream: &Kept) -> bool {
        matches!(stream.reader(), Reader::GivenUp)
    }

    #[test]
    fn streams_are_bounded_and_none_that_is_read_is_given_up() {
        let mut table = Table::new(1 << 20);
        let read: Vec<_> =
            (0..MAX_STREAMS).map(|n| add(&mut table, n / MAX_OF_SESSION, n).unwrap()).collect();
        assert!(add(&mut table, 9999, 0).is_none(), "in all");
        lose(&mut table, &read[7]);
        lose(&mut table, &read[3]);
        assert!(add(&mut table, 9999, 0).is_some());
        assert!(is_given_up(&read[7]) && !is_given_up(&read[3]), "the one that nobody has read for longest");
        assert!(add(&mut table, 1, 9999).is_none(), "of a session, all of whose are read");
        assert!(add(&mut table, 0, 9999).is_some() && is_given_up(&read[3]));
        assert_eq!((table.streams.len(), table.away.len()), (MAX_STREAMS, 0));
    }

    #[test]
    fn calls_that_run_for_nobody_are_bounded() {
        let mut table = Table::new(1 << 20);
        let done = add(&mut table, 0, 0).unwrap();
        done.end_with(None);
        lose(&mut table, &done);
        let alone: Vec<_> = (0..=MAX_ALONE).map(|n| add(&mut table, 1 + n, n).unwrap()).collect();
        alone.iter().for_each(|stream| lose(&mut table, stream));
        assert!(is_given_up(&alone[0]) && !is_given_up(&alone[1]) && !is_given_up(&done));
        assert_eq!(table.running, MAX_ALONE);
    }

    #[test]
    fn what_is_kept_for_clients_that_are_away_is_bounded() {
        let mut table = Table::new(1000);
        let streams: Vec<_> = (0..3).map(|n| add(&mut table, n, n).unwrap()).collect();
        for stream in &streams[..2] {
            lose(&mut table, stream);
        }
        for (index, size) in [(0, 300), (1, 300), (2, 5000), (1, 300)] {
            streams[index].push(&vec![b'x'; size]);
            table.grew(&streams[index]);
        }
        let given_up: Vec<_> = streams.iter().map(|stream| is_given_up(stream)).collect();
        assert_eq!(given_up, [true, false, false], "the oldest; and what is read does not count");
        table.find(&streams[1]);
        assert_eq!((table.bytes, table.running), (0, 0));
        lose(&mut table, &streams[2]);
        assert!(is_given_up(&streams[2]), "too large by itself");
        assert_eq!((table.bytes, table.running, table.streams.len()), (0, 0, 1));
    }
}
