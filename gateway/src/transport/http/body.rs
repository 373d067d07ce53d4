//! Reads a request body: up to a size, within a time, and from the budget that all bodies share.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;

/// The memory of all bodies together. Against many clients that each send the largest body: it is
/// taken as bytes arrive, so one that only announces them takes none.
#[derive(Debug)]
pub(super) struct Budget(Arc<Semaphore>);

/// The unit of the budget: small bodies take one, so the number of bodies is bounded too.
const UNIT: usize = 4096;

/// A body and its share of the budget, which is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        let units = (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(units)))
    }

    /// Takes what a body of `bytes` needs beyond the share that it has.
    fn extend(&self, share: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> Result<(), Error> {
        let has = share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.div_ceil(UNIT).saturating_sub(has);
        if more == 0 {
            return Ok(());
        }
        let more = u32::try_from(more).map_err(|_| Error::BodiesFull)?;
        let more = Arc::clone(&self.0).try_acquire_many_owned(more);
        let more = more.map_err(|_| Error::BodiesFull)?;
        match share {
            Some(share) => share.merge(more),
            None => *share = Some(more),
        }
        Ok(())
    }
}

/// The whole body. One that declares itself too large is refused unread.
pub(super) async fn read(
    body: Incoming,
    limit: usize,
    timeout: Duration,
    budget: &Budget,
) -> Result<Whole, Error> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Error::TooLarge { limit });
    }
    let whole = tokio::time::timeout(timeout, collect(body, limit, budget));
    whole.await.map_err(|_| Error::BodyTimeout(timeout))?
}

async fn collect(mut body: Incoming, limit: usize, budget: &Budget) -> Result<Whole, Error> {
    let mut bytes = BytesMut::new();
    let mut share = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::BodyBroken(error.to_string()))?;
        // Trailers say nothing here.
        let Ok(data) = frame.into_data() else { continue };
        let length = bytes.len() + data.len();
        if length > limit {
            return Err(Error::TooLarge { limit });
        }
        budget.extend(&mut share, length)?;
        bytes.extend_from_slice(&data);
    }
    Ok(Whole { bytes: bytes.freeze(), _share: share })
}
