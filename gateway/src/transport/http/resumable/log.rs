//! The events of one stream: those that its client may still ask for again, and those that it has yet to get.
//!
//! One connection reads at a time; the next one takes the place of the one before.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::transport::budget::Share;

/// Events of a stream, and bytes of them besides the answer. Against a tool that tells much to a client that is away
/// or slow; past it, what was sent is forgotten, and what was not waits where the tool told it.
pub(super) const MAX_EVENTS: usize = 256;
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// What a stream has come to.
#[derive(Debug)]
pub(super) struct Log {
    events: VecDeque<Bytes>,
    /// The number of the first of them.
    first: u64,
    /// The number of the one that is to be sent next.
    next: u64,
    bytes: usize,
    /// Of the memory for answers, for these bytes.
    share: Share,
    is_covered: bool,
    has_ended: bool,
    /// The connection that reads; those before have smaller numbers.
    connection: u64,
    is_read: bool,
    waker: Option<Waker>,
}

impl Log {
    /// An empty one; its share covers few bytes already.
    pub(super) fn new(share: Share) -> Self {
        Self {
            events: VecDeque::new(),
            first: 1,
            next: 1,
            bytes: 0,
            share,
            is_covered: true,
            has_ended: false,
            connection: 0,
            is_read: false,
            waker: None,
        }
    }

    /// The number of the next event that is pushed.
    pub(super) fn number(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    /// Bytes that it keeps.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_read(&self) -> bool {
        self.is_read
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Adds an event; whether there is room for another.
    pub(super) fn push(&mut self, event: Bytes) {
        self.bytes += event.len();
        self.events.push_back(event);
        self.trim();
        self.wake();
    }

    /// Adds the answer, which has memory of its own.
    pub(super) fn push_last(&mut self, event: Bytes) {
        self.bytes += event.len();
        self.events.push_back(event);
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self) {
        self.has_ended = true;
        self.wake();
    }

    /// Whether there is room for another event.
    pub(super) fn has_room(&self) -> bool {
        self.is_covered && self.fits()
    }

    fn fits(&self) -> bool {
        self.events.len() < MAX_EVENTS && self.bytes < MAX_BYTES
    }

    /// Forgets what was sent, the oldest first, until the rest has room.
    fn trim(&mut self) {
        loop {
            self.is_covered = self.share.grow_to(self.bytes).is_ok();
            if self.has_room() || self.first >= self.next {
                return;
            }
            let Some(event) = self.events.pop_front() else { return };
            self.bytes -= event.len();
            self.first += 1;
        }
    }

    /// Whether an event of that number, or none yet, may be the last that the client has.
    pub(super) fn has(&self, number: u64) -> bool {
        number < self.number()
    }

    /// Whether that event is the last that there will be.
    pub(super) fn is_last(&self, number: u64) -> bool {
        self.has_ended && number + 1 == self.number()
    }

    /// A new connection reads on after that event; what the result names is the connection.
    pub(super) fn connect(&mut self, after: u64) -> u64 {
        self.connection += 1;
        self.is_read = true;
        self.next = (after + 1).max(self.first);
        self.wake();
        self.connection
    }

    /// A connection is gone; whether it was the one that read.
    pub(super) fn disconnect(&mut self, connection: u64) -> bool {
        let was_read = self.is_read && connection == self.connection;
        if was_read {
            self.is_read = false;
            self.waker = None;
        }
        was_read
    }

    /// The next event for a connection, and whether there is room again that there was not before. `None` at the
    /// end, and once another reads.
    pub(super) fn poll_next(&mut self, connection: u64, cx: &Context<'_>) -> Poll<Option<(Bytes, bool)>> {
        if connection != self.connection {
            return Poll::Ready(None);
        }
        let index = usize::try_from(self.next - self.first).unwrap_or(usize::MAX);
        if let Some(event) = self.events.get(index).cloned() {
            self.next += 1;
            let had_room = self.has_room();
            if !had_room && !self.has_ended {
                self.trim();
            }
            return Poll::Ready(Some((event, !had_room && self.has_room())));
        }
        if self.has_ended {
            return Poll::Ready(None);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn wake(&mut self) {
        self.waker.take().into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::budget::Budget;

    fn log(budget: &Budget) -> Log {
        let mut log = Log::new(budget.share());
        log.connect(0);
        log
    }

    /// Reads all that there is.
    fn read(log: &mut Log, connection: u64) -> Vec<Bytes> {
        let mut events = Vec::new();
        while let Poll::Ready(Some((event, _))) =
            log.poll_next(connection, &Context::from_waker(Waker::noop()))
        {
            events.push(event);
        }
        events
    }

    #[test]
    fn what_was_not_sent_is_kept_and_more_waits_until_there_is_room() {
        let mut log = log(&Budget::new(1 << 20));
        for _ in 0..MAX_EVENTS {
            assert!(log.has_room());
            log.push(Bytes::from_static(b"x"));
        }
        assert!(!log.has_room());
        let Poll::Ready(Some((_, has_room_again))) = log.poll_next(1, &Context::from_waker(Waker::noop()))
        else {
            panic!("there are events");
        };
        assert!(has_room_again && log.has_room());
        assert_eq!(read(&mut log, 1).len(), MAX_EVENTS - 1);
    }

    #[test]
    fn of_what_was_sent_the_newest_is_kept_in_so_many_events_and_bytes() {
        for (size, kept) in [(1, MAX_EVENTS - 1), (MAX_BYTES / 8, 7)] {
            let mut log = log(&Budget::new(16 << 20));
            for _ in 0..2 * MAX_EVENTS {
                log.push(vec![b'x'; size].into());
                read(&mut log, 1);
            }
            assert!(log.has_room() && log.bytes() < MAX_BYTES);
            assert_eq!(log.connect(0), 2);
            assert_eq!(read(&mut log, 2).len(), kept);
        }
    }

    #[test]
    fn where_memory_is_short_one_event_waits_and_what_was_sent_is_forgotten() {
        let budget = Budget::new(64 * 1024);
        let mut log = log(&budget);
        let mut others = budget.share();
        assert!(others.grow_to(40 * 1024).is_ok());
        log.push(vec![b'x'; 30 * 1024].into());
        assert!(!log.has_room());
        assert_eq!(read(&mut log, 1).len(), 1);
        assert!(log.has_room());
        assert_eq!(log.bytes(), 0);
        drop(others);
    }

    #[test]
    fn a_connection_that_was_replaced_reads_nothing_and_its_end_is_none() {
        let mut log = log(&Budget::new(1 << 20));
        log.push(Bytes::from_static(b"x"));
        let second = log.connect(0);
        assert!(read(&mut log, 1).is_empty());
        assert!(!log.disconnect(1) && log.is_read());
        assert_eq!(read(&mut log, second).len(), 1);
        assert!(log.disconnect(second) && !log.is_read());
    }
}
