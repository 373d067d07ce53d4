//! When each call is due.

use std::time::{Duration, Instant};

/// How long before a call is due the timer is no longer precise enough: tokio rounds up to a
/// millisecond. The rest is waited for by looking at the clock, which keeps the core busy.
const TIMER: Duration = Duration::from_millis(2);

/// How long after the end calls are still sent that were due before it. A server that stalls at the end makes
/// them late, and they are to count as late: only one that is slower than the rate leaves some unsent.
pub(super) const LATE: Duration = Duration::from_secs(1);

/// Hands out the calls of one run.
pub(super) struct Pacer {
    rate: Option<f64>,
    duration: Duration,
    most: u64,
    since: Instant,
    sent: u64,
}

impl Pacer {
    /// Begins now. `rate` is calls a second; without one every call is due at once.
    pub(super) fn new(rate: Option<f64>, duration: Duration, most: u64) -> Self {
        Self { rate, duration, most, since: Instant::now(), sent: 0 }
    }

    /// Waits until a call is due and tells since when it was; `None` when the run is over.
    pub(super) async fn next(&mut self) -> Option<Instant> {
        if self.sent >= self.most {
            return None;
        }
        let (now, end) = (Instant::now(), self.since + self.duration);
        let offset = self.rate.map(|rate| Duration::from_secs_f64(self.sent as f64 / rate));
        let due = offset.map_or(now, |offset| self.since + offset);
        if due >= end || now >= end + LATE {
            return None;
        }
        self.sent += 1;
        until(due).await;
        Some(due)
    }

    /// Calls of the plan that were not sent because all clients were waiting, until the end and for [`LATE`] more.
    pub(super) fn unsent(&self) -> u64 {
        let planned = self.rate.map_or(0.0, |rate| (rate * self.duration.as_secs_f64()).ceil());
        // Truncated on purpose: counts of calls are far below 2^53.
        (planned as u64).min(self.most).saturating_sub(self.sent)
    }
}

async fn until(due: Instant) {
    if let Some(early) = due.checked_sub(TIMER)
        && early > Instant::now()
    {
        tokio::time::sleep_until(early.into()).await;
    }
    while Instant::now() < due {
        tokio::task::yield_now().await;
    }
}
