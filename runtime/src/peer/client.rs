//! What we ask of an MCP server: that it begins, what tools it has, and to run one.
//!
//! Tools and results stay the text that they are: what we read of them are copies of a few members.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::session::{RequestError, Session};
use crate::notice::{Level, Notices};

/// Revisions that begin with `initialize`, newest first. A later one has no such beginning.
const REVISIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// Pages of a list. Against a server whose list never ends.
const MAX_PAGES: usize = 1000;

/// Tools of a server, and bytes of them all. Against the same with few pages.
const MAX_TOOLS: usize = 10_000;
const MAX_TOOLS_BYTES: usize = 16 * 1024 * 1024;

/// What a server said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The revision that it speaks.
    pub revision: String,
    /// Whether it has tools.
    pub tools: bool,
    /// Whether it sends log messages, from a level on that it is told.
    pub logging: bool,
}

/// A tool as its server published it.
#[derive(Clone, Debug)]
pub struct Offered {
    /// Its name.
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
    #[error("its list of tools has more than {0}")]
    Endless(String),
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
    logging: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    #[serde(borrow)]
    tools: Vec<&'a RawValue>,
    #[serde(default)]
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

/// Begins the conversation, in the newest revision that both know.
///
/// # Errors
/// See [`ClientError`].
pub async fn initialize(session: &Session) -> Result<Greeting, ClientError> {
    const METHOD: &str = "initialize";
    let params = format!(
        r#"{{"protocolVersion":"{}","capabilities":{{}},"clientInfo":{{"name":"toolgate","version":"{}"}}}}"#,
        REVISIONS[0],
        env!("CARGO_PKG_VERSION")
    );
    let answer = ask(session, METHOD, &params).await?;
    let initialized: Initialized = read(METHOD, &answer)?;
    if !REVISIONS.contains(&initialized.protocol_version.as_str()) {
        let mut revision = initialized.protocol_version;
        revision.truncate(revision.floor_char_boundary(32));
        return Err(ClientError::Revision(revision));
    }
    session.notify("notifications/initialized", "{}");
    let Capabilities { tools, logging } = initialized.capabilities;
    let (tools, logging) = (tools.is_some(), logging.is_some());
    Ok(Greeting { revision: initialized.protocol_version, tools, logging })
}

/// All its tools, page after page.
///
/// # Errors
/// See [`ClientError`].
pub async fn tools(session: &Session) -> Result<Vec<Offered>, ClientError> {
    const METHOD: &str = "tools/list";
    let (mut tools, mut bytes, mut params) = (Vec::new(), 0, "{}".to_owned());
    for _ in 0..MAX_PAGES {
        let answer = ask(session, METHOD, &params).await?;
        bytes += answer.get().len();
        let page: Page<'_> = read(METHOD, &answer)?;
        for tool in page.tools {
            let named: Named<'_> = read(METHOD, tool)?;
            tools.push(Offered { name: named.name.into_owned(), json: tool.to_owned() });
        }
        if tools.len() > MAX_TOOLS {
            return Err(ClientError::Endless(format!("{MAX_TOOLS} tools")));
        }
        if bytes > MAX_TOOLS_BYTES {
            return Err(ClientError::Endless(format!("{MAX_TOOLS_BYTES} bytes")));
        }
        let Some(cursor) = page.next_cursor else { return Ok(tools) };
        params = format!("{{\"cursor\":{}}}", quoted(&cursor));
    }
    Err(ClientError::Endless(format!("{MAX_PAGES} pages")))
}

/// Runs a tool, of which `arguments` is a JSON object. The result is one, too. What the server tells
/// meanwhile goes to `notices`.
///
/// # Errors
/// See [`RequestError`].
pub async fn call(
    session: &Session,
    tool: &str,
    arguments: &RawValue,
    notices: Option<&Notices>,
) -> Result<Box<RawValue>, RequestError> {
    let params = |id: u64| {
        let meta = match notices.is_some_and(Notices::progress) {
            true => format!(",\"_meta\":{{\"progressToken\":{id}}}"),
            false => String::new(),
        };
        format!("{{\"name\":{},\"arguments\":{}{meta}}}", quoted(tool), arguments.get())
    };
    session.request_with("tools/call", params, notices.cloned()).await
}

/// Tells the server from which level on its log messages are wanted.
///
/// # Errors
/// See [`RequestError`].
pub async fn set_level(session: &Session, level: Level) -> Result<(), RequestError> {
    let params = format!("{{\"level\":\"{}\"}}", level.as_str());
    session.request("logging/setLevel", &params).await.map(drop)
}

async fn ask(session: &Session, method: &'static str, params: &str) -> Result<Box<RawValue>, ClientError> {
    session.request(method, params).await.map_err(|cause| ClientError::Request { method, cause })
}

fn read<'a, T: Deserialize<'a>>(method: &'static str, answer: &'a RawValue) -> Result<T, ClientError> {
    serde_json::from_str(answer.get())
        .map_err(|error| ClientError::Answer { method, cause: error.to_string() })
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests;
