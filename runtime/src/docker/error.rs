//! What goes wrong between the gateway and an engine.

use std::net::SocketAddr;
use std::time::Duration;

use bollard::errors::Error;

use super::address::Address;
use crate::offers::NoSuchTool;
use crate::peer::client::ClientError;

/// Why there is no container.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DockerError {
    /// No engine answers.
    #[error("no Docker engine at {address}: {cause}; add a component or run where one is")]
    None {
        /// Where one was looked for.
        address: Address,
        /// Why there is none.
        cause: String,
    },
    /// The engine refused.
    #[error("the Docker engine can't {what}: {cause}")]
    Refused {
        /// What it was asked for.
        what: String,
        /// In its words.
        cause: String,
    },
}

/// Why a container does not serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// It can't even be made.
    #[error(transparent)]
    Engine(#[from] DockerError),
    /// A secret that it is to hold can't be had.
    #[error("the secret {secret} can't be used: {cause}")]
    Secret {
        /// Which.
        secret: String,
        /// Why.
        cause: String,
    },
    /// Its server says nothing.
    #[error("its server did not answer within {} s", .after.as_secs())]
    Silent {
        /// Since it was asked for.
        after: Duration,
    },
    /// The gateway is not where its containers could reach it.
    #[error(
        "containers with grants of http or tcp get out by the gateway alone, which can't listen for them on {address}: {cause}"
    )]
    Outlet {
        /// Where they would look for it.
        address: SocketAddr,
        /// Why it can't be there.
        cause: String,
    },
    /// TLS of its containers could not end at the gateway.
    #[error("the authority that certifies hosts for its containers can't be made: {cause}")]
    Authority {
        /// Why.
        cause: String,
    },
    /// Two grants can't be told apart.
    #[error("the tcp grants {one} and {other} have one port, by which a container can't tell them apart")]
    SamePort {
        /// A grant.
        one: String,
        /// Another.
        other: String,
    },
    /// It was over before it began.
    #[error("{0}")]
    Ended(String),
    /// Its server says something else.
    #[error("its server speaks no MCP that we know: {cause}{}", .words.as_deref().map(|words| format!("; its last words: {words}")).unwrap_or_default())]
    Server {
        /// What is wrong.
        cause: ClientError,
        /// What it printed last.
        words: Option<String>,
    },
    /// It failed some times in a row.
    #[error("{cause}; the next try is in {} s", .wait.as_secs_f32().ceil())]
    Waiting {
        /// The last reason.
        cause: Box<StartError>,
        /// Until the next try.
        wait: Duration,
    },
    /// The image does not say what to run, and neither does the config.
    #[error("the image {image} says nothing to run")]
    NoCommand {
        /// Its name.
        image: String,
    },
    /// A tool is renamed that is not there.
    #[error(transparent)]
    Rename(#[from] NoSuchTool),
    /// Each session with a container is at work.
    #[error("{sessions} sessions have a container already")]
    Full {
        /// How many may have one.
        sessions: usize,
    },
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Stopping,
}

/// Bytes of the engine's own words that are kept.
const MAX_WORDS: usize = 512;

/// An error in few words: the engine's own where it answered, the innermost cause where it did not.
pub(super) fn told(error: &Error) -> String {
    let mut words = match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::RequestTimeoutError => "it did not answer in time".to_owned(),
        other => innermost(other).to_string(),
    };
    words.truncate(words.floor_char_boundary(MAX_WORDS));
    words
}

fn innermost<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    error.source().map_or(error, innermost)
}
