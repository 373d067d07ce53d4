//! Builds HTTP responses: status, headers, and a body that gives its memory back once written, or is a
//! stream of events.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame};

use super::accept::Format;
use super::events::Events;
use super::listening::Listening;
use super::resumable::Reading;
use super::stream::Busy;
use crate::error::Error;
use crate::mcp::headers::SESSION_ID;
use crate::mcp::id::Id;
use crate::mcp::revision::Revision;
use crate::respond;
use crate::transport::budget::Share;

/// A response with its whole body, or with one that is yet to come.
pub(super) type Reply = Response<Either<Full<Bytes>, Box<Stream>>>;

/// A body that comes bit by bit.
pub(super) enum Stream {
    /// What a request comes to, while its connection holds.
    Events(Events),
    /// What it comes to, for whoever reads it.
    Reading(Reading),
    /// What belongs to no request.
    Listening(Listening),
}

/// The frame of a message in an event stream: what is before it and after it.
const EVENT: (&[u8], &[u8]) = (b"event: message\ndata: ", b"\n\n");

/// Bytes of an event besides its message and id, at most.
const FRAME: usize = EVENT.0.len() + EVENT.1.len() + 8;

/// One JSON-RPC message, or a batch of them, of at most `size` bytes. The share that covers it is
/// given back when the last byte is with the client; a small one needs none.
pub(super) fn message(
    format: Format,
    share: Option<Share>,
    size: usize,
    write: impl FnOnce(&mut Vec<u8>),
) -> Reply {
    let mut bytes = Vec::with_capacity(size);
    if format == Format::Json {
        write(&mut bytes);
        return with_type(StatusCode::OK, "application/json", Held { bytes, _share: share });
    }
    event(&mut bytes, write);
    as_events(Either::Left(Full::new(Bytes::from_owner(Held { bytes, _share: share }))))
}

/// A stream of messages.
pub(super) fn stream(stream: Stream) -> Reply {
    as_events(Either::Right(Box::new(stream)))
}

fn as_events(body: Either<Full<Bytes>, Box<Stream>>) -> Reply {
    let mut reply = Response::new(body);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    reply
}

/// Writes a message as an event.
pub(super) fn event(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(EVENT.0);
    let begin = out.len();
    write(out);
    respond::one_line(&mut out[begin..]);
    out.extend_from_slice(EVENT.1);
}

/// A message as an event of that id.
pub(super) fn event_of(id: &str, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(id.len() + message.len() + FRAME);
    with_id(&mut out, id);
    event(&mut out, |out| out.extend_from_slice(message));
    out
}

/// An event without data, which says where its stream is.
pub(super) fn priming(id: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(id.len() + FRAME);
    with_id(&mut out, id);
    out.extend_from_slice(b"data:\n\n");
    out
}

fn with_id(out: &mut Vec<u8>, id: &str) {
    out.extend_from_slice(b"id: ");
    out.extend_from_slice(id.as_bytes());
    out.push(b'\n');
}

/// Bytes of an answer that give their memory back with the last copy.
pub(super) fn held(bytes: Vec<u8>, share: Share) -> Bytes {
    Bytes::from_owner(Held { bytes, _share: Some(share) })
}

/// [`message`] for one that is written already.
pub(super) fn written(format: Format, share: Share, bytes: Vec<u8>) -> Reply {
    match format {
        Format::Json => with_type(StatusCode::OK, "application/json", Held { bytes, _share: Some(share) }),
        Format::EventStream => {
            let size = bytes.len() + EVENT.0.len() + EVENT.1.len();
            message(format, Some(share), size, |out| out.extend_from_slice(&bytes))
        }
    }
}

/// JSON with a status.
pub(super) fn json(status: StatusCode, body: Vec<u8>) -> Reply {
    with_type(status, "application/json", Held { bytes: body, _share: None })
}

/// Plain text with a status.
pub(super) fn text(status: StatusCode, body: &'static str) -> Reply {
    with_type(status, "text/plain; charset=utf-8", Held { bytes: body.into(), _share: None })
}

/// A status and nothing else.
pub(super) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Either::Left(Full::default()));
    *reply.status_mut() = status;
    reply
}

/// The response to what went wrong.
pub(super) fn error(format: Format, revision: Option<Revision>, id: Option<&Id>, error: &Error) -> Reply {
    let wire = respond::wire(error, revision);
    let status = StatusCode::from_u16(wire.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if matches!(error, Error::Cancelled) {
        return empty(status);
    }
    let body = respond::error(id, error, wire.code);
    let mut reply = match status {
        StatusCode::OK => message(format, None, body.len(), |out| out.extend_from_slice(&body)),
        _ => json(status, body),
    };
    if let Some(after) = wire.retry_after {
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
    }
    if let Some(allow) = wire.allow {
        reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    }
    if let Some(challenge) = wire.challenge {
        reply.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    reply
}

impl Stream {
    /// Keeps the connection busy until the end.
    pub(super) fn keep(&mut self, busy: Busy) {
        match self {
            Self::Events(events) => events.keep(busy),
            Self::Reading(reading) => reading.keep(busy),
            Self::Listening(listening) => listening.keep(busy),
        }
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        turn: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Events(events) => Pin::new(events).poll_frame(turn),
            Self::Reading(reading) => Pin::new(reading).poll_frame(turn),
            Self::Listening(listening) => Pin::new(listening).poll_frame(turn),
        }
    }
}

/// Adds the id of a new session.
pub(super) fn with_session(mut reply: Reply, token: &str) -> Reply {
    if let Ok(token) = HeaderValue::from_str(token) {
        reply.headers_mut().insert(SESSION_ID, token);
    }
    reply
}

/// Bytes of an answer, with what they have taken of the memory for answers.
struct Held {
    bytes: Vec<u8>,
    _share: Option<Share>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn with_type(status: StatusCode, kind: &'static str, body: Held) -> Reply {
    let mut reply = Response::new(Either::Left(Full::new(Bytes::from_owner(body))));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}
