//! What we ask of an MCP server outside of calls: that it begins, and what it offers.
//!
//! Tools and results stay the text that they are: what we read of them are copies of a few members.

mod list;

use serde::Deserialize;
use serde_json::value::RawValue;

pub use list::{List, Offered, Pages, entries};

use super::conversation::Conversation;
use super::request::{Besides, Request, quoted};
use super::session::{Listening, RequestError};
use super::stateless::REVISION;
use crate::notice::Level;

/// Revisions that begin with `initialize`, newest first. A later one has no such beginning.
const REVISIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// What we can be asked, for our own clients to answer; one that can't answers nothing.
const ABLE: &str = r#"{"elicitation":{"form":{},"url":{}},"roots":{},"sampling":{}}"#;

/// What a server said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Greeting {
    /// The revision that it speaks.
    pub revision: String,
    /// Whether it has tools.
    pub tools: bool,
    /// Whether it has prompts.
    pub prompts: bool,
    /// Whether it has resources, and templates of such.
    pub resources: bool,
    /// Whether it completes arguments of prompts and templates.
    pub completions: bool,
    /// Whether it sends log messages, from a level on that it is told.
    pub logging: bool,
}

/// Why a server is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// It did not answer as asked.
    #[error("{method}: {cause}")]
    Request {
        /// What was asked.
        method: &'static str,
        /// What came of it.
        cause: RequestError,
    },
    /// Its answer is none.
    #[error("its answer to {method} makes no sense: {cause}")]
    Answer {
        /// What was asked.
        method: &'static str,
        /// Where it goes wrong.
        cause: String,
    },
    /// A revision that we don't speak.
    #[error("it speaks revision {0:?} of MCP, which is none of {known}", known = REVISIONS.join(", "))]
    Revision(String),
    /// Others than the one without sessions.
    #[error("it speaks revisions {0:?} of MCP, and not {REVISION}")]
    Stateless(String),
    /// Its list goes on and on.
    #[error("its answers to {method} have more than {bound}")]
    Endless {
        /// What was asked.
        method: &'static str,
        /// Of what there are too many.
        bound: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Initialized {
    protocol_version: String,
    #[serde(default)]
    capabilities: Capabilities,
}

/// What a server says that it has.
#[derive(Default, Deserialize)]
pub(super) struct Capabilities {
    #[serde(default)]
    tools: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    prompts: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    resources: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    completions: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    logging: Option<serde::de::IgnoredAny>,
}

impl Capabilities {
    pub(super) fn greeting(&self, revision: String) -> Greeting {
        Greeting {
            revision,
            tools: self.tools.is_some(),
            prompts: self.prompts.is_some(),
            resources: self.resources.is_some(),
            completions: self.completions.is_some(),
            logging: self.logging.is_some(),
        }
    }
}

/// Begins the conversation, in the newest revision that both know.
///
/// # Errors
/// See [`ClientError`].
pub async fn initialize(server: &impl Conversation) -> Result<Greeting, ClientError> {
    const METHOD: &str = "initialize";
    let params = format!(
        r#"{{"protocolVersion":"{}","capabilities":{ABLE},"clientInfo":{{"name":"toolgate","version":"{}"}}}}"#,
        REVISIONS[0],
        env!("CARGO_PKG_VERSION")
    );
    let answer = ask(server, Request::new(METHOD, params)).await?;
    let initialized: Initialized = read(METHOD, &answer)?;
    if !REVISIONS.contains(&initialized.protocol_version.as_str()) {
        let mut revision = initialized.protocol_version;
        revision.truncate(revision.floor_char_boundary(32));
        return Err(ClientError::Revision(revision));
    }
    server.tell("notifications/initialized", "{}").await;
    Ok(initialized.capabilities.greeting(initialized.protocol_version))
}

/// All of a list, page after page. Each request has along what is `besides`.
///
/// # Errors
/// See [`ClientError`].
pub async fn list(
    server: &impl Conversation,
    list: List,
    besides: &Besides,
) -> Result<Vec<Offered>, ClientError> {
    let (mut pages, mut params) = (Pages::of(list), "{}".to_owned());
    loop {
        let answer = ask(server, Request::new(list.method(), params).with(besides.clone())).await?;
        match pages.take(&answer)? {
            Some(cursor) => params = format!("{{\"cursor\":{}}}", quoted(&cursor)),
            None => return Ok(pages.entries),
        }
    }
}

/// What we read of a result.
#[derive(Deserialize)]
struct Verdict {
    #[serde(rename = "isError", default)]
    is_error: bool,
}

/// Whether a result is one of an error. An array would be read as an object, member by member.
///
/// # Errors
/// Why it is no result.
pub(crate) fn is_error(result: &RawValue) -> Result<bool, String> {
    if !result.get().starts_with('{') {
        return Err("it is no object".to_owned());
    }
    let verdict: Verdict = serde_json::from_str(result.get()).map_err(|error| error.to_string())?;
    Ok(verdict.is_error)
}

/// Tells the server from which level on its log messages are wanted.
///
/// # Errors
/// See [`RequestError`].
pub async fn set_level(server: &impl Conversation, level: Level) -> Result<(), RequestError> {
    let params = format!("{{\"level\":\"{}\"}}", level.as_str());
    server.ask(Request::new("logging/setLevel", params), Listening::default()).await.map(drop)
}

/// Sends a request that nobody listens to.
///
/// # Errors
/// [`ClientError::Request`].
pub async fn ask(server: &impl Conversation, request: Request) -> Result<Box<RawValue>, ClientError> {
    let method = request.method;
    let answer = server.ask(request, Listening::default()).await;
    answer.map_err(|cause| ClientError::Request { method, cause })
}

pub(super) fn read<'a, T: Deserialize<'a>>(
    method: &'static str,
    answer: &'a RawValue,
) -> Result<T, ClientError> {
    serde_json::from_str(answer.get())
        .map_err(|error| ClientError::Answer { method, cause: error.to_string() })
}

#[cfg(test)]
mod tests;
