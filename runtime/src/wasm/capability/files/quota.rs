//! How much one call may write: against a guest that fills the disk of a writable grant.
//!
//! What counts is written, not what is left: who overwrites one block for ever wears a disk out and
//! crowds out its other users just as well. A new name counts as one block, as that is about what
//! a file system needs for it, so a million empty files do not come free. Holes do: they take no
//! space.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use rustix::io::Errno;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};

use crate::events::Denial;
use crate::wasm::capability::Denials;

/// What a new file, directory or link counts as: its entry, and its own record on the disk.
const NAME: u64 = 4096;

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
    pub(super) fn take(&self, bytes: usize, denials: &Denials) -> Result<(), Errno> {
        self.spend(u64::try_from(bytes).unwrap_or(u64::MAX), denials)
    }

    /// Takes what a new name needs.
    pub(super) fn take_name(&self, denials: &Denials) -> Result<(), Errno> {
        self.spend(NAME, denials)
    }

    fn spend(&self, amount: u64, denials: &Denials) -> Result<(), Errno> {
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

/// A stream into a file that takes from the quota what it writes.
pub(super) struct Metered {
    inner: DynOutputStream,
    quota: Quota,
    denials: Denials,
}

impl Metered {
    pub(super) fn new(inner: DynOutputStream, quota: Quota, denials: Denials) -> Self {
        Self { inner, quota, denials }
    }

    fn take(&self, bytes: &Bytes) -> StreamResult<()> {
        let taken = self.quota.take(bytes.len(), &self.denials);
        // An error of the system, so that guests read its code.
        taken.map_err(|error| StreamError::LastOperationFailed(std::io::Error::from(error).into()))
    }
}

#[async_trait]
impl OutputStream for Metered {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes)?;
        self.inner.write(bytes)
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes)?;
        self.inner.blocking_write_and_flush(bytes).await
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

#[async_trait]
impl Pollable for Metered {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::Mutex;

    use wasmtime_wasi::p2::pipe::MemoryOutputPipe;

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
    fn writes_and_names_share_what_a_call_may_write() {
        let heard = Arc::new(Heard::default());
        let denials = Denials::new(heard.clone());
        let quota = Quota::new(NAME + 10);
        quota.take(6, &denials).unwrap();
        assert_eq!(quota.take(NAME as usize + 5, &denials), Err(Errno::NOSPC));
        quota.clone().take_name(&denials).unwrap();
        assert_eq!(quota.take_name(&denials), Err(Errno::NOSPC));
        quota.take(4, &denials).unwrap();
        assert_eq!(quota.take(1, &denials), Err(Errno::NOSPC));
        let heard = heard.0.lock().unwrap();
        assert_eq!(heard.len(), 3);
        assert!(heard[0].reason.contains("4106 bytes of limits.disk"), "{}", heard[0].reason);
    }

    #[tokio::test]
    async fn a_stream_ends_where_the_quota_does_with_an_error_of_the_system() {
        let denials = Denials::new(Arc::new(Heard::default()));
        let pipe = MemoryOutputPipe::new(1000);
        let mut stream = Metered::new(Box::new(pipe.clone()), Quota::new(10), denials);
        stream.write(Bytes::from_static(b"123456")).unwrap();
        let refused = stream.blocking_write_and_flush(Bytes::from_static(b"78901")).await;
        let Err(StreamError::LastOperationFailed(error)) = refused else {
            unreachable!("it is refused: {refused:?}");
        };
        let error: std::io::Error = error.downcast().unwrap();
        assert_eq!(error.raw_os_error(), Some(Errno::NOSPC.raw_os_error()));
        stream.write(Bytes::from_static(b"7890")).unwrap();
        assert_eq!(pipe.contents(), "1234567890");
    }
}
