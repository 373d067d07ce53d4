//! The stream on which a client hears of changes: of a session by GET of an MCP endpoint, of a stateless client by
//! its subscription.
//!
//! It ends when its session does, when the gateway is about to, and when its client goes. An empty comment now
//! and then keeps balancers from taking it for dead. The client of a session comes back by the id of the last event, and
//! hears what it missed.

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
use super::resumable::{EventId, Listener};
use super::stream::Busy;
use crate::auth::Principal;
use crate::error::Error;
use crate::gateway::Gateway;
use crate::mcp::answer::Context;
use crate::mcp::changes::Changes;
use crate::mcp::headers::{self, LAST_EVENT_ID, PROTOCOL_VERSION, SESSION_ID};
use crate::mcp::place::Ids;
use crate::mcp::revision::Revision;
use crate::mcp::session;
use crate::respond;

/// Between two signs of life. Below the 60 s after which balancers of AWS end what is idle.
const PULSE: Duration = Duration::from_secs(25);

/// A comment, which a reader of events skips.
const COMMENT: &[u8] = b":\n\n";

/// What is no id of an event.
const UNKNOWN: Error =
    Error::EventUnknown("it is of no event that was sent to this session at this endpoint");

type Next = Pin<Box<dyn Future<Output = (Changes, Option<Vec<u8>>)> + Send>>;

/// The body of such a reply.
pub(super) struct Listening {
    /// An event without data, with which it begins.
    first: Option<Bytes>,
    /// Until the end.
    next: Option<Next>,
    pulse: Interval,
    session: Option<Session>,
    /// The connection serves a request until the stream is at its end.
    _busy: Option<Busy>,
}

/// The session that a stream is of.
pub(super) struct Session {
    gateway: Arc<Gateway>,
    principal: Principal,
    token: String,
    ids: Ids,
    listener: Listener,
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
    let last = headers::single(headers, LAST_EVENT_ID, "Last-Event-ID")?.filter(|id| !id.is_empty());
    if let Some(id) = last.and_then(EventId::parse) {
        return Ok(match shared.streams.resume(id, session.id, &context)? {
            Some(reading) => reply::stream(Stream::Reading(reading)),
            // By which a reader of events knows that it need not come back.
            None => reply::empty(StatusCode::NO_CONTENT),
        });
    }
    let listening = Listening::of_session(shared, context, session, (token, last), PULSE)?;
    Ok(reply::stream(Stream::Listening(listening)))
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
    /// That of a session with that token, after the last event that its client has, where it has one.
    fn of_session(
        shared: &Shared,
        context: Context,
        session: session::Session,
        (token, last): (&str, Option<&str>),
        pulse: Duration,
    ) -> Result<Self, Error> {
        let ids = Ids::of(&context, session.id);
        let gateway = Arc::clone(&shared.gateway);
        let before = last.map(|id| ids.read(gateway.sessions().key(), id).ok_or(UNKNOWN)).transpose()?;
        let listener = shared.listeners.enter(session.id, before.map(|(stream, _)| stream));
        let principal = context.principal.clone();
        let changes = match before {
            Some((_, place)) => Changes::since(Arc::clone(&gateway), context, session.id, &place),
            None => Changes::since_now(Arc::clone(&gateway), context, session.id),
        };
        let own = Session { gateway, principal, token: token.to_owned(), ids, listener };
        let first = session.revision.has_primed_streams().then(|| reply::priming(&own.id(&changes)).into());
        Ok(Self { first, ..Self::new(changes, Some(own), pulse) })
    }

    pub(super) fn new(changes: Changes, session: Option<Session>, pulse: Duration) -> Self {
        let mut pulse = interval_at(Instant::now() + pulse, pulse);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { first: None, next: Some(next(changes)), pulse, session, _busy: None }
    }

    /// Keeps the connection busy until the end.
    pub(super) fn keep(&mut self, busy: Busy) {
        self._busy = Some(busy);
    }

    fn event(&mut self, turn: &mut Turn<'_>) -> Poll<Option<Bytes>> {
        if self.session.as_mut().is_some_and(|session| session.has_ended(turn)) {
            return self.end(None);
        }
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        let Some(waiting) = &mut self.next else { return Poll::Ready(None) };
        let Poll::Ready((changes, message)) = waiting.as_mut().poll(turn) else {
            ready!(self.pulse.poll_tick(turn));
            return Poll::Ready(Some(Bytes::from_static(COMMENT)));
        };
        let Some(message) = message else { return self.end(last(&changes)) };
        let event = match &self.session {
            Some(session) => reply::event_of(&session.id(&changes), &message).into(),
            None => written(&message),
        };
        self.next = Some(next(changes));
        Poll::Ready(Some(event))
    }

    fn end(&mut self, last: Option<Bytes>) -> Poll<Option<Bytes>> {
        (self.next, self._busy) = (None, None);
        Poll::Ready(last)
    }
}

impl Session {
    /// Whether it has, or another connection has taken the place of this one.
    fn has_ended(&mut self, turn: &mut Turn<'_>) -> bool {
        self.listener.is_replaced(turn)
            || self.gateway.sessions().verify(&self.principal, &self.token).is_err()
    }

    /// The id of the event that was told last.
    fn id(&self, changes: &Changes) -> String {
        self.ids.write(self.gateway.sessions().key(), self.listener.stream(), &changes.place())
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
