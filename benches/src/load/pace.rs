//! When each call is due.

use std::time::{Duration, Instant};

/// How long before a call is due the timer is no longer precise enough: tokio rounds up to a
/// millisecond. The rest is waited for by looking at the clock, which keeps the core busy.
const TIMER: Duration = Duration::from_millis(2);

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
        if self.sent >= self.most || self.since.elapsed() >= self.duration {
            return None;
        }
        let due = match self.rate {
            None => Instant::now(),
            Some(rate) => {
                let offset = Duration::from_secs_f64(self.sent as f64 / rate);
                if offset >= self.duration {
                    return None;
                }
                self.since + offset
            }
        };
        self.sent += 1;
        until(due).await;
        Some(due)
    }

    /// Calls of the plan that were not sent because all clients were waiting until the end.
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
