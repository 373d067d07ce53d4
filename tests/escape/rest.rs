//! A gateway at rest: what it holds open and does while nobody calls.
//!
//! Whatever a call leaves behind, be it a file, a connection, a timer or a task, shows here as a
//! descriptor too many, as processor time, or as a file that still changes.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long the last work of a call may take to end after the call.
const ENDED: Duration = Duration::from_secs(5);

/// Over which processor time is measured.
const WINDOW: Duration = Duration::from_millis(200);

/// Processor time in a window that is no work: the kernel counts in hundredths of a second.
const IDLE: u64 = 1;

/// What one gateway has open at rest.
pub(crate) struct Rest {
    pid: u32,
    descriptors: usize,
}

impl Rest {
    /// Of a gateway that has answered already, and now is left alone.
    pub(crate) async fn of(pid: u32) -> Self {
        let mut rest = Self { pid, descriptors: usize::MAX };
        rest.regained("at the start").await;
        rest.descriptors = rest.open().len();
        rest
    }

    /// Waits until no more is open than at the start, and nothing works any more.
    ///
    /// # Panics
    /// When that does not come.
    pub(crate) async fn regained(&self, name: &str) {
        let end = Instant::now() + ENDED;
        loop {
            let before = self.worked();
            tokio::time::sleep(WINDOW).await;
            let (worked, open) = (self.worked() - before, self.open());
            if worked <= IDLE && open.len() <= self.descriptors {
                return;
            }
            assert!(
                Instant::now() < end,
                "{name}: work outlives its call: {} ms in {WINDOW:?}, and {} descriptors where \
                 there were {}: {open:#?}",
                worked * 10,
                open.len(),
                self.descriptors
            );
        }
    }

    /// What its descriptors stand for.
    fn open(&self) -> Vec<PathBuf> {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.pid)).unwrap().map_while(Result::ok);
        // One that is closed meanwhile is not open.
        descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok()).collect()
    }

    /// Processor time of all its threads so far, in hundredths of a second.
    fn worked(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap();
        // The name, which is in brackets, may hold spaces.
        let (_, rest) = stat.rsplit_once(')').unwrap();
        let times = rest.split_whitespace().skip(11).take(2);
        times.map(|time| time.parse::<u64>().unwrap()).sum()
    }
}
