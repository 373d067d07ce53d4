//! A response body that ends: bounded in bytes, and in time between two pieces.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::task::AbortHandle;
use tokio::time::{Instant, Sleep};

use super::EgressError;
use super::error::Step;

/// The body of a response. Dropping it closes the connection.
pub struct ResponseBody {
    incoming: Incoming,
    left: u64,
    limit: u64,
    between_bytes: Duration,
    timer: Pin<Box<Sleep>>,
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
        connection: Connection,
    ) -> Self {
        Self {
            incoming,
            left: limit,
            limit,
            between_bytes,
            timer: Box::pin(tokio::time::sleep(between_bytes)),
            _connection: connection,
        }
    }

    fn check(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, EgressError> {
        let size = frame.data_ref().map_or(0, Bytes::len);
        let left = self.left.checked_sub(size as u64);
        self.left = left.ok_or(EgressError::ResponseBody { limit: self.limit })?;
        Ok(frame)
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = EgressError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(super::send::broken(error)))),
            Poll::Ready(Some(Ok(frame))) => {
                let end = Instant::now() + self.between_bytes;
                self.timer.as_mut().reset(end);
                Poll::Ready(Some(self.check(frame)))
            }
            Poll::Pending => {
                ready!(self.timer.as_mut().poll(cx));
                Poll::Ready(Some(Err(EgressError::Timeout {
                    what: Step::BetweenBytes,
                    limit: self.between_bytes,
                })))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
