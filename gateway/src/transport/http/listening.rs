//! The stream on which a client hears of changes: of a session by GET of an MCP endpoint, of a stateless client by
//! its subscription.
//!
//! It ends when its session does, when the gateway is about to, and when its client goes. An empty comment now
//! and then keeps balancers from taking it for dead.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Turn, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use hyper::body::{Body, Frame, Incoming};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::accept;
use super::events::written;
use super::listen::Shared;
use super::reply::{self, Reply, Stream};
use super::resumable::EventId;
use super::stream::Busy;
use crate::auth::Principal;
use crate::error::Error;
use crate::gateway::Gateway;
use crate::mcp::answer::Context;
use crate::mcp::changes::Changes;
use crate::mcp::headers::{self, LAST_EVENT_ID, PROTOCOL_VERSION, SESSION_ID};
use crate::mcp::revision::Revision;
use crate::mcp::session::SessionId;
use crate::respond;

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
    session: Option<Session>,
    /// The connection serves a request until the stream is at its end.
    _busy: Option<Busy>,
}

/// The session that a stream is of.
struct Session {
    gateway: Arc<Gateway>,
    principal: Principal,
    token: String,
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
    let session = shared.gateway.sessions().verify(&context.principal, token)?;
    if let Some(last) = headers::single(headers, LAST_EVENT_ID, "Last-Event-ID")?.filter(|id| !id.is_empty())
    {
        return resume(shared, &context, session.id, last);
    }
    let gateway = Arc::clone(&shared.gateway);
    let listening = Listening::of_session(gateway, context, (session.id, token.to_owned()), PULSE);
    Ok(reply::stream(Stream::Listening(listening)))
}

/// Goes on with the stream of an event.
fn resume(shared: &Shared, context: &Context, session: SessionId, last: &str) -> Result<Reply, Error> {
    let id = EventId::parse(last).ok_or(Error::EventUnknown("it is no id of an event of this gateway"))?;
    Ok(match shared.streams.resume(id, session, context)? {
        Some(reading) => reply::stream(Stream::Reading(reading)),
        // By which a reader of events knows that it need not come back.
        None => reply::empty(StatusCode::NO_CONTENT),
    })
}

/// Opens that of a subscription.
pub(super) fn subscribed(changes: Changes) -> Reply {
    reply::stream(Stream::Listening(Listening::new(changes, None, PULSE)))
}

fn next(mut changes: Changes) -> Next {
    Box::pin(async move {
        let message = changes.next().await;
        (changes, message)
    })
}

impl Listening {
    pub(super) fn of_session(
        gateway: Arc<Gateway>,
        context: Context,
        (id, token): (SessionId, String),
        pulse: Duration,
    ) -> Self {
        let principal = context.principal.clone();
        let changes = Changes::since_now(Arc::clone(&gateway), context, id);
        Self::new(changes, Some(Session { gateway, principal, token }), pulse)
    }

    fn new(changes: Changes, session: Option<Session>, pulse: Duration) -> Self {
        let mut pulse = interval_at(Instant::now() + pulse, pulse);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { next: Some(next(changes)), pulse, session, _busy: None }
    }

    /// Keeps the connection busy until the end.
    pub(super) fn keep(&mut self, busy: Busy) {
        self._busy = Some(busy);
    }

    fn event(&mut self, turn: &mut Turn<'_>) -> Poll<Option<Bytes>> {
        if self.session.as_ref().is_some_and(Session::has_ended) {
            return self.end(None);
        }
        let Some(waiting) = &mut self.next else { return Poll::Ready(None) };
        let Poll::Ready((changes, message)) = waiting.as_mut().poll(turn) else {
            ready!(self.pulse.poll_tick(turn));
            return Poll::Ready(Some(Bytes::from_static(COMMENT)));
        };
        let Some(message) = message else { return self.end(last(&changes)) };
        self.next = Some(next(changes));
        Poll::Ready(Some(written(&message)))
    }

    fn end(&mut self, last: Option<Bytes>) -> Poll<Option<Bytes>> {
        (self.next, self._busy) = (None, None);
        Poll::Ready(last)
    }
}

impl Session {
    fn has_ended(&self) -> bool {
        self.gateway.sessions().verify(&self.principal, &self.token).is_err()
    }
}

/// The result of a subscription, which ends it.
fn last(changes: &Changes) -> Option<Bytes> {
    let (id, answer) = changes.result()?;
    let mut message = Vec::with_capacity(respond::success_size(id, &answer));
    respond::success(&mut message, id, &answer);
    Some(written(&message))
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
