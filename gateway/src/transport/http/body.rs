//! Reads a request body: up to a size, within a time, and from the budget that all bodies share.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use crate::error::Error;
use crate::transport::budget::{Budget, Share};

/// A body and its share of the budget, which is taken as bytes arrive: a client that only announces
/// them takes none.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) bytes: Bytes,
    share: Share,
}

impl Whole {
    /// Lets go of the bytes, and of what `kept` bytes of the share do not cover.
    pub(super) fn release(self, kept: usize) -> Share {
        let Self { bytes, mut share } = self;
        drop(bytes);
        share.shrink_to(kept);
        share
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
    let mut share = budget.share();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::BodyBroken(error.to_string()))?;
        // Trailers say nothing here.
        let Ok(data) = frame.into_data() else { continue };
        let length = bytes.len() + data.len();
        if length > limit {
            return Err(Error::TooLarge { limit });
        }
        share.grow_to(length).map_err(|_| Error::BodiesFull)?;
        bytes.extend_from_slice(&data);
    }
    Ok(Whole { bytes: bytes.freeze(), share })
}
