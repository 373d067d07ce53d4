//! How much one call may write: against a guest that wears out a disk, or fills it at once.
//!
//! What counts is written, not what is left: who overwrites one block for ever wears a disk out and
//! crowds out its other users just as well. It counts in blocks, about what a file system gives: one
//! byte every few thousand would otherwise fill a disk for next to nothing. A new name counts as one
//! block, so a million empty files do not come free. Holes do: they take no space.
//!
//! What the calls of a server leave behind together is bounded in `folder`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

use crate::events::Denial;
use crate::wasm::capability::Denials;

/// The unit that a disk is used up by. A new file, directory or link counts as one, for its entry and
/// its own record.
pub(super) const BLOCK: u64 = 4096;

/// What is left to one call. Cheap to clone.
#[derive(Clone)]
pub(super) struct Quota(Arc<Inner>);

struct Inner {
    limit: u64,
    left: AtomicU64,
}

impl Quota {
    pub(super) fn new(limit: u64) -> Self {
        Self(Arc::new(Inner { limit, left: AtomicU64::new(limit) }))
    }

    /// Takes what a write needs, or tells that it may not be made.
    pub(super) fn take(&self, amount: u64, denials: &Denials) -> Result<(), Errno> {
        let enough = |left: u64| left.checked_sub(amount);
        if self.0.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enough).is_ok() {
            return Ok(());
        }
        denials.tell(&Denial {
            capability: "files",
            attempt: format!("write {amount} bytes"),
            reason: format!("past the {} bytes of limits.disk that one call may write", self.0.limit),
            allow: None,
        });
        Err(Errno::NOSPC)
    }
}

/// Where the last write of a descriptor ended: who goes on there takes no new block at first. Cheap to
/// clone.
#[derive(Clone, Default)]
pub(super) struct Tail(Arc<AtomicU64>);

impl Tail {
    /// Bytes of the blocks that a write touches and the one before did not.
    pub(super) fn advance(&self, offset: u64, bytes: usize) -> u64 {
        let Some(last) = u64::try_from(bytes).unwrap_or(u64::MAX).checked_sub(1) else {
            return 0;
        };
        let (first, last) = (offset / BLOCK, offset.saturating_add(last) / BLOCK);
        // From 1, as 0 is no block.
        let before = self.0.swap(last + 1, Ordering::Relaxed);
        let known = u64::from(before == first + 1);
        (last - first + 1 - known) * BLOCK
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::events::{Observer, Stdio, Usage};

    #[derive(Default)]
    struct Heard(Mutex<Vec<Denial>>);

    impl Observer for Heard {
        fn stdio(&self, _: Stdio, _: &[u8]) {}
        fn stdio_dropped(&self, _: u64) {}
        fn denied(&self, denial: &Denial) {
            self.0.lock().unwrap().push(denial.clone());
        }
        fn finished(&self, _: &Usage) {}
    }

    #[test]
    fn all_writes_share_what_a_call_may_write() {
        let heard = Arc::new(Heard::default());
        let denials = Denials::new(heard.clone());
        let quota = Quota::new(BLOCK + 10);
        quota.take(6, &denials).unwrap();
        assert_eq!(quota.take(BLOCK + 5, &denials), Err(Errno::NOSPC));
        quota.clone().take(BLOCK, &denials).unwrap();
        assert_eq!(quota.take(BLOCK, &denials), Err(Errno::NOSPC));
        quota.take(4, &denials).unwrap();
        assert_eq!(quota.take(1, &denials), Err(Errno::NOSPC));
        let heard = heard.0.lock().unwrap();
        assert_eq!(heard.len(), 3);
        assert!(heard[0].reason.contains("4106 bytes of limits.disk"), "{}", heard[0].reason);
    }

    #[test]
    fn a_byte_here_and_there_takes_a_block_each_and_one_after_another_takes_them_once() {
        let tail = Tail::default();
        assert_eq!(tail.advance(0, 0), 0);
        assert_eq!(tail.advance(10, 1), BLOCK);
        assert_eq!(tail.advance(11, 20), 0);
        assert_eq!(tail.advance(31, 5000), BLOCK);
        assert_eq!(tail.advance(10 * BLOCK, 1), BLOCK);
        assert_eq!(tail.advance(0, 1), BLOCK);
        assert_eq!(tail.advance(BLOCK - 1, 2), BLOCK);
        assert_eq!(tail.advance(u64::MAX, usize::MAX), BLOCK);
    }
}
