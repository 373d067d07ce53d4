//! Admission: a call may run only while it holds what it may take.
//!
//! The third gate of a call, after authorization. A call takes one of its server's permits
//! (`limits.concurrency`), one of the gateway's, and the memory that it may use, before it starts:
//! a storm of calls waits or is turned away, and never takes the gateway past its memory limit.
//! Waiting is bounded in number and time, the deadline's clock runs meanwhile, and a call that
//! could not be served before its deadline is turned away at once. Nothing here knows what is
//! called.

mod line;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::time::timeout_at;
use toolgate_runtime::host::Host;
use toolgate_runtime::limits::Limits;
use toolgate_runtime::sandbox::Lease;

use self::line::{Held, Line};
use crate::authorize::Authorized;
use crate::error::Error;

/// Calls that may wait for a permit of a server, per permit. Against a caller that queues calls
/// without end: each waiting call holds its arguments in memory.
pub const QUEUE_PER_PERMIT: u32 = 4;

/// What an overloaded server tells callers to wait before they try again, at least.
const MIN_RETRY_AFTER: Duration = Duration::from_secs(1);

/// The same at most: nobody knows the load of later.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Calls in flight over all servers, unless set. Each is a task, a connection and its buffers.
pub const MAX_CALLS: u32 = 10_000;

/// Calls that may wait for the gateway's own permits or memory.
const MAX_WAITING: u32 = 4_096;

/// The part of the memory that calls may take, unless set. Of the rest, a sixteenth of the whole each is
/// for bodies and answers, an eighth for what slots of the pool keep while they wait, and as much for code,
/// connections, and what allocators keep.
const MEMORY_PART: (u64, u64) = (5, 8);

/// What all calls of the gateway share.
#[derive(Debug)]
pub struct Capacity {
    calls: Line,
    memory: Line,
}

impl Capacity {
    /// Room for `calls` at a time that take `memory` bytes together.
    #[must_use]
    pub fn new(calls: u32, memory: u64) -> Self {
        Self { calls: Line::new(calls.into(), MAX_WAITING), memory: Line::new(memory, MAX_WAITING) }
    }

    /// The bytes that calls may take on this machine, unless the operator says.
    #[must_use]
    pub fn memory_of(host: &Host) -> u64 {
        host.memory / MEMORY_PART.1 * MEMORY_PART.0
    }

    /// Bytes that all calls may take together.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.memory.total()
    }
}

impl Default for Capacity {
    fn default() -> Self {
        Self::new(MAX_CALLS, Self::memory_of(&Host::read()))
    }
}

/// The permits of one server. It outlives catalogs, so that a new one hands none out twice.
#[derive(Debug)]
pub struct Gate {
    permits: Line,
    deadline: Duration,
    output: u64,
    pace: Pace,
    capacity: Arc<Capacity>,
}

/// A call that may run now. Holds what it took until it and its lease are dropped; made only by [`admit`].
#[derive(Debug)]
pub struct Admitted {
    authorized: Authorized,
    since: Instant,
    deadline: Instant,
    running: Arc<Running>,
}

#[derive(Debug)]
#[expect(dead_code, reason = "held until the call has ended")]
struct Running {
    since: Instant,
    gate: Arc<Gate>,
    permit: Held,
    call: Held,
    memory: Held,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.gate.pace.ran(self.since.elapsed());
    }
}

impl Gate {
    /// A gate for a server with these limits.
    #[must_use]
    pub fn new(limits: &Limits, capacity: Arc<Capacity>) -> Self {
        let permits = limits.concurrency.max(1);
        Self {
            permits: Line::new(permits.into(), permits.saturating_mul(QUEUE_PER_PERMIT)),
            deadline: limits.deadline,
            output: limits.output,
            pace: Pace::default(),
            capacity,
        }
    }

    /// Bytes that a result of its server may have.
    #[must_use]
    pub fn output(&self) -> u64 {
        self.output
    }

    /// How long the next call would wait for a permit, going by how long calls take.
    fn wait(&self) -> Duration {
        let waiting = self.permits.waiting();
        if waiting == 0 {
            return Duration::ZERO;
        }
        let rounds = f64::from(waiting + 1) / self.permits.total() as f64;
        self.pace.typical().mul_f64(rounds)
    }
}

impl Admitted {
    /// What was authorized.
    #[must_use]
    pub fn authorized(&self) -> &Authorized {
        &self.authorized
    }

    /// Time since the call asked for admission.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// When the call must have ended.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What the call took, for a sandbox to keep until nothing is left of it.
    #[must_use]
    pub fn lease(&self) -> Lease {
        Arc::clone(&self.running) as Lease
    }
}

/// Waits for all that a call needs, within its deadline. `arguments` is their length in bytes.
///
/// # Errors
/// [`Error::Overloaded`] if too many wait, or if the deadline would pass before it is the call's
/// turn.
pub async fn admit(authorized: Authorized, arguments: usize) -> Result<Admitted, Error> {
    let since = Instant::now();
    let gate = Arc::clone(authorized.resolved().gate());
    let deadline = since + gate.deadline;
    let overloaded = |wait: Duration| Error::Overloaded {
        server: authorized.resolved().server().name().to_owned(),
        retry_after: wait.clamp(MIN_RETRY_AFTER, MAX_RETRY_AFTER),
    };
    let wait = gate.wait();
    if wait > gate.deadline {
        return Err(overloaded(wait));
    }
    let footprint = authorized.resolved().footprint(arguments);
    let taken = timeout_at(deadline.into(), take(&gate, footprint)).await;
    let Some((permit, call, memory)) = taken.ok().flatten() else {
        return Err(overloaded(wait));
    };
    let running = Arc::new(Running { since: Instant::now(), gate, permit, call, memory });
    Ok(Admitted { authorized, since, deadline, running })
}

/// The server's permit first: who waits for it holds nothing that other servers need.
async fn take(gate: &Gate, footprint: u64) -> Option<(Held, Held, Held)> {
    let permit = gate.permits.take(1).await?;
    let memory = gate.capacity.memory.take(footprint).await?;
    let call = gate.capacity.calls.take(1).await?;
    Some((permit, call, memory))
}

/// How long the calls of a server take: a moving average, for guessing how long a line lasts.
#[derive(Debug, Default)]
struct Pace(AtomicU64);

impl Pace {
    /// One call in so many is forgotten.
    const MEMORY: u64 = 8;

    fn ran(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX / Self::MEMORY);
        let before = self.0.load(Ordering::Relaxed);
        let after = match before {
            0 => micros,
            before => before - before / Self::MEMORY + micros / Self::MEMORY,
        };
        // Of two calls that end at the same time, one may go uncounted: it is a guess either way.
        self.0.store(after, Ordering::Relaxed);
    }

    fn typical(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Pace;

    #[test]
    fn the_pace_follows_how_long_calls_take() {
        let pace = Pace::default();
        assert_eq!(pace.typical(), Duration::ZERO);
        pace.ran(Duration::from_millis(80));
        assert_eq!(pace.typical(), Duration::from_millis(80));
        for _ in 0..100 {
            pace.ran(Duration::from_millis(8));
        }
        assert!((7..10).contains(&pace.typical().as_millis()), "{:?}", pace.typical());
    }
}
