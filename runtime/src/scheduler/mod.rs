//! Where calls run: short ones on the thread that asks, long ones on threads of their own.
//!
//! Most calls take microseconds, and handing one to another thread costs more than running it. A call
//! that turns out to be long moves to the scheduler's threads, which step back behind all others and give
//! each server its turn, slice by slice: so guests that compute share what is left over, and neither the
//! event loop nor short calls wait for them. Where nothing is left over, they get a small share. A tool whose calls were long starts there at once.
//!
//! Knows nothing of what a call is: it polls futures that give way by themselves every so often.

mod duty;
mod pace;
mod priority;
mod queue;
#[cfg(test)]
mod tests;
mod threads;
mod timed;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use async_task::FallibleTask;
use tokio::runtime::Handle;

pub use self::pace::Pace;
use self::threads::Threads;
use self::timed::Timed;

/// Processor time that a call may take of the thread that asks for it: many times what most calls take,
/// and less than anybody who waits for the event loop would notice.
const SHORT: Duration = Duration::from_micros(500);

/// Threads on small machines.
const MIN_THREADS: usize = 4;

/// A call to be run: whatever it borrows, it owns.
pub type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The threads for long calls. They end when it is stopped or dropped, and with them the calls that are
/// still there.
#[derive(Debug)]
pub struct Scheduler {
    threads: Arc<Threads>,
    lanes: AtomicU64,
}

/// The turns of one server: however many calls it has, it gets one at a time in rotation.
#[derive(Clone, Debug)]
pub struct Lane {
    threads: Arc<Threads>,
    id: u64,
}

/// Where a call begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Here, unless calls of that pace take long.
    Here,
    /// On a thread for long calls: it is known to take long.
    There,
}

/// A call was ended because its scheduler was stopped.
#[derive(Debug, thiserror::Error)]
#[error("the gateway is stopping")]
pub struct Stopped;

impl Scheduler {
    /// Threads that suit so many processors, of those that work at a time: more, since a host call may hold one while it copies.
    #[must_use]
    pub fn threads_for(processors: usize) -> usize {
        (2 * processors).max(MIN_THREADS)
    }

    /// Starts threads of which so many work at a time, at least one.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn start(threads: usize) -> std::io::Result<Self> {
        Ok(Self { threads: Threads::start(threads.max(1))?, lanes: AtomicU64::new(0) })
    }

    /// Ends the threads and waits for that, but no longer than `limit`. To be called before the runtime
    /// that the calls come from is shut down: their timers would panic without it.
    pub fn stop(&self, limit: Duration) {
        self.threads.stop();
        self.threads.ended(limit);
    }

    /// The turns of another server.
    #[must_use]
    pub fn lane(&self) -> Lane {
        Lane { threads: Arc::clone(&self.threads), id: self.lanes.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.threads.stop();
    }
}

impl Lane {
    /// Runs `work` to its end. When the result is dropped, so is the work: at once while it runs here,
    /// and else at its next turn.
    ///
    /// # Errors
    /// If the scheduler was stopped.
    ///
    /// # Panics
    /// If the work does, or outside of a tokio runtime.
    pub async fn run<T: Send + 'static>(
        &self,
        begin: Begin,
        pace: &Arc<Pace>,
        work: Work<T>,
    ) -> Result<T, Stopped> {
        let mut timed = Timed::new(work, pace);
        if begin == Begin::Here && pace.is_short() {
            let ended = poll_fn(|cx| match Pin::new(&mut timed).poll(cx) {
                Poll::Ready(result) => Poll::Ready(Some(result)),
                Poll::Pending if timed.is_long() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            if let Some(result) = ended.await {
                return Ok(result);
            }
        }
        self.spawn(timed).await.ok_or(Stopped)
    }

    /// Timers and sockets of the work stay with the runtime that it comes from.
    fn spawn<T: Send + 'static>(&self, mut timed: Timed<T>) -> FallibleTask<T> {
        let runtime = Handle::current();
        let work = poll_fn(move |cx| {
            let _inside = runtime.enter();
            Pin::new(&mut timed).poll(cx)
        });
        let (threads, lane) = (Arc::clone(&self.threads), self.id);
        let schedule = move |turn| threads.push(lane, turn);
        let builder = async_task::Builder::new().propagate_panic(true);
        let (turn, task) = builder.spawn(|&()| work, schedule);
        turn.schedule();
        task.fallible()
    }
}
