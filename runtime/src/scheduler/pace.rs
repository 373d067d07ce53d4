//! Whether the calls of a tool are short, going by those before.

use std::sync::atomic::{AtomicU32, Ordering};

/// Short calls in a row after which a tool counts as short again. Against one that is short now and
/// then, so that its long calls begin where they harm nobody.
const IN_A_ROW: u32 = 16;

/// The pace of one tool. A call that is short writes nothing, so that threads share it at no cost.
#[derive(Debug, Default)]
pub struct Pace {
    /// Short calls until it counts as short.
    doubts: AtomicU32,
}

impl Pace {
    /// Whether the next call is expected to be short.
    pub(super) fn is_short(&self) -> bool {
        self.doubts.load(Ordering::Relaxed) == 0
    }

    /// Notes how a call was.
    pub(super) fn took(&self, long: bool) {
        // Of two calls that end at once, one may go uncounted: it is a guess either way.
        match (long, self.doubts.load(Ordering::Relaxed)) {
            (true, _) => self.doubts.store(IN_A_ROW, Ordering::Relaxed),
            (false, 0) => {}
            (false, doubts) => self.doubts.store(doubts - 1, Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{IN_A_ROW, Pace};

    #[test]
    fn one_long_call_makes_a_tool_long_and_many_short_ones_make_it_short() {
        let pace = Pace::default();
        assert!(pace.is_short(), "nothing is known");
        pace.took(true);
        for _ in 0..IN_A_ROW {
            assert!(!pace.is_short());
            pace.took(false);
        }
        assert!(pace.is_short());
    }
}
