//! Advances the epoch, so that guests which are metered by time yield.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Time between two epochs, and so the time that a guest holds a worker thread at most.
pub(super) const TICK: Duration = Duration::from_millis(2);

/// A thread that advances the epoch of some engines until it is dropped.
pub(super) struct Ticker {
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts ticking.
    pub(super) fn start(engines: Vec<wasmtime::Engine>) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let tick = move || {
            while !stop.load(Ordering::Relaxed) {
                thread::sleep(TICK);
                engines.iter().for_each(wasmtime::Engine::increment_epoch);
            }
        };
        Self { stopped, thread: Some(thread::spawn(tick)) }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It can't panic, and ends within a tick.
            thread.join().ok();
        }
    }
}
