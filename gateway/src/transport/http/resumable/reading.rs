//! One connection to a stream that is kept: the body of a reply.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};

use super::kept::Kept;
use super::store::Store;
use crate::transport::http::stream::Busy;

/// The body of such a reply.
#[derive(Debug)]
pub(in super::super) struct Reading {
    store: Arc<Store>,
    stream: Arc<Kept>,
    connection: u64,
    /// The event without data with which it begins.
    first: Option<Bytes>,
    /// The connection serves a request until the stream is at its end.
    busy: Option<Busy>,
}

impl Reading {
    pub(super) fn new(store: Arc<Store>, stream: Arc<Kept>, connection: u64, first: Option<Bytes>) -> Self {
        Self { store, stream, connection, first, busy: None }
    }

    /// Keeps the connection busy until the end.
    pub(in super::super) fn keep(&mut self, busy: Busy) {
        self.busy = Some(busy);
    }

    pub(super) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    pub(super) fn stream(&self) -> &Arc<Kept> {
        &self.stream
    }
}

impl Body for Reading {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        turn: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => self.stream.poll_next(self.connection, turn),
        };
        if matches!(next, Poll::Ready(None)) {
            self.busy = None;
        }
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.store.leave(&self.stream, self.connection);
    }
}
