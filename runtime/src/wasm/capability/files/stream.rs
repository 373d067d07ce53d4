//! Streams of files: those that write take from what may be written, and all keep the descriptor
//! that they use counted, also after the guest gave up its own handle.

use std::sync::Arc;

use bytes::Bytes;
use rustix::io::Errno;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult,
};

use super::folder::Share;
use super::quota::{BLOCK, Quota, Tail};
use crate::wasm::capability::Denials;
use crate::wasm::descriptors::Descriptor;

/// What a write takes at most: wasmtime-wasi lets guests write 64 KiB at a time, which may begin and
/// end within a block.
const WRITE: u64 = 64 * 1024 + 2 * BLOCK;

/// What is taken from by a write.
#[derive(Clone)]
pub(super) struct Purse {
    pub(super) quota: Quota,
    pub(super) share: Arc<Share>,
    pub(super) denials: Denials,
}

impl Purse {
    /// Takes what a write needs, or tells that it may not be made.
    pub(super) async fn take(&self, amount: u64) -> Result<(), Errno> {
        self.quota.take(amount, &self.denials)?;
        self.share.take(amount, &self.denials).await
    }

    fn take_now(&self, amount: u64) -> Result<(), Errno> {
        self.quota.take(amount, &self.denials)?;
        self.share.take_now(amount, &self.denials)
    }
}

/// Where the next write of a stream goes.
pub(super) enum Place {
    /// There, after what was written at this place before.
    At(u64, Tail),
    /// At the end of the file, which leaves no holes.
    End,
}

impl Place {
    /// What a write takes, after which the next one goes behind it.
    fn advance(&mut self, bytes: usize) -> u64 {
        let length = u64::try_from(bytes).unwrap_or(u64::MAX);
        match self {
            Self::At(offset, tail) => {
                let amount = tail.advance(*offset, bytes);
                *offset = offset.saturating_add(length);
                amount
            }
            Self::End => length,
        }
    }
}

/// A stream into a file that takes what it writes from a purse.
pub(super) struct Metered {
    inner: DynOutputStream,
    purse: Purse,
    place: Place,
    /// Whether the folder was measured since the last write.
    measured: bool,
    _descriptor: Option<Arc<Descriptor>>,
}

impl Metered {
    pub(super) fn new(
        inner: DynOutputStream,
        purse: Purse,
        place: Place,
        descriptor: Option<Arc<Descriptor>>,
    ) -> Self {
        Self { inner, purse, place, measured: false, _descriptor: descriptor }
    }
}

/// An error of the system, so that guests read its code.
fn failed(error: Errno) -> StreamError {
    StreamError::LastOperationFailed(std::io::Error::from(error).into())
}

#[async_trait]
impl OutputStream for Metered {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.measured = false;
        let amount = self.place.advance(bytes.len());
        self.purse.take_now(amount).map_err(failed)?;
        self.inner.write(bytes)
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        let amount = self.place.advance(bytes.len());
        self.purse.take(amount).await.map_err(failed)?;
        self.inner.blocking_write_and_flush(bytes).await
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    /// Has the guest wait for a measuring where one may be needed, as a write itself can't wait.
    fn check_write(&mut self) -> StreamResult<usize> {
        let ready = self.inner.check_write()?;
        if self.measured || self.purse.share.has(WRITE) { Ok(ready) } else { Ok(0) }
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

#[async_trait]
impl Pollable for Metered {
    async fn ready(&mut self) {
        self.inner.ready().await;
        if !self.measured && !self.purse.share.has(WRITE) {
            self.purse.share.measure_again().await;
            self.measured = true;
        }
    }
}

/// A stream out of a file.
pub(super) struct Counted {
    inner: DynInputStream,
    _descriptor: Option<Arc<Descriptor>>,
}

impl Counted {
    pub(super) fn new(inner: DynInputStream, descriptor: Option<Arc<Descriptor>>) -> Self {
        Self { inner, _descriptor: descriptor }
    }
}

#[async_trait]
impl InputStream for Counted {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.inner.read(size)
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.inner.blocking_read(size).await
    }

    fn skip(&mut self, elements: usize) -> StreamResult<usize> {
        self.inner.skip(elements)
    }

    async fn blocking_skip(&mut self, elements: usize) -> StreamResult<usize> {
        self.inner.blocking_skip(elements).await
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

#[async_trait]
impl Pollable for Counted {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}
