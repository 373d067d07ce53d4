//! Whether the calls of a tool are short, going by those before.

use std::sync::atomic::{AtomicU32, Ordering};

/// What a long call adds to the doubts; a short one takes one away. Against a tool that is short now and
/// then, so that its long calls begin where they harm nobody.
const LONG: u32 = 16;

/// Doubts from which on calls count as long: two long ones in short order. One alone may be a short one
/// that lost its processor to somebody else for a moment; after it, calls are measured more closely.
const MANY: u32 = LONG + 1;

/// The most there are, so that a tool which has become short is known for it soon.
const MOST: u32 = 3 * LONG;

/// The pace of one tool. A call that is short writes nothing, so that threads share it at no cost.
#[derive(Debug, Default)]
pub struct Pace {
    doubts: AtomicU32,
}

impl Pace {
    /// Whether the next call is expected to be short.
    pub(super) fn is_short(&self) -> bool {
        self.doubts.load(Ordering::Relaxed) < MANY
    }

    /// Whether a call was long not long ago.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubts.load(Ordering::Relaxed) > 0
    }

    /// Notes how a call was.
    pub(super) fn took(&self, long: bool) {
        // Of two calls that end at once, one may go uncounted: it is a guess either way.
        match (long, self.doubts.load(Ordering::Relaxed)) {
            (true, doubts) => self.doubts.store((doubts + LONG).min(MOST), Ordering::Relaxed),
            (false, 0) => {}
            (false, doubts) => self.doubts.store(doubts - 1, Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LONG, MOST, Pace};

    fn after(long: &[bool]) -> Pace {
        let pace = Pace::default();
        long.iter().for_each(|&long| pace.took(long));
        pace
    }

    #[test]
    fn nothing_known_is_short_and_a_long_call_now_and_then_changes_nothing() {
        assert!(after(&[]).is_short());
        let pace = Pace::default();
        for _ in 0..10 {
            pace.took(true);
            assert!(pace.is_short());
            (0..LONG).for_each(|_| pace.took(false));
        }
    }

    #[test]
    fn two_long_calls_make_a_tool_long_and_many_short_ones_make_it_short() {
        assert!(!after(&[true, true]).is_short());
        assert!(!after(&[true, false, false, true]).is_short());
        let pace = after(&[true; 100]);
        (0..MOST).for_each(|_| pace.took(false));
        assert!(pace.is_short());
    }
}
