//! Work, and the processor time that it takes, measured as closely as it matters.
//!
//! To read a thread's processor time is a system call, and two of them take a tenth of a short call's
//! time. A clock on the wall takes next to nothing and is never slower, so what is short by it is short.
//! It errs where a thread loses its processor to another: then a short call seems long. That is
//! why it is believed for the first turn of a call alone, and only while no call of that tool was long.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::{Pace, SHORT, Work};

/// A call on its way; its pace is noted when it is dropped.
pub(super) struct Timed<T> {
    work: Work<T>,
    busy: Duration,
    closely: bool,
    pace: Arc<Pace>,
}

impl<T> Timed<T> {
    pub(super) fn new(work: Work<T>, pace: &Arc<Pace>) -> Self {
        Self { work, busy: Duration::ZERO, closely: pace.is_in_doubt(), pace: Arc::clone(pace) }
    }

    /// Whether it has taken more time than a short call does.
    pub(super) fn is_long(&self) -> bool {
        self.busy > SHORT
    }
}

impl<T> Future for Timed<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let since = Since::now(self.closely);
        let polled = self.work.as_mut().poll(cx);
        self.busy += since.elapsed();
        self.closely = true;
        polled
    }
}

impl<T> Drop for Timed<T> {
    fn drop(&mut self) {
        self.pace.took(self.is_long());
    }
}

/// When a turn began, by one of the clocks.
enum Since {
    Processor(Duration),
    Wall(Instant),
}

impl Since {
    fn now(closely: bool) -> Self {
        if closely { Self::Processor(processor_time()) } else { Self::Wall(Instant::now()) }
    }

    fn elapsed(&self) -> Duration {
        match self {
            Self::Processor(since) => processor_time().saturating_sub(*since),
            Self::Wall(since) => since.elapsed(),
        }
    }
}

/// What this thread has used so far.
pub(super) fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}
