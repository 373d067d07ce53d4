//! A reply that is a stream of events: what is told of a call while it runs, and at last its answer. Of those that can't
//! be resumed.
//!
//! The call runs as the stream is read, and ends with it: a client that goes away drops both.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame};

use super::reply::event;
use super::stream::Busy;
use crate::mcp::notices::Heard;
use crate::transport::budget::Share;

/// The answer, a JSON-RPC message, with what it has taken of the memory for answers; `None` to a request
/// that was withdrawn.
pub(super) type Answered = Pin<Box<dyn Future<Output = Option<(Vec<u8>, Share)>> + Send>>;

/// The body of such a reply.
pub(super) struct Events {
    heard: Heard,
    /// What came first, which is why the reply is a stream.
    first: Option<Vec<u8>>,
    answered: Option<Answered>,
    _share: Option<Share>,
    /// The connection serves a request until the stream is at its end.
    busy: Option<Busy>,
}

impl Events {
    pub(super) fn new(first: Vec<u8>, heard: Heard, answered: Answered) -> Self {
        Self { heard, first: Some(first), answered: Some(answered), _share: None, busy: None }
    }

    /// Keeps the connection busy until the end.
    pub(super) fn keep(&mut self, busy: Busy) {
        self.busy = Some(busy);
    }

    fn end(&mut self, answer: Option<(Vec<u8>, Share)>) -> Option<Bytes> {
        self.answered = None;
        let mut last = Vec::new();
        while let Some(message) = self.heard.told() {
            event(&mut last, |out| out.extend_from_slice(&message));
        }
        if let Some((message, share)) = answer {
            event(&mut last, |out| out.extend_from_slice(&message));
            self._share = Some(share);
        }
        self.busy = None;
        (!last.is_empty()).then(|| last.into())
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(written(&first)));
        }
        let Some(answered) = &mut self.answered else { return Poll::Ready(None) };
        if let Poll::Ready(message) = self.heard.poll_next(cx) {
            return Poll::Ready(Some(written(&message)));
        }
        let answer = ready!(answered.as_mut().poll(cx));
        Poll::Ready(self.end(answer))
    }
}

/// A message as an event.
pub(super) fn written(message: &[u8]) -> Bytes {
    let mut out = Vec::new();
    event(&mut out, |out| out.extend_from_slice(message));
    out.into()
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.next(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}
