//! Why a request did not get its response. Closed, so that each backend maps every case to the
//! error that its guests read.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A failure on the way out.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The host resolved to an address that is neither public nor named by the grant.
    #[error("{host} resolves to {ip}, which is neither public nor named by the grant")]
    Address {
        /// The host.
        host: String,
        /// The first address that was refused.
        ip: IpAddr,
    },
    /// The name has no address, or the resolver failed.
    #[error("{host} does not resolve")]
    Resolve {
        /// The host.
        host: String,
        /// What the resolver said; `None` for an empty answer.
        source: Option<io::Error>,
    },
    /// A step took longer than its limit.
    #[error("{what} took longer than {} ms", .limit.as_millis())]
    Timeout {
        /// The step.
        what: Step,
        /// Its limit.
        limit: Duration,
    },
    /// No address accepted the connection.
    #[error("can't connect to {host}")]
    Connect {
        /// The host.
        host: String,
        /// What the last address said.
        source: io::Error,
    },
    /// The TLS handshake failed for another reason than the certificate.
    #[error("the TLS handshake with {host} failed")]
    Tls {
        /// The host.
        host: String,
        /// What rustls said.
        source: io::Error,
    },
    /// The server's certificate is not valid for the host.
    #[error("the certificate of {host} is not valid: {source}")]
    Certificate {
        /// The host.
        host: String,
        /// What rustls said.
        source: rustls::Error,
    },
    /// The request can't be sent as it is.
    #[error("the request is not valid: {0}")]
    Request(&'static str),
    /// The request's header section is too large.
    #[error("the request's headers exceed the limit of {limit}")]
    RequestHeaders {
        /// Bytes or fields, whichever was exceeded.
        limit: usize,
    },
    /// The request's body is too large.
    #[error("the request's body exceeds the limit of {limit} bytes")]
    RequestBody {
        /// Bytes.
        limit: u64,
    },
    /// The response's header section is too large.
    #[error("the response's headers exceed the limit of {limit} bytes or {fields} fields")]
    ResponseHeaders {
        /// Bytes.
        limit: usize,
        /// Fields.
        fields: usize,
    },
    /// The response's body is too large.
    #[error("the response's body exceeds the limit of {limit} bytes")]
    ResponseBody {
        /// Bytes.
        limit: u64,
    },
    /// The response is compressed, so that a secret in it could not be found.
    #[error("the response to a request with a secret has the content coding `{coding}`")]
    Encoded {
        /// What the server said, bounded.
        coding: String,
    },
    /// The connection ended before the response did.
    #[error("the connection ended before the response did")]
    Incomplete(#[source] hyper::Error),
    /// The server does not speak HTTP/1.1 as it should.
    #[error("the HTTP exchange failed")]
    Protocol(#[source] hyper::Error),
    /// The exchange failed on a connection that may be kept.
    #[error("{0}")]
    Exchange(String),
    /// The server wants another protocol, which was not asked for.
    #[error("the server switches to another protocol")]
    Upgrade,
    /// The file of certificate authorities can't be used.
    #[error("the CA file `{}` can't be used: {cause}", .path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
}

/// A step that has a time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Name to addresses.
    Resolve,
    /// TCP.
    Connect,
    /// TLS.
    Handshake,
    /// Request to response headers.
    FirstByte,
    /// One piece of the body to the next.
    BetweenBytes,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolving the host",
            Self::Connect => "connecting",
            Self::Handshake => "the TLS handshake",
            Self::FirstByte => "the response",
            Self::BetweenBytes => "the next piece of the response",
        })
    }
}
