//! A log that nobody reads costs lines, never the time of who writes it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use tracing_subscriber::layer::SubscriberExt;

use super::*;

const LONG: Duration = Duration::from_secs(20);

/// A pipe that takes nothing until it is read from, and what was read then.
struct Stuck {
    unblocked: Receiver<()>,
    read: Arc<Mutex<Vec<u8>>>,
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Once the other end is gone, it is unblocked for good.
        let _ = self.unblocked.recv();
        self.read.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Log {
    queue: Queue,
    unblock: Sender<()>,
    read: Arc<Mutex<Vec<u8>>>,
    told: Arc<Mutex<Vec<Dropped>>>,
}

fn stuck() -> Log {
    let (unblock, unblocked) = channel();
    let (read, told) = (Arc::default(), Arc::<Mutex<Vec<Dropped>>>::default());
    let tell = {
        let told = Arc::clone(&told);
        move |dropped| told.lock().unwrap().push(dropped)
    };
    let queue = Queue::start(Stuck { unblocked, read: Arc::clone(&read) }, tell).unwrap();
    Log { queue, unblock, read, told }
}

impl Log {
    fn dropped(&self) -> Dropped {
        self.queue.shared.dropped()
    }

    /// Lets everything be read, and returns it.
    fn read(self) -> (Vec<String>, Vec<Dropped>) {
        drop(self.unblock);
        self.queue.flush(LONG);
        let text = String::from_utf8(self.read.lock().unwrap().clone()).unwrap();
        (text.lines().map(str::to_owned).collect(), self.told.lock().unwrap().clone())
    }
}

#[test]
fn records_are_dropped_last_and_guest_output_first() {
    let log = stuck();
    let lines = MAX_QUEUED / MIN_LINE;
    for _ in 0..lines {
        log.queue.push(Kind::Output, b"output\n".to_vec());
    }
    assert!(log.dropped().output > 0);
    assert_eq!((log.dropped().events, log.dropped().records), (0, 0));
    for _ in 0..lines {
        log.queue.push(Kind::Event, b"event\n".to_vec());
    }
    assert!(log.dropped().events > 0);
    assert_eq!(log.dropped().records, 0);
    for _ in 0..lines {
        log.queue.push(Kind::Record, b"record\n".to_vec());
    }
    let Dropped { output, events, records } = log.dropped();
    assert!(records > 0, "the queue is bounded for them too");
    let (read, told) = log.read();
    let count = |line: &str| read.iter().filter(|read| *read == line).count();
    assert_eq!(count("output") as u64, lines as u64 - output);
    assert_eq!(count("event") as u64, lines as u64 - events);
    assert_eq!(count("record") as u64, lines as u64 - records);
    assert!(count("record") >= lines / 2);
    assert_eq!(told, [Dropped { output, events, records }], "what was dropped is told once");
}

#[test]
fn long_lines_are_counted_by_their_bytes() {
    let log = stuck();
    let line = vec![b'x'; MAX_QUEUED / 8];
    for _ in 0..9 {
        log.queue.push(Kind::Record, line.to_vec());
    }
    assert_eq!(log.dropped().records, 1);
}

#[test]
fn lines_come_out_whole_and_in_order_once_someone_reads() {
    let log = stuck();
    let expected: Vec<_> = (0..1000).map(|n| format!("line {n}")).collect();
    for line in &expected {
        log.queue.push(Kind::Event, format!("{line}\n").into_bytes());
    }
    assert_eq!(log.read().0, expected);
}

#[test]
fn a_flush_does_not_wait_for_ever() {
    let log = stuck();
    log.queue.push(Kind::Event, b"never read\n".to_vec());
    log.queue.flush(Duration::from_millis(20));
    assert!(log.read.lock().unwrap().is_empty());
}

#[test]
fn a_pipe_that_does_not_block_is_written_to_again() {
    struct Moody(u32, Arc<Mutex<Vec<u8>>>);
    impl Write for Moody {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 % 3 {
                0 => Err(ErrorKind::WouldBlock.into()),
                1 => Err(ErrorKind::Interrupted.into()),
                _ => {
                    self.1.lock().unwrap().push(bytes[0]);
                    Ok(1)
                }
            }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let read = Arc::default();
    let queue = Queue::start(Moody(0, Arc::clone(&read)), |_| {}).unwrap();
    queue.push(Kind::Event, b"whole\n".to_vec());
    queue.flush(LONG);
    assert_eq!(*read.lock().unwrap(), b"whole\n");
}

#[test]
fn an_event_is_what_it_is_named() {
    let log = stuck();
    let layer = tracing_subscriber::fmt::layer().with_writer(log.queue.clone());
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        log.queue.push(Kind::Record, vec![b'\n'; MAX_QUEUED / 4]);
        tracing::info!(name: observe::OUTPUT, "guest output");
        assert_eq!(log.dropped(), Dropped { output: 1, ..Dropped::default() });
        log.queue.push(Kind::Record, vec![b'\n'; MAX_QUEUED / 4]);
        tracing::warn!("something");
        assert_eq!(log.dropped(), Dropped { output: 1, events: 1, ..Dropped::default() });
        tracing::info!(name: observe::RECORD, "call");
        tracing::warn!(name: DROPPED, "told");
        assert_eq!(log.dropped().records, 0);
    });
}
