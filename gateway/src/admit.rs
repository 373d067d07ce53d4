//! Admission: a call may run only while it holds one of its server's permits.
//!
//! The third gate of a call, after authorization. It bounds how many calls of a server run at a
//! time (`limits.concurrency`) and how many wait for that, and starts the deadline's clock, so
//! time spent waiting is part of the call's own budget. It knows nothing of what is called.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use toolgate_runtime::limits::Limits;

use crate::authorize::Authorized;
use crate::error::Error;

/// Calls that may wait for a permit, per permit, unless set. Against a caller that queues calls
/// without end: each waiting call holds its arguments in memory.
pub const QUEUE_PER_PERMIT: u32 = 4;

/// What an overloaded server tells callers to wait before they try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The permits of one server.
#[derive(Debug)]
pub struct Gate {
    permits: Arc<Semaphore>,
    waiting: Arc<AtomicU32>,
    queue: u32,
    deadline: Duration,
}

/// A call that may run now. Holds its permit until dropped; made only by [`admit`].
#[derive(Debug)]
pub struct Admitted {
    authorized: Authorized,
    since: Instant,
    deadline: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Gate {
    /// A gate for a server with these limits.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let permits = limits.concurrency.max(1);
        Self {
            permits: Arc::new(Semaphore::new(permits as usize)),
            waiting: Arc::new(AtomicU32::new(0)),
            queue: permits.saturating_mul(QUEUE_PER_PERMIT),
            deadline: limits.deadline,
        }
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
}

/// Waits for a permit of the call's server, within its deadline.
///
/// # Errors
/// [`Error::Overloaded`] if the queue is full, or no permit came free before the deadline.
pub async fn admit(authorized: Authorized) -> Result<Admitted, Error> {
    let gate = authorized.resolved().gate();
    let since = Instant::now();
    let deadline = since + gate.deadline;
    let permit = match Arc::clone(&gate.permits).try_acquire_owned() {
        Ok(permit) => permit,
        Err(_) => wait(gate, deadline).await.ok_or_else(|| Error::Overloaded {
            server: authorized.resolved().server().name().to_owned(),
            retry_after: RETRY_AFTER,
        })?,
    };
    Ok(Admitted { authorized, since, deadline, _permit: permit })
}

async fn wait(gate: &Gate, deadline: Instant) -> Option<OwnedSemaphorePermit> {
    let _place = Place::take(&gate.waiting, gate.queue)?;
    let permit = Arc::clone(&gate.permits).acquire_owned();
    tokio::time::timeout_at(deadline.into(), permit).await.ok()?.ok()
}

/// A place in the queue, given back on drop, also when the waiting caller goes away.
struct Place(Arc<AtomicU32>);

impl Place {
    fn take(waiting: &Arc<AtomicU32>, queue: u32) -> Option<Self> {
        let taken =
            waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| (n < queue).then_some(n + 1));
        taken.ok().map(|_| Self(Arc::clone(waiting)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
