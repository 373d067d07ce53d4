//! Everything that can keep a request from a result, as one closed enum.
//!
//! Each error has two texts: `Display` is for the operator's logs and may name hosts and causes;
//! [`Error::public`] is what leaves the process. How an error looks on the wire is decided in
//! [`crate::respond`] alone. What a tool or its sandbox does wrong is no [`Error`]: it is a result
//! that says so, see [`crate::mcp::tools_call`].

use std::time::Duration;

use toolgate_runtime::sandbox::{CallError, Reference};

use crate::catalog::Wanted;
use toolgate_runtime::peer::ClientCapabilities;

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not JSON.
    #[error("not JSON: {0}")]
    Parse(String),
    /// JSON, but not a JSON-RPC 2.0 message that may stand here.
    #[error("not a valid request: {0}")]
    InvalidRequest(String),
    /// A method that this revision does not have.
    #[error("method not found: {0}")]
    MethodNotFound(String),
    /// Parameters that the method does not take.
    #[error("invalid params: {0}")]
    InvalidParams(String),
    /// Parameters that are no object, or lack what every request of their revision must have.
    #[error("invalid params: {0}")]
    Malformed(String),
    /// A tool, prompt or resource that is not in the catalog.
    #[error("unknown {0}")]
    Unknown(Wanted),
    /// HTTP headers that are missing or say other than the body.
    #[error("header mismatch: {0}")]
    HeaderMismatch(String),
    /// A protocol revision that is not spoken here.
    #[error("unsupported protocol version: {0}")]
    UnsupportedVersion(String),
    /// A client of a revision from before those that are spoken here.
    #[error("revision {0} of MCP is not spoken here: use a client of 2025-03-26 or later")]
    Outdated(String),
    /// A request of a session-based revision without its session.
    #[error("no Mcp-Session-Id header: send initialize first, then the id it returned")]
    SessionMissing,
    /// A session id that was never issued here, was tampered with, has expired or was ended.
    #[error("unknown session: {0}")]
    SessionUnknown(&'static str),
    /// A `Last-Event-ID` after which no stream can be gone on with here.
    #[error("unknown Last-Event-ID: {0}")]
    EventUnknown(&'static str),
    /// No key where one is needed.
    #[error("not signed in: send `Authorization: Bearer KEY`")]
    NoKey,
    /// Something presented as a key that is none of the config's.
    #[error("not signed in: the Authorization header holds no key of this gateway")]
    BadKey,
    /// A server that is not open to the caller, whether or not there is one.
    #[error("not allowed: this key does not open server {0:?}")]
    ServerNotAllowed(String),
    /// Something of a server that is not open to the caller.
    #[error("{owner:?} may not use the {wanted}: add \"{server}\" to `servers` of its key in [auth.keys]")]
    NotAllowed {
        /// As it was named.
        wanted: Wanted,
        /// Whose it is.
        server: String,
        /// Who asked for it.
        owner: String,
    },
    /// Something else than a tool whose server failed; a tool says so in its result.
    #[error(transparent)]
    Failed(#[from] CallError),
    /// A server asks its client for what that can't do.
    #[error("missing client capability: {}", .0.json())]
    MissingCapability(ClientCapabilities),
    /// A `Host` that is not this gateway's name.
    #[error("host not allowed: {0}")]
    Host(String),
    /// An `Origin` that may not use this gateway.
    #[error("origin not allowed: {0:?}")]
    Origin(String),
    /// The client accepts neither of the two content types that could be sent.
    #[error("not acceptable: Accept must list application/json or text/event-stream")]
    NotAcceptable,
    /// A body that is not declared as JSON.
    #[error("unsupported media type: Content-Type must be application/json")]
    MediaType,
    /// A body above the limit.
    #[error("the request is larger than the limit of {limit} bytes")]
    TooLarge {
        /// Bytes.
        limit: usize,
    },
    /// A body that did not arrive in time.
    #[error("the request body did not arrive within {} s", .0.as_secs())]
    BodyTimeout(Duration),
    /// A body that broke off.
    #[error("the request body broke off: {0}")]
    BodyBroken(String),
    /// All connections are in use; this one may only probe.
    #[error("overloaded: too many connections")]
    ConnectionsFull,
    /// All request bodies together fill their memory.
    #[error("overloaded: too many request bodies at a time")]
    BodiesFull,
    /// All answers together fill their memory.
    #[error("overloaded: too many answers wait for their clients to read them")]
    AnswersFull,
    /// As many tasks are kept as may be, or as much of what came of them.
    #[error("{0} are kept already; try again later")]
    TasksFull(&'static str),
    /// The answers to one batch are too large.
    #[error("the answers to this batch exceed the limit of {limit} bytes; send its requests one by one")]
    BatchTooLarge {
        /// Bytes.
        limit: usize,
    },
    /// A path that serves nothing.
    #[error("nothing is served at this path")]
    NotFound,
    /// `/mcp/{server}` for a server that the config does not name.
    #[error("no such server: {0:?}")]
    UnknownServer(String),
    /// `/mcp/profile/{profile}` that the config does not have, or of which no server is open to the caller.
    #[error("no such profile: {0:?}")]
    UnknownProfile(String),
    /// An HTTP method that the endpoint does not have.
    #[error("method not allowed; this endpoint has {0}")]
    MethodNotAllowed(&'static str),
    /// Too many calls of this server run and wait already.
    #[error("overloaded: too many calls of server {server:?} in flight")]
    Overloaded {
        /// The server.
        server: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// The server can't be used at present.
    #[error("server {server:?} is unavailable: {reason}")]
    Unavailable {
        /// The server.
        server: String,
        /// Why, for the operator.
        reason: String,
    },
    /// The catalog is not assembled yet.
    #[error("the gateway is starting")]
    Starting,
    /// The client withdrew the request.
    #[error("cancelled by the client")]
    Cancelled,
    /// A fault of the gateway itself.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// The text that may leave the process.
    #[must_use]
    pub fn public(&self) -> String {
        match self {
            Self::Unavailable { server, .. } => {
                format!("server {server:?} is unavailable at the moment")
            }
            Self::Internal(_) => "internal error".to_owned(),
            // Whether there is such a tool for others is not the caller's to learn.
            Self::NotAllowed { wanted, .. } => Self::Unknown(wanted.clone()).to_string(),
            Self::Failed(error) => error.public(),
            Self::BodyBroken(_) => "the request body broke off".to_owned(),
            Self::Parse(_)
            | Self::InvalidRequest(_)
            | Self::MethodNotFound(_)
            | Self::InvalidParams(_)
            | Self::Malformed(_)
            | Self::Unknown(_)
            | Self::HeaderMismatch(_)
            | Self::UnsupportedVersion(_)
            | Self::Outdated(_)
            | Self::SessionMissing
            | Self::SessionUnknown(_)
            | Self::EventUnknown(_)
            | Self::NoKey
            | Self::BadKey
            | Self::ServerNotAllowed(_)
            | Self::MissingCapability(_)
            | Self::Host(_)
            | Self::Origin(_)
            | Self::NotAcceptable
            | Self::MediaType
            | Self::TooLarge { .. }
            | Self::BodyTimeout(_)
            | Self::ConnectionsFull
            | Self::BodiesFull
            | Self::AnswersFull
            | Self::TasksFull(_)
            | Self::BatchTooLarge { .. }
            | Self::NotFound
            | Self::UnknownServer(_)
            | Self::UnknownProfile(_)
            | Self::MethodNotAllowed(_)
            | Self::Overloaded { .. }
            | Self::Starting
            | Self::Cancelled => self.to_string(),
        }
    }

    /// The stable code in records and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Parse(_) => "parse",
            Self::InvalidRequest(_) => "invalid-request",
            Self::MethodNotFound(_) => "method-not-found",
            Self::InvalidParams(_) | Self::Malformed(_) => "invalid-params",
            Self::Unknown(Wanted::Tool(_)) => "unknown-tool",
            Self::Unknown(Wanted::Prompt(_) | Wanted::Completion(Reference::Prompt(_))) => "unknown-prompt",
            Self::Unknown(
                Wanted::Resource(_) | Wanted::Subscription(_) | Wanted::Completion(Reference::Template(_)),
            ) => "unknown-resource",
            Self::Failed(error) => error.code(),
            Self::HeaderMismatch(_) => "header-mismatch",
            Self::UnsupportedVersion(_) | Self::Outdated(_) => "unsupported-version",
            Self::SessionMissing => "session-missing",
            Self::SessionUnknown(_) => "session-unknown",
            Self::EventUnknown(_) => "event-unknown",
            Self::NoKey => "no-key",
            Self::BadKey => "bad-key",
            Self::ServerNotAllowed(_) | Self::NotAllowed { .. } => "not-allowed",
            Self::MissingCapability(_) => "missing-capability",
            Self::Host(_) => "host",
            Self::Origin(_) => "origin",
            Self::NotAcceptable => "not-acceptable",
            Self::MediaType => "media-type",
            Self::TooLarge { .. } => "too-large",
            Self::BodyTimeout(_) => "body-timeout",
            Self::BodyBroken(_) => "body-broken",
            Self::ConnectionsFull => "connections-full",
            Self::BodiesFull => "bodies-full",
            Self::AnswersFull => "answers-full",
            Self::TasksFull(_) => "tasks-full",
            Self::BatchTooLarge { .. } => "batch-too-large",
            Self::NotFound => "not-found",
            Self::UnknownServer(_) => "unknown-server",
            Self::UnknownProfile(_) => "unknown-profile",
            Self::MethodNotAllowed(_) => "method-not-allowed",
            Self::Overloaded { .. } => "overloaded",
            Self::Unavailable { .. } => "unavailable",
            Self::Starting => "starting",
            Self::Cancelled => "cancelled",
            Self::Internal(_) => "internal",
        }
    }
}
