//! The answer to a batch (2025-03-26), which may not outgrow a limit.
//!
//! Its parts are written one after the other. One that no longer fits is replaced by an error, and
//! what comes after it need not run.

use crate::error::Error;

/// Bytes of the answers to one batch. Against one body that is answered by as many results of the
/// largest size as it has messages.
const MAX_BATCH_ANSWER: usize = 16 * 1024 * 1024;

/// The answers so far.
#[derive(Debug, Default)]
pub struct Batch {
    out: Vec<u8>,
    full: bool,
}

impl Batch {
    /// Bytes so far, and those of one more answer of that size.
    ///
    /// # Errors
    /// [`Error::BatchTooLarge`] if they are too many, or have been before.
    pub fn room_for(&mut self, size: usize) -> Result<usize, Error> {
        let bytes = self.out.len() + size + 2;
        self.full |= bytes > MAX_BATCH_ANSWER;
        if self.full {
            return Err(Error::BatchTooLarge { limit: MAX_BATCH_ANSWER });
        }
        Ok(bytes)
    }

    /// Adds an answer of at most that size.
    pub fn push(&mut self, size: usize, write: impl FnOnce(&mut Vec<u8>)) {
        self.out.reserve_exact(size + 2);
        self.out.push(if self.out.is_empty() { b'[' } else { b',' });
        write(&mut self.out);
    }

    /// All of them; `None` if nothing in the batch wanted an answer.
    #[must_use]
    pub fn finish(mut self) -> Option<Vec<u8>> {
        if self.out.is_empty() {
            return None;
        }
        self.out.push(b']');
        Some(self.out)
    }
}
