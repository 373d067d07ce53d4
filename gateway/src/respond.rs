//! The one mapping of errors to the wire: JSON-RPC code, HTTP status, headers.
//!
//! Also writes the envelope around results. Codes outside those of JSON-RPC and MCP are HTTP's own
//! numbers, since the specification keeps -32768 to -32000 for itself.

use std::borrow::Cow;
use std::time::Duration;

use toolgate_runtime::sandbox::CallError;

use crate::catalog::Wanted;
use crate::error::Error;
use crate::mcp::answer::Answer;
use crate::mcp::id::Id;
use crate::mcp::revision::{Revision, SUPPORTED};

/// How an error looks from outside.
#[derive(Debug, PartialEq, Eq)]
pub struct Wire {
    /// HTTP status.
    pub status: u16,
    /// JSON-RPC error code.
    pub code: i32,
    /// `Retry-After`.
    pub retry_after: Option<Duration>,
    /// `Allow`.
    pub allow: Option<&'static str>,
    /// `WWW-Authenticate`.
    pub challenge: Option<&'static str>,
}

impl Wire {
    fn new(status: u16, code: i32) -> Self {
        Self { status, code, retry_after: None, allow: None, challenge: None }
    }
}

/// When an unavailable server or a starting gateway is worth another try.
const RETRY_UNAVAILABLE: Duration = Duration::from_secs(5);

/// When a connection, or memory for bodies and answers, is likely to be free again.
const RETRY_CROWDED: Duration = Duration::from_secs(1);

/// What a client is to sign in with (RFC 6750, section 3). The error is only for those who tried.
const CHALLENGE: &str = "Bearer realm=\"toolgate\"";
const CHALLENGE_BAD: &str = "Bearer realm=\"toolgate\", error=\"invalid_token\"";

/// Bytes around id and result, and around the whole message.
const FRAME: usize = 64;

/// How an error looks to a request of that revision; `None` where it is not known yet.
#[must_use]
pub fn wire(error: &Error, revision: Option<Revision>) -> Wire {
    // Revisions with sessions answer a readable request with status 200, whatever it asks.
    let stateless = revision.is_some_and(Revision::is_stateless);
    match error {
        Error::Parse(_) => Wire::new(400, -32700),
        Error::InvalidRequest(_) => Wire::new(400, -32600),
        Error::MethodNotFound(_) => Wire::new(if stateless { 404 } else { 200 }, -32601),
        Error::InvalidParams(_) => Wire::new(200, -32602),
        Error::Unknown(wanted) | Error::NotAllowed { wanted, .. } => {
            Wire::new(200, unknown(wanted, stateless))
        }
        Error::Failed(CallError::Refused { code, .. }) => {
            Wire::new(200, i32::try_from(*code).unwrap_or(-32603))
        }
        Error::Failed(CallError::Unavailable(_)) => {
            Wire { retry_after: Some(RETRY_UNAVAILABLE), ..Wire::new(503, 503) }
        }
        Error::Failed(_) => Wire::new(200, -32603),
        Error::Malformed(_) => Wire::new(400, -32602),
        Error::HeaderMismatch(_) => Wire::new(400, -32020),
        Error::MissingCapability(_) => Wire::new(if stateless { 400 } else { 200 }, -32021),
        Error::UnsupportedVersion(_) => Wire::new(400, -32022),
        // As revisions of its time have it.
        Error::Outdated(_) => Wire::new(200, -32602),
        Error::SessionMissing => Wire::new(400, -32600),
        Error::SessionUnknown(_) => Wire::new(404, 404),
        // Not 404, by which a client takes its session to have ended.
        Error::EventUnknown(_) => Wire::new(400, -32600),
        Error::NoKey => Wire { challenge: Some(CHALLENGE), ..Wire::new(401, 401) },
        Error::BadKey => Wire { challenge: Some(CHALLENGE_BAD), ..Wire::new(401, 401) },
        Error::Host(_) | Error::Origin(_) | Error::ServerNotAllowed(_) => Wire::new(403, 403),
        Error::NotAcceptable => Wire::new(406, 406),
        Error::MediaType => Wire::new(415, 415),
        Error::TooLarge { .. } => Wire::new(413, 413),
        Error::BodyTimeout(_) => Wire::new(408, 408),
        Error::BodyBroken(_) => Wire::new(400, 400),
        Error::NotFound | Error::UnknownServer(_) | Error::UnknownProfile(_) => Wire::new(404, 404),
        Error::MethodNotAllowed(allow) => Wire { allow: Some(allow), ..Wire::new(405, 405) },
        Error::Overloaded { retry_after, .. } => {
            Wire { retry_after: Some(*retry_after), ..Wire::new(503, 503) }
        }
        Error::BatchTooLarge { .. } => Wire::new(413, 413),
        Error::ConnectionsFull | Error::BodiesFull | Error::AnswersFull | Error::TasksFull(_) => {
            Wire { retry_after: Some(RETRY_CROWDED), ..Wire::new(503, 503) }
        }
        Error::Unavailable { .. } | Error::Starting => {
            Wire { retry_after: Some(RETRY_UNAVAILABLE), ..Wire::new(503, 503) }
        }
        // Nothing is to be said about a request that was withdrawn.
        Error::Cancelled => Wire::new(202, 0),
        Error::Internal(_) => Wire::new(500, -32603),
    }
}

