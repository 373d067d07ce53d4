//! Lines of the log on their way out.
//!
//! A pipe that nobody reads blocks whoever writes to it, and a worker that waits for one answers
//! nobody, probes included. So lines are queued here, and one thread writes them. What does not fit
//! is dropped, counted and told: guest output first, the records of calls last.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

use crate::observe;

/// Bytes of lines that wait. Against a log that is produced faster than it is read, or not read.
const MAX_QUEUED: usize = 4 * 1024 * 1024;

/// What a line counts as at least, so that the lines have room where their bytes have.
const MIN_LINE: usize = 512;

/// Bytes that are written at a time.
const BATCH: usize = 64 * 1024;

/// Time in which lines gather before they are written. Waking the thread for each one, and a write each,
/// cost more than a call does.
const GATHER: Duration = Duration::from_millis(5);

/// Pause before writing again to what takes nothing and does not block either.
const RETRY: Duration = Duration::from_millis(10);

/// The name of the event that tells of dropped lines.
pub(super) const DROPPED: &str = "dropped lines";

/// What a line is, from what is dropped first to what is dropped last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Output of a guest.
    Output,
    /// Whatever else happens.
    Event,
    /// The record of a call.
    Record,
}

impl Kind {
    fn of(metadata: &Metadata<'_>) -> Self {
        match metadata.name() {
            observe::OUTPUT => Self::Output,
            observe::RECORD | DROPPED => Self::Record,
            _ => Self::Event,
        }
    }

    /// How full the queue may be with it.
    fn share(self) -> usize {
        match self {
            Self::Output => MAX_QUEUED / 4,
            Self::Event => MAX_QUEUED / 2,
            Self::Record => MAX_QUEUED,
        }
    }
}

/// Lines that were dropped since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) output: u64,
    pub(super) events: u64,
    pub(super) records: u64,
}

/// The queue. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    lines: SyncSender<Line>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Line {
    bytes: Vec<u8>,
    /// What it takes of the queue.
    cost: usize,
}

#[derive(Debug, Default)]
struct Shared {
    /// What the lines take that are not written yet.
    queued: AtomicUsize,
    dropped: [AtomicU64; 3],
}

impl Shared {
    fn dropped(&self) -> Dropped {
        let [output, events, records] = &self.dropped;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Dropped { output: count(output), events: count(events), records: count(records) }
    }
}

impl Queue {
    /// Starts the thread that writes to `out`; it ends with the last clone of the queue. `tell` is
    /// called on it, between two writes, when more lines were dropped than it was told of.
    pub(super) fn start(
        out: impl Write + Send + 'static,
        tell: impl Fn(Dropped) + Send + 'static,
    ) -> io::Result<Self> {
        let (lines, received) = sync_channel(MAX_QUEUED / MIN_LINE);
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        thread::Builder::new().name("log".to_owned()).spawn(move || run(&received, &theirs, out, tell))?;
        Ok(Self { lines, shared })
    }

    /// Queues the line of an event, or drops it. Never waits.
    pub(super) fn push_event(&self, metadata: &Metadata<'_>, line: Vec<u8>) {
        self.push(Kind::of(metadata), line);
    }

    /// Queues a line, or drops it. Never waits.
    pub(super) fn push(&self, kind: Kind, bytes: Vec<u8>) {
        let cost = bytes.len().max(MIN_LINE);
        let queued = self.shared.queued.fetch_add(cost, Ordering::Relaxed) + cost;
        let line = || Line { bytes, cost };
        if queued > kind.share() || self.lines.try_send(line()).is_err() {
            self.shared.queued.fetch_sub(cost, Ordering::Relaxed);
            self.shared.dropped[kind as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until what was queued is written, but no longer than `limit`.
    pub(super) fn flush(&self, limit: Duration) {
        let end = Instant::now() + limit;
        while self.shared.queued.load(Ordering::Relaxed) > 0 && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn run(lines: &Receiver<Line>, shared: &Shared, mut out: impl Write, tell: impl Fn(Dropped)) {
    let mut batch = Vec::new();
    let mut told = Dropped::default();
    while let Ok(first) = lines.recv() {
        if shared.queued.load(Ordering::Relaxed) < BATCH {
            thread::sleep(GATHER);
        }
        let mut cost = 0;
        for line in std::iter::once(first).chain(lines.try_iter()) {
            batch.extend_from_slice(&line.bytes);
            cost += line.cost;
            if batch.len() >= BATCH {
                break;
            }
        }
        // Nobody is left to tell if stderr is gone.
        drop(write_all(&mut out, &batch));
        batch.clear();
        shared.queued.fetch_sub(cost, Ordering::Relaxed);
        let dropped = shared.dropped();
        if dropped != told {
            told = dropped;
            tell(dropped);
        }
    }
}

/// As the standard one, but patient: whoever shares a pipe may have made it one that does not block.
fn write_all(out: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY),
            Err(error) => return Err(error),
        }
    }
    out.flush()
}

/// Takes the text of one event.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    queue: &'a Queue,
    kind: Kind,
}

impl Write for Entry<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.queue.push(self.kind, bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Entry<'a>;

    fn make_writer(&'a self) -> Entry<'a> {
        Entry { queue: self, kind: Kind::Event }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Entry<'a> {
        Entry { queue: self, kind: Kind::of(metadata) }
    }
}

#[cfg(test)]
mod tests;
