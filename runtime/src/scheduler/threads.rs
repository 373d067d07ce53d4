//! The threads that long calls run on: each takes who is next, runs one slice, and looks again.
//!
//! There are as many of each [`Priority`], and those take turns that are on [`Duty`]. One more thread
//! watches over that.

use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use async_task::Runnable;

use super::duty::{Duty, PATIENCE, RETRY, TRIAL};
use super::priority::Priority;
use super::queue::RunQueue;
use super::timed::processor_time;

/// What an idle thread computes to see how it gets on: as much as a slice of a call.
const TRIAL_WORK: Duration = Duration::from_micros(500);

/// What the threads share.
#[derive(Debug)]
pub(super) struct Threads {
    state: Mutex<State>,
    /// Threads of each priority are told here when somebody waits for a turn, and when their duty begins.
    turns: [Condvar; Priority::ALL.len()],
    /// The watch is told when somebody wants a turn, and whoever waits for the end when a thread has ended.
    news: Condvar,
}

#[derive(Debug)]
struct State {
    queue: RunQueue<Runnable>,
    duty: Duty,
    /// The watch waits until somebody wants a turn.
    watch_rests: bool,
    stopped: bool,
    /// Threads that have not ended.
    running: usize,
}

/// What a thread is to do next.
enum Next {
    Turn(u64, Runnable),
    Trial,
}

impl State {
    /// Notes that a turn begins.
    fn begins(&mut self, priority: Priority, n: usize) {
        let now = Instant::now();
        self.duty.taken(now, !self.queue.is_empty());
        if priority == Priority::Idle {
            self.duty.holds(n, Some(now));
        }
    }
}

impl Threads {
    /// Starts so many threads of each priority, and the watch.
    pub(super) fn start(count: usize) -> io::Result<Arc<Self>> {
        let state = State {
            queue: RunQueue::for_threads(count),
            duty: Duty::of(count),
            watch_rests: false,
            stopped: false,
            running: 0,
        };
        let turns = [Condvar::new(), Condvar::new()];
        let threads = Arc::new(Self { state: Mutex::new(state), turns, news: Condvar::new() });
        threads.spawn("guest-watch".to_owned(), Self::watch)?;
        for priority in Priority::ALL {
            for n in 0..count {
                threads.spawn(format!("{}-{n}", priority.name()), move |own| own.work(priority, n))?;
            }
        }
        Ok(threads)
    }

    /// Starts a thread, or stops those there are.
    fn spawn(self: &Arc<Self>, name: String, run: impl FnOnce(&Self) + Send + 'static) -> io::Result<()> {
        self.state().running += 1;
        let own = Arc::clone(self);
        let body = move || {
            run(&own);
            own.leave();
        };
        thread::Builder::new().name(name).spawn(body).map(drop).inspect_err(|_| {
            self.leave();
            self.stop();
        })
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
        state.duty.asked(Instant::now());
        if mem::take(&mut state.watch_rests) {
            self.news.notify_all();
        }
        self.tell_one(state);
    }

    /// Ends the threads, each after the slice that it is in, and drops what waits.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        let queue = mem::replace(&mut state.queue, RunQueue::for_threads(1));
        drop(state);
        self.turns.iter().for_each(Condvar::notify_all);
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

    fn work(&self, priority: Priority, n: usize) {
        priority.take();
        while let Some(next) = self.next(priority, n) {
            match next {
                Next::Turn(lane, slice) => {
                    // A call that panics hands that on to whoever waits for it; what gets here is from a drop.
                    drop(catch_unwind(AssertUnwindSafe(|| slice.run())));
                    // Whoever else wants this core gets it now and not when the system's own slice is over.
                    thread::yield_now();
                    self.done(lane, priority, n);
                }
                Next::Trial => {
                    compute(TRIAL_WORK);
                    self.end_trial(true);
                }
            }
        }
    }

    fn next(&self, priority: Priority, n: usize) -> Option<Next> {
        let mut state = self.state();
        loop {
            if state.stopped {
                return None;
            }
            if priority == Priority::Idle && state.duty.is_trial() {
                return Some(Next::Trial);
            }
            if state.duty.is_on(priority)
                && let Some((lane, slice)) = state.queue.pop(priority)
            {
                state.begins(priority, n);
                return Some(Next::Turn(lane, slice));
            }
            state = self.turns[priority as usize].wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whoever waits for a turn in this lane may be one that another thread had to pass by.
    fn done(&self, lane: u64, priority: Priority, n: usize) {
        let mut state = self.state();
        state.queue.done(lane, priority);
        if priority == Priority::Idle {
            state.duty.holds(n, None);
        }
        self.tell_one(state);
    }

    /// Tells one thread of those on duty that somebody waits.
    fn tell_one(&self, state: MutexGuard<'_, State>) {
        let on = Priority::ALL.into_iter().find(|&priority| state.duty.is_on(priority));
        drop(state);
        if let Some(priority) = on {
            self.turns[priority as usize].notify_one();
        }
    }

    fn end_trial(&self, passed: bool) {
        self.state().duty.end_trial(Instant::now(), passed);
        self.turns.iter().for_each(Condvar::notify_all);
    }

    /// Relieves idle threads that are starved, and has them try again.
    fn watch(&self) {
        while self.rest_until_needed() {
            self.pause(PATIENCE);
            if !self.state().duty.relieve(Instant::now()) {
                continue;
            }
            self.turns[Priority::Low as usize].notify_all();
            while !self.state().stopped && !self.state().duty.is_on(Priority::Idle) {
                self.pause(RETRY);
                self.state().duty.begin_trial();
                self.turns[Priority::Idle as usize].notify_one();
                self.pause(TRIAL);
                self.end_trial(false);
            }
        }
    }

    /// Waits for somebody who wants a turn. Returns whether there is more to watch.
    fn rest_until_needed(&self) -> bool {
        let mut state = self.state();
        while !state.stopped && !state.duty.is_needed() {
            state.watch_rests = true;
            state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        !state.stopped
    }

    /// Waits for that time, or the end.
    fn pause(&self, time: Duration) {
        let going = |state: &mut State| !state.stopped;
        drop(self.news.wait_timeout_while(self.state(), time, going));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes so much of a processor, however long that is on the wall.
fn compute(time: Duration) {
    let since = processor_time();
    while processor_time().saturating_sub(since) < time {
        std::hint::spin_loop();
    }
}
