//! Memory that many messages share: taken as it is needed, given back when a message is gone.
//!
//! A part is kept for small messages, so that a few clients with large ones can't shut out all
//! others. Nobody waits here: who gets none says so. Knows nothing of what the bytes are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::Error;

/// What a message takes at least, so that the number of messages is bounded too.
pub(super) const UNIT: usize = 4096;

/// Up to here a message is small.
const SMALL: usize = 16 * 1024;

/// One part in so many is kept for small messages.
const KEPT: usize = 8;

/// The part of the process's memory that messages of one kind may have.
const MEMORY_PART: u64 = 16;

/// Bytes that messages of one kind may have where there are `memory` for all, and one of them may have
/// `largest`. Two of those must fit: one, and what is kept for small ones.
pub(super) fn within(bytes: usize, memory: u64, largest: u64) -> usize {
    let part = (memory / MEMORY_PART).max(largest.saturating_mul(2));
    bytes.min(usize::try_from(part).unwrap_or(usize::MAX))
}

/// The memory of all messages of one kind.
#[derive(Debug)]
pub(super) struct Budget(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    left: AtomicUsize,
    kept: usize,
}

/// What one message has taken. Given back on drop.
#[derive(Debug)]
pub(super) struct Share {
    pool: Arc<Pool>,
    bytes: usize,
}

/// Nothing is left.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Spent;

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        let bytes = bytes.max(UNIT);
        Self(Arc::new(Pool { left: AtomicUsize::new(bytes), kept: bytes / KEPT }))
    }

    /// A share of nothing yet.
    pub(super) fn share(&self) -> Share {
        Share { pool: Arc::clone(&self.0), bytes: 0 }
    }
}

impl Share {
    /// Takes what a message of `bytes` needs beyond what it has.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), Spent> {
        let bytes = bytes.max(UNIT);
        let Some(more) = bytes.checked_sub(self.bytes).filter(|more| *more > 0) else { return Ok(()) };
        let keep = if bytes > SMALL { self.pool.kept } else { 0 };
        let take = |left: usize| left.checked_sub(more).filter(|rest| *rest >= keep);
        self.pool.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).map_err(|_| Spent)?;
        self.bytes = bytes;
        Ok(())
    }

    /// The same for an answer to a client.
    pub(super) fn answer(&mut self, bytes: usize) -> Result<(), Error> {
        self.grow_to(bytes).map_err(|Spent| Error::AnswersFull)
    }

    /// Gives back what a message of `bytes` does not need.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let bytes = bytes.max(UNIT).min(self.bytes);
        self.pool.left.fetch_add(self.bytes - bytes, Ordering::AcqRel);
        self.bytes = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.pool.left.fetch_add(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 100 * 1024;

    #[test]
    fn what_is_taken_is_gone_until_it_is_given_back() {
        let budget = Budget::new(2 * LARGE);
        let (mut one, mut two) = (budget.share(), budget.share());
        assert_eq!(one.grow_to(LARGE), Ok(()));
        assert_eq!(one.grow_to(LARGE / 2), Ok(()), "it has that already");
        assert_eq!(two.grow_to(LARGE), Err(Spent), "a part is kept for small ones");
        assert_eq!(two.grow_to(LARGE / 2), Ok(()));
        one.shrink_to(LARGE / 2);
        assert_eq!(two.grow_to(LARGE), Ok(()));
        drop((one, two));
        assert_eq!(budget.share().grow_to(LARGE * 7 / 4), Ok(()));
    }

    #[test]
    fn small_messages_fit_beside_any_number_of_large_ones() {
        let budget = Budget::new(10 * LARGE);
        let mut large = Vec::new();
        loop {
            let mut share = budget.share();
            if share.grow_to(LARGE).is_err() {
                break;
            }
            large.push(share);
        }
        let mut small = Vec::new();
        for _ in 0..8 {
            let mut share = budget.share();
            assert_eq!(share.grow_to(SMALL / 2), Ok(()));
            small.push(share);
        }
        assert_eq!(large.len(), 8);
    }

    #[test]
    fn a_small_machine_has_small_budgets_and_room_for_the_largest_message_all_the_same() {
        const MIB: u64 = 1 << 20;
        let most = 128 << 20;
        assert_eq!(within(most, 24 << 30, 8 * MIB), most);
        assert_eq!(within(most, 512 * MIB, 8 * MIB), 32 << 20);
        assert_eq!(within(most, 512 * MIB, 24 * MIB), 48 << 20);
        assert_eq!(within(most, 512 * MIB, 1 << 40), most);
        let mut share = Budget::new(within(most, 512 * MIB, 24 * MIB)).share();
        assert_eq!(share.grow_to(24 << 20), Ok(()));
    }

    #[test]
    fn messages_of_a_byte_are_bounded_in_number() {
        let budget = Budget::new(4 * UNIT);
        let mut shares: Vec<_> = (0..5).map(|_| budget.share()).collect();
        let taken = shares.iter_mut().filter_map(|share| share.grow_to(1).ok()).count();
        assert_eq!(taken, 4);
    }
}
