//! Builds HTTP responses.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

use super::accept::Format;
use crate::error::Error;
use crate::mcp::headers::SESSION_ID;
use crate::mcp::id::Id;
use crate::mcp::revision::Revision;
use crate::respond;

/// A response with its whole body.
pub(super) type Reply = Response<Full<Bytes>>;

/// One JSON-RPC message, or a batch of them.
pub(super) fn message(format: Format, message: Vec<u8>) -> Reply {
    match format {
        Format::Json => json(StatusCode::OK, message),
        Format::EventStream => events(message),
    }
}

/// JSON with a status.
pub(super) fn json(status: StatusCode, body: Vec<u8>) -> Reply {
    with_type(status, "application/json", body)
}

/// Plain text with a status.
pub(super) fn text(status: StatusCode, body: &'static str) -> Reply {
    with_type(status, "text/plain; charset=utf-8", body.into())
}

/// A status and nothing else.
pub(super) fn empty(status: StatusCode) -> Reply {
    let mut reply = Reply::default();
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
    let mut reply = if status == StatusCode::OK { message(format, body) } else { json(status, body) };
    if let Some(after) = wire.retry_after {
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
    }
    if let Some(allow) = wire.allow {
        reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    }
    reply
}

/// Adds the id of a new session.
pub(super) fn with_session(mut reply: Reply, token: &str) -> Reply {
    if let Ok(token) = HeaderValue::from_str(token) {
        reply.headers_mut().insert(SESSION_ID, token);
    }
    reply
}

fn events(mut message: Vec<u8>) -> Reply {
    respond::one_line(&mut message);
    let body = [b"event: message\ndata: ", &message[..], b"\n\n"].concat();
    let mut reply = with_type(StatusCode::OK, "text/event-stream", body);
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    reply.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    reply
}

fn with_type(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}
