//! The threads that long calls run on: each takes who is next, runs one slice, and looks again.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use async_task::Runnable;

use super::queue::RunQueue;

/// How much the threads step back behind all others of the process: by Linux's weights, where one of
/// each kind wants a core, a tenth of it is theirs. It needs no rights; nobody could take it back.
const NICE: i32 = 10;

/// What the threads share.
#[derive(Debug)]
pub(super) struct Threads {
    state: Mutex<State>,
    /// Told when somebody waits for a turn, at the end, and when a thread has ended.
    news: Condvar,
}

#[derive(Debug)]
struct State {
    queue: RunQueue<Runnable>,
    stopped: bool,
    /// Threads that have not ended.
    running: usize,
}

impl Threads {
    pub(super) fn start(count: usize) -> io::Result<Arc<Self>> {
        let state = State { queue: RunQueue::for_threads(count), stopped: false, running: 0 };
        let threads = Arc::new(Self { state: Mutex::new(state), news: Condvar::new() });
        for n in 0..count {
            threads.state().running += 1;
            let own = Arc::clone(&threads);
            let started = thread::Builder::new().name(format!("guest-{n}")).spawn(move || own.work());
            if let Err(error) = started {
                threads.leave();
                threads.stop();
                return Err(error);
            }
        }
        Ok(threads)
    }

    /// Lets one slice wait for its turn. After the end it is dropped, and its call with it.
    pub(super) fn push(&self, lane: u64, slice: Runnable) {
        let mut state = self.state();
        if state.stopped {
            drop(state);
            drop(slice);
            return;
        }
        state.queue.push(lane, slice);
        drop(state);
        self.news.notify_one();
    }

    /// Ends the threads, each after the slice that it is in, and drops what waits.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        let queue = std::mem::replace(&mut state.queue, RunQueue::for_threads(1));
        drop(state);
        self.news.notify_all();
        // Not under the lock: a call that is dropped may wake another one.
        drop(queue);
    }

    /// Waits until all threads have ended, but no longer than `limit`.
    pub(super) fn ended(&self, limit: Duration) {
        let running = |state: &mut State| state.running > 0;
        drop(self.news.wait_timeout_while(self.state(), limit, running));
    }

    fn leave(&self) {
        self.state().running -= 1;
        self.news.notify_all();
    }

    fn work(&self) {
        step_back();
        while let Some((lane, slice)) = self.next() {
            // A call that panics hands that on to whoever waits for it; what gets here is from a drop.
            drop(catch_unwind(AssertUnwindSafe(|| slice.run())));
            // Whoever else wants this core gets it now and not when the system's own slice is over.
            thread::yield_now();
            self.done(lane);
        }
        self.leave();
    }

    /// Whoever waits for a turn in this lane may be one that another thread had to pass by.
    fn done(&self, lane: u64) {
        self.state().queue.done(lane);
        self.news.notify_one();
    }

    fn next(&self) -> Option<(u64, Runnable)> {
        let mut state = self.state();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(turn) = state.queue.pop() {
                return Some(turn);
            }
            state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lowers the priority of this thread alone, as the system counts: other systems than Linux lower that
/// of the process, so there it stays.
fn step_back() {
    #[cfg(target_os = "linux")]
    // Where it is forbidden, guests get a fair share instead of what is left over.
    let _forbidden = rustix::process::setpriority_process(None, NICE);
}
