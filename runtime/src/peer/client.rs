//! What we ask of an MCP server outside of calls: that it begins, and what it offers.
//!
//! Tools and results stay the text that they are: what we read of them are copies of a few members.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::conversation::Conversation;
use super::request::{Besides, Request, quoted};
use super::session::{Listening, RequestError};
use crate::notice::Level;

/// Revisions that begin with `initialize`, newest first. A later one has no such beginning.
const REVISIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// What we can be asked, for our own clients to answer; one that can't answers nothing.
const ABLE: &str = r#"{"elicitation":{"form":{},"url":{}},"roots":{},"sampling":{}}"#;

/// Pages of a list. Against a server whose list never ends.
const MAX_PAGES: usize = 1000;

/// Entries of a list, and bytes of them all. Against the same with few pages.
const MAX_ENTRIES: usize = 10_000;
const MAX_BYTES: usize = 16 * 1024 * 1024;

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

impl Greeting {
    /// What the result of `server/discover` says, of a server that speaks `revision`; `None` of any other.
    #[must_use]
    pub fn discovered(result: &RawValue, revision: &str) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Discovered {
            supported_versions: Vec<String>,
            #[serde(default)]
            capabilities: Capabilities,
        }
        let discovered: Discovered = serde_json::from_str(result.get()).ok()?;
        let speaks = discovered.supported_versions.iter().any(|version| version == revision);
        speaks.then(|| Self::of(revision.to_owned(), &discovered.capabilities))
    }

    fn of(revision: String, can: &Capabilities) -> Self {
        Self {
            revision,
            tools: can.tools.is_some(),
            prompts: can.prompts.is_some(),
            resources: can.resources.is_some(),
            completions: can.completions.is_some(),
            logging: can.logging.is_some(),
        }
    }
}

/// A list that a server may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Of its tools.
    Tools,
    /// Of its prompts.
    Prompts,
    /// Of its resources.
    Resources,
    /// Of templates of more resources.
    Templates,
}

/// An entry of a list, as its server published it.
#[derive(Clone, Debug)]
pub struct Offered {
    /// What it is asked for by: a name, or for resources a URI or its template.
    pub name: String,
    /// The whole of it, a JSON object.
    pub json: Box<RawValue>,
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

#[derive(Default, Deserialize)]
struct Capabilities {
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

/// What we read of a page, whatever it lists.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    #[serde(borrow, default)]
    tools: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    prompts: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    resources: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    resource_templates: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    next_cursor: Option<String>,
}

impl List {
    /// The method by which it is asked for.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
        }
    }

    fn of<'a>(self, page: &mut Page<'a>) -> Result<Vec<&'a RawValue>, ClientError> {
        let (entries, name) = match self {
            Self::Tools => (page.tools.take(), "tools"),
            Self::Prompts => (page.prompts.take(), "prompts"),
            Self::Resources => (page.resources.take(), "resources"),
            Self::Templates => (page.resource_templates.take(), "resourceTemplates"),
        };
        let cause = || format!("missing field `{name}`");
        entries.ok_or_else(|| ClientError::Answer { method: self.method(), cause: cause() })
    }

    fn endless(self, bound: String) -> ClientError {
        ClientError::Endless { method: self.method(), bound }
    }

    fn offered(self, entry: &RawValue) -> Result<Offered, ClientError> {
        Ok(Offered { name: self.key(entry)?, json: entry.to_owned() })
    }

    /// What an entry is asked for by.
    fn key(self, entry: &RawValue) -> Result<String, ClientError> {
        let keys: Keys<'_> = read(self.method(), entry)?;
        let (key, name) = match self {
            Self::Tools | Self::Prompts => (keys.name, "name"),
            Self::Resources => (keys.uri, "uri"),
            Self::Templates => (keys.uri_template, "uriTemplate"),
        };
        let missing = || ClientError::Answer {
            method: self.method(),
            cause: format!("missing field `{name}` in an entry"),
        };
        key.map(Cow::into_owned).ok_or_else(missing)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Keys<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    uri: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    uri_template: Option<Cow<'a, str>>,
}

/// The entries of a list that is a JSON array.
///
/// # Errors
/// See [`ClientError`].
pub fn entries(list: List, array: &str) -> Result<Vec<Offered>, ClientError> {
    let unread =
        |error: serde_json::Error| ClientError::Answer { method: list.method(), cause: error.to_string() };
    if array.len() > MAX_BYTES {
        return Err(list.endless(format!("{MAX_BYTES} bytes")));
    }
    let entries: Vec<&RawValue> = serde_json::from_str(array).map_err(unread)?;
    if entries.len() > MAX_ENTRIES {
        return Err(list.endless(format!("{MAX_ENTRIES} entries")));
    }
    entries.into_iter().map(|entry| list.offered(entry)).collect()
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
    Ok(Greeting::of(initialized.protocol_version, &initialized.capabilities))
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
    let (mut entries, mut bytes, mut params) = (Vec::new(), 0, "{}".to_owned());
    for _ in 0..MAX_PAGES {
        let request = Request::new(list.method(), params).with(besides.clone());
        let answer = ask(server, request).await?;
        bytes += answer.get().len();
        let mut page: Page<'_> = read(list.method(), &answer)?;
        for entry in list.of(&mut page)? {
            entries.push(list.offered(entry)?);
        }
        if entries.len() > MAX_ENTRIES {
            return Err(list.endless(format!("{MAX_ENTRIES} entries")));
        }
        if bytes > MAX_BYTES {
            return Err(list.endless(format!("{MAX_BYTES} bytes")));
        }
        let Some(cursor) = page.next_cursor else { return Ok(entries) };
        params = format!("{{\"cursor\":{}}}", quoted(&cursor));
    }
    Err(list.endless(format!("{MAX_PAGES} pages")))
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

fn read<'a, T: Deserialize<'a>>(method: &'static str, answer: &'a RawValue) -> Result<T, ClientError> {
    serde_json::from_str(answer.get())
        .map_err(|error| ClientError::Answer { method, cause: error.to_string() })
}

#[cfg(test)]
mod tests;
