//! GET of an MCP endpoint: the stream on which a session hears what belongs to no request of it.
//!
//! It ends when its session does, when the gateway is about to, and when its client goes. An empty comment now
//! and then keeps balancers from taking it for dead.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Turn, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use hyper::body::{Body, Frame, Incoming};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::accept;
use super::events::written;
use super::listen::Shared;
use super::reply::{self, Reply};
use super::stream::Busy;
use crate::auth::Principal;
use crate::error::Error;
use crate::gateway::Gateway;
use crate::mcp::answer::Context;
use crate::mcp::changes::Changes;
use crate::mcp::headers::{self, PROTOCOL_VERSION, SESSION_ID};
use crate::mcp::revision::Revision;

/// Between two signs of life. Below the 60 s after which balancers of AWS end what is idle.
const PULSE: Duration = Duration::from_secs(25);

/// A comment, which a reader of events skips.
const COMMENT: &[u8] = b":\n\n";

type Next = Pin<Box<dyn Future<Output = (Changes, Option<Vec<u8>>)> + Send>>;

/// The body of such a reply.
pub(super) struct Listening {
    /// Until the end.
    next: Option<Next>,
    pulse: Interval,
    gateway: Arc<Gateway>,
    principal: Principal,
    token: String,
    /// The connection serves a request until the stream is at its end.
    _busy: Option<Busy>,
}

/// Opens the stream of a session.
///
/// # Errors
/// No session, one that has ended, a client that reads no events, or a revision that has no such stream.
pub(super) fn open(shared: &Shared, context: Context, request: &Request<Incoming>) -> Result<Reply, Error> {
    let headers = request.headers();
    if !accept::accepted(headers)?.events {
        return Err(Error::NotAcceptable);
    }
    let version = headers::single(headers, PROTOCOL_VERSION, "MCP-Protocol-Version")?;
    if version.and_then(Revision::parse).is_some_and(Revision::is_stateless) {
        return Err(Error::MethodNotAllowed("POST"));
    }
    let token = headers::single(headers, SESSION_ID, "Mcp-Session-Id")?.ok_or(Error::SessionMissing)?;
    shared.gateway.sessions().verify(&context.principal, token)?;
    Ok(reply::listening(Listening::new(Arc::clone(&shared.gateway), context, token.to_owned(), PULSE)))
}

fn next(mut changes: Changes) -> Next {
    Box::pin(async move {
        let message = changes.next().await;
        (changes, message)
    })
}

impl Listening {
    pub(super) fn new(gateway: Arc<Gateway>, context: Context, token: String, pulse: Duration) -> Self {
        let mut pulse = interval_at(Instant::now() + pulse, pulse);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let principal = context.principal.clone();
        let next = next(Changes::since_now(Arc::clone(&gateway), context));
        Self { next: Some(next), pulse, gateway, principal, token, _busy: None }
    }

    /// Keeps the connection busy until the end.
    pub(super) fn keep(&mut self, busy: Busy) {
        self._busy = Some(busy);
    }

    fn event(&mut self, turn: &mut Turn<'_>) -> Poll<Option<Bytes>> {
        if self.gateway.sessions().verify(&self.principal, &self.token).is_err() {
            return self.end();
        }
        let Some(waiting) = &mut self.next else { return Poll::Ready(None) };
        let Poll::Ready((changes, message)) = waiting.as_mut().poll(turn) else {
            ready!(self.pulse.poll_tick(turn));
            return Poll::Ready(Some(Bytes::from_static(COMMENT)));
        };
        let Some(message) = message else { return self.end() };
        self.next = Some(next(changes));
        Poll::Ready(Some(written(&message)))
    }

    fn end(&mut self) -> Poll<Option<Bytes>> {
        (self.next, self._busy) = (None, None);
        Poll::Ready(None)
    }
}

impl Body for Listening {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        turn: &mut Turn<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.event(turn).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}
