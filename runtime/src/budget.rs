//! A number of units that calls share: bytes of memory, mappings, slots of a pool.
//!
//! Taking and giving back is one atomic operation, no lock, since every call of the process does
//! it. Whoever wants to wait for units does so in a [`Queue`].

mod queue;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use self::queue::Queue;

/// Units that can be taken and come back. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    total: u64,
    /// Sequentially consistent for those who wait, see [`Queue`]; it costs no more than less would.
    free: AtomicU64,
}

/// Units that were taken; they go back on drop.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    units: u64,
}

impl Budget {
    /// A budget of `total` units, all of them free.
    #[must_use]
    pub fn new(total: u64) -> Self {
        Self(Arc::new(Inner { total, free: AtomicU64::new(total) }))
    }

    /// All units, free and taken.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.total
    }

    /// Units that nobody has at this moment.
    #[must_use]
    pub fn free(&self) -> u64 {
        self.0.free.load(Ordering::SeqCst)
    }

    /// Takes `units` if so many are free.
    #[must_use]
    pub fn take(&self, units: u64) -> Option<Share> {
        let taken =
            self.0.free.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |free| free.checked_sub(units));
        taken.ok().map(|_| Share { budget: self.clone(), units })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.free.fetch_add(self.units, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::Budget;

    #[test]
    fn no_more_than_the_total_is_ever_out() {
        let budget = Budget::new(3);
        let two = budget.take(2).unwrap();
        assert!(budget.take(2).is_none());
        let one = budget.take(1).unwrap();
        assert_eq!(budget.free(), 0);
        drop(two);
        assert_eq!(budget.free(), 2);
        drop(one);
        assert_eq!((budget.free(), budget.total()), (3, 3));
    }

    #[test]
    fn more_than_there_is_can_never_be_taken() {
        let budget = Budget::new(1);
        assert!(budget.take(u64::MAX).is_none());
        assert!(budget.take(0).is_some());
    }

    #[test]
    fn threads_that_take_and_give_back_lose_nothing() {
        let budget = Budget::new(5);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        drop(budget.take(2));
                    }
                });
            }
        });
        assert_eq!(budget.free(), 5);
    }
}
