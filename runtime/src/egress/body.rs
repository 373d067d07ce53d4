//! A response body that ends: bounded in bytes, and in time between two pieces. Secrets that its
//! request carried are hidden in it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::task::AbortHandle;
use tokio::time::{Instant, Sleep};

use super::error::Step;
use super::{EgressError, hide};
use crate::secret::Mask;

/// The body of a response. Dropping it closes the connection.
pub struct ResponseBody {
    incoming: Incoming,
    left: u64,
    limit: u64,
    between_bytes: Duration,
    timer: Pin<Box<Sleep>>,
    mask: Option<Mask>,
    /// Came already, and wait for the bytes in front of them that the mask held back.
    trailers: Option<HeaderMap>,
    _connection: Connection,
}

/// The task that drives a connection; ends with whoever reads from it.
pub(super) struct Connection(AbortHandle);

impl Connection {
    pub(super) fn new(task: AbortHandle) -> Self {
        Self(task)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl ResponseBody {
    pub(super) fn new(
        incoming: Incoming,
        limit: u64,
        between_bytes: Duration,
        mask: Option<Mask>,
        connection: Connection,
    ) -> Self {
        Self {
            incoming,
            left: limit,
            limit,
            between_bytes,
            timer: Box::pin(tokio::time::sleep(between_bytes)),
            mask,
            trailers: None,
            _connection: connection,
        }
    }

    fn check(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, EgressError> {
        let size = frame.data_ref().map_or(0, Bytes::len);
        let left = self.left.checked_sub(size as u64);
        self.left = left.ok_or(EgressError::ResponseBody { limit: self.limit })?;
        Ok(frame)
    }

    /// What a frame becomes for the guest; `None` if all of it is held back.
    fn masked(&mut self, frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
        let Some(mask) = &mut self.mask else {
            return Some(frame);
        };
        let trailers = match frame.into_data() {
            Ok(data) => {
                let ready = mask.feed(&data);
                return (!ready.is_empty()).then(|| Frame::data(ready));
            }
            Err(other) => other.into_trailers().ok()?,
        };
        let rest = mask.finish();
        let trailers = hide::in_headers(mask, trailers);
        if rest.is_empty() {
            return Some(Frame::trailers(trailers));
        }
        self.trailers = Some(trailers);
        Some(Frame::data(rest))
    }

    /// What is left to give after the last frame of the server.
    fn last(&mut self) -> Option<Frame<Bytes>> {
        let rest = self.mask.as_mut().map(Mask::finish).filter(|rest| !rest.is_empty());
        rest.map(Frame::data).or_else(|| self.trailers.take().map(Frame::trailers))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = EgressError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        loop {
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(None) => return Poll::Ready(self.last().map(Ok)),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(super::send::broken(error)))),
                Poll::Ready(Some(Ok(frame))) => {
                    let end = Instant::now() + self.between_bytes;
                    self.timer.as_mut().reset(end);
                    let frame = self.check(frame)?;
                    if let Some(frame) = self.masked(frame) {
                        return Poll::Ready(Some(Ok(frame)));
                    }
                }
                Poll::Pending => {
                    ready!(self.timer.as_mut().poll(cx));
                    return Poll::Ready(Some(Err(EgressError::Timeout {
                        what: Step::BetweenBytes,
                        limit: self.between_bytes,
                    })));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let held = self.mask.as_ref().map_or(0, Mask::held);
        self.incoming.is_end_stream() && held == 0 && self.trailers.is_none()
    }

    /// A mask changes no lengths, so what it holds back is still to come.
    fn size_hint(&self) -> SizeHint {
        let held = self.mask.as_ref().map_or(0, Mask::held);
        let incoming = self.incoming.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(incoming.lower().saturating_add(held));
        if let Some(upper) = incoming.upper() {
            hint.set_upper(upper.saturating_add(held));
        }
        hint
    }
}
