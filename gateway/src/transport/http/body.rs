//! Reads a request body, up to a size and within a time.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};

use crate::error::Error;

/// The whole body. One that declares itself too large is refused unread.
pub(super) async fn read(body: Incoming, limit: usize, timeout: Duration) -> Result<Bytes, Error> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Error::TooLarge { limit });
    }
    let whole = tokio::time::timeout(timeout, Limited::new(body, limit).collect());
    match whole.await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Error::TooLarge { limit }),
        Ok(Err(error)) => Err(Error::BodyBroken(error.to_string())),
        Err(_) => Err(Error::BodyTimeout(timeout)),
    }
}
