//! Why a server elsewhere does not serve, and why a request to it has no answer.

use std::net::IpAddr;
use std::time::Duration;

use http::StatusCode;

use crate::egress::EgressError;
use crate::offers::NoSuchTool;
use crate::peer::client::ClientError;
use crate::peer::{Ended, RequestError};

/// Why a server does not serve.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// There can be no client for it.
    #[error("it can't be asked: {0}")]
    Client(#[from] EgressError),
    /// Its name leads to an address that is neither public nor named.
    #[error("{host} resolves to {ip}, which is neither public nor named")]
    Address {
        /// Its host.
        host: String,
        /// The first address that was refused.
        ip: IpAddr,
    },
    /// It says nothing.
    #[error("it did not answer within {} s", .after.as_secs())]
    Silent {
        /// Since it was asked.
        after: Duration,
    },
    /// It can't be reached, refuses, or speaks something else.
    #[error("{0}")]
    Server(#[from] ClientError),
    /// A tool is renamed that is not there.
    #[error(transparent)]
    Rename(#[from] NoSuchTool),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// It fails all the time.
    #[error("{0}")]
    Open(String),
    /// A secret for it can't be had. The reason is for the operator.
    #[error("{0}")]
    Secret(String),
    /// It can't be reached, or the connection broke.
    #[error("{0}")]
    Network(EgressError),
    /// It answered with a status that has no answer.
    #[error("it answered with status {0}")]
    Status(StatusCode),
    /// It knows the session no more.
    #[error("it ended the session")]
    Expired,
    /// A message is too long.
    #[error("it sent a message of more than {limit} bytes")]
    TooLong {
        /// Bytes that one may have.
        limit: usize,
    },
    /// It answered with something else.
    #[error("it sent no answer of MCP: {0}")]
    Nonsense(String),
}

impl From<Fault> for RequestError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::TooLong { limit } => Self::Ended(Ended::TooLong { limit }),
            other => Self::Ended(Ended::Gone(other.to_string())),
        }
    }
}