/// Revisions with sessions have a code for resources (`-32002`).
fn unknown(wanted: &Wanted, stateless: bool) -> i32 {
    match wanted {
        Wanted::Resource(_) | Wanted::Subscription(_) if !stateless => -32002,
        Wanted::Tool(_)
        | Wanted::Prompt(_)
        | Wanted::Resource(_)
        | Wanted::Subscription(_)
        | Wanted::Completion(_) => -32602,
    }
}

/// The error response; without an id where none could be read.
#[must_use]
pub fn error(id: Option<&Id>, error: &Error, code: i32) -> Vec<u8> {
    let mut out = br#"{"jsonrpc":"2.0","#.to_vec();
    if let Some(id) = id {
        out.extend_from_slice(b"\"id\":");
        out.extend_from_slice(id.json().as_bytes());
        out.push(b',');
    }
    out.extend_from_slice(b"\"error\":");
    out.extend_from_slice(&error_object(error, code));
    out.push(b'}');
    out
}

/// The error of such a response alone.
#[must_use]
pub fn error_object(error: &Error, code: i32) -> Vec<u8> {
    let message = serde_json::Value::from(error.public());
    let mut out = format!(r#"{{"code":{code},"message":{message}"#).into_bytes();
    if let Some(data) = data(error) {
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(data.as_bytes());
    }
    out.push(b'}');
    out
}

/// What an error says besides, JSON text.
fn data(error: &Error) -> Option<Cow<'_, str>> {
    match error {
        Error::UnsupportedVersion(requested) | Error::Outdated(requested) => {
            let requested = serde_json::Value::from(requested.as_str());
            Some(format!(r#"{{"supported":{SUPPORTED},"requested":{requested}}}"#).into())
        }
        Error::MissingCapability(missing) => {
            Some(format!(r#"{{"requiredCapabilities":{}}}"#, missing.json()).into())
        }
        Error::Unknown(Wanted::Resource(uri) | Wanted::Subscription(uri)) => {
            Some(format!(r#"{{"uri":{}}}"#, serde_json::Value::from(uri.as_str())).into())
        }
        Error::Failed(CallError::Refused { data, .. }) => data.as_deref().map(Cow::Borrowed),
        _ => None,
    }
}

/// Bytes of the success response around an answer, at most; a transport's frame has room in it.
#[must_use]
pub fn success_size(id: &Id, answer: &Answer) -> usize {
    id.json().len() + answer.size() + FRAME
}

/// Writes the success response around an answer.
pub fn success(out: &mut Vec<u8>, id: &Id, answer: &Answer) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.json().as_bytes());
    out.extend_from_slice(br#","result":"#);
    answer.write(out);
    out.push(b'}');
}

/// Puts a message on one line, for transports that end messages with a newline. In JSON a raw
/// newline can only be white space.
pub fn one_line(message: &mut [u8]) {
    for byte in message {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}
