//! The contract between the gateway and whatever runs a tool.
//!
//! The gateway sees servers only through [`Sandbox`]. Arguments and results are JSON text: they
//! are checked and produced here, exactly as the published schemas say, and never re-modelled
//! above.

mod error;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use serde_json::value::RawValue;
use tokio::sync::broadcast;

use crate::answer::{Json, Text};
use crate::events::{Backend, CallId, Observer};
use crate::notice::Notices;
pub use crate::peer::Reference;
pub use error::CallError;

/// A prepared server: describes its tools, runs calls. Every call starts from a fresh state and
/// leaves none.
#[async_trait]
pub trait Sandbox: Send + Sync {
    /// The tools of this server, fixed for the life of the sandbox.
    fn describe(&self) -> &Description;

    /// What runs its calls.
    fn backend(&self) -> Backend;

    /// Bytes of this process's memory that a call may take, with so many bytes of JSON arguments; to be set
    /// aside before it starts.
    fn footprint(&self, target: &Target, arguments: usize) -> u64;

    /// Runs one call to its end. Dropping the future ends the guest, at once or at its next turn.
    ///
    /// # Errors
    /// Every way in which a call can fail other than by the tool's own word, see [`CallError`].
    async fn call(&self, invocation: Invocation) -> Result<Outcome, CallError>;

    /// Whether it stays as it is described.
    fn is_fixed(&self) -> bool {
        true
    }

    /// Hears of resources that change, by their URIs; `None` where none ever does unasked.
    fn updates(&self) -> Option<broadcast::Receiver<Arc<str>>> {
        None
    }

    /// Waits until the server is no longer what was described: what takes its place, which offers other
    /// tools, or why it can't run calls any more. For ever where it [is fixed](Self::is_fixed).
    async fn changed(&self) -> Result<Arc<dyn Sandbox>, String> {
        std::future::pending().await
    }
}

/// Which tools of a server are offered, and under which names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    /// Function to name.
    pub rename: BTreeMap<String, String>,
    /// The names of those that are offered; `None` for all.
    pub only: Option<BTreeSet<String>>,
}

impl Naming {
    /// Whether a tool of that name is offered.
    #[must_use]
    pub fn offers(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(name))
    }

    /// What is to be offered and is not `there`, in words for whoever looks at the server.
    #[must_use]
    pub fn absent<'a>(&self, there: impl Iterator<Item = &'a str>) -> Vec<Skipped> {
        let there: BTreeSet<&str> = there.collect();
        let absent = self.only.iter().flatten().filter(|name| !there.contains(name.as_str()));
        let reason = "`tools` names it, and the server has no such tool";
        absent.map(|name| Skipped { function: name.clone(), reason: reason.to_owned() }).collect()
    }
}

/// What a server offers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Description {
    /// Callable tools, in the order of the component's exports.
    pub tools: Vec<Tool>,
    /// Exported functions that can't be tools, and why.
    pub skipped: Vec<Skipped>,
    /// Prompts, of a server that speaks MCP; by name.
    pub prompts: Vec<Listed>,
    /// Resources, likewise; by URI.
    pub resources: Vec<Listed>,
    /// Templates of URIs of more resources (RFC 6570), likewise; by template.
    pub templates: Vec<Listed>,
    /// Whether the server speaks MCP: it may have all of these, complete their arguments, and log to its client.
    pub speaks_mcp: bool,
}

impl Description {
    /// What a server that speaks MCP knows a target by: a tool by its own name of it; `None` where there is none.
    pub(crate) fn key<'a>(&'a self, target: &'a Target) -> Option<&'a str> {
        Some(match target {
            Target::Tool(tool) => &self.tools.get(*tool)?.function,
            Target::Prompt(prompt) | Target::Completion(Reference::Prompt(prompt)) => {
                &self.prompts.get(*prompt)?.key
            }
            Target::Completion(Reference::Template(template)) => &self.templates.get(*template)?.key,
            Target::Resource(uri) | Target::Subscription(uri) => uri,
        })
    }
}

/// A prompt, resource or template as its server lists it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// What it is asked for by.
    pub key: String,
    /// The whole of it.
    pub published: Published,
}

impl PartialEq for Listed {
    fn eq(&self, other: &Self) -> bool {
        (&self.key, self.published.json.get()) == (&other.key, other.published.json.get())
    }
}

/// One callable tool.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Name within its server, `[A-Za-z0-9_-]{1,64}`.
    pub name: String,
    /// The function behind it: `now`, or `acme:clock/clock@1.0.0#now`.
    pub function: String,
    /// From the WIT docs.
    pub description: Option<String>,
    /// JSON Schema (2020-12) of the arguments, always of an object.
    pub input_schema: Box<RawValue>,
    /// JSON Schema of the structured result, always of an object; `None` where there is no value.
    pub output_schema: Option<Box<RawValue>>,
    /// The tool as a server that speaks MCP published it; `None` where the members above are all there is.
    pub published: Option<Published>,
}

impl PartialEq for Tool {
    fn eq(&self, other: &Self) -> bool {
        let text = |tool: &Self| {
            let whole = tool.published.as_ref().map(|published| published.json.get().to_owned());
            let output = tool.output_schema.as_ref().map(|schema| schema.get().to_owned());
            (whole, tool.input_schema.get().to_owned(), output)
        };
        (&self.name, &self.function, &self.description) == (&other.name, &other.function, &other.description)
            && text(self) == text(other)
    }
}

/// What a server offers, as it wrote it: whatever it says of it is passed on, known here or not.
#[derive(Clone, Debug)]
pub struct Published {
    /// A JSON object.
    pub json: Box<RawValue>,
    /// Where in it the name stands, a JSON string.
    pub name: Range<usize>,
}

impl Published {
    /// Writes it under another name, which is a JSON string.
    pub fn write(&self, out: &mut Vec<u8>, name: &[u8]) {
        let (before, rest) = self.json.get().split_at(self.name.start);
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(name);
        out.extend_from_slice(&rest.as_bytes()[self.name.len()..]);
    }
}

/// An exported function that is not a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The function: `acme:db/pool@1.0.0#[method]conn.query`.
    pub function: String,
    /// The reason, for `inspect`.
    pub reason: String,
}

/// What a call is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A tool: an index into [`Description::tools`].
    Tool(usize),
    /// A prompt: an index into [`Description::prompts`].
    Prompt(usize),
    /// The resource of that URI, which may be one of a template.
    Resource(String),
    /// Values that an argument may have: of an index into [`Description::prompts`] or [`Description::templates`].
    Completion(Reference<usize>),
    /// To be told when the resource of that URI changes, see [`Sandbox::updates`].
    Subscription(String),
}

/// One call, admitted and ready to run.
pub struct Invocation {
    /// The call's id.
    pub id: CallId,
    /// What it is of.
    pub target: Target,
    /// The arguments as received: JSON text of an object. Those of a resource are empty, those of a completion
    /// are the members of its request (`argument`, `context`).
    pub arguments: Box<RawValue>,
    /// The session of the client, where it has one: what a server keeps for one session it keeps by this.
    pub session: Option<SessionId>,
    /// When the call must have ended.
    pub deadline: Instant,
    /// Hears what happens.
    pub observer: Arc<dyn Observer>,
    /// What the caller wants to hear meanwhile.
    pub notices: Option<Notices>,
    /// What else there is of the request, for a server that speaks MCP.
    pub dialogue: Dialogue,
    /// To be kept until nothing is left of the call.
    pub lease: Lease,
}

/// What a server that speaks MCP learns of a request besides its arguments, and in what round of questions and
/// answers it is. Each is JSON text of an object.
#[derive(Clone, Debug, Default)]
pub struct Dialogue {
    /// The metadata that its client sent.
    pub meta: Option<Box<RawValue>>,
    /// What the client can do.
    pub capabilities: Option<Box<RawValue>>,
    /// What it answered to the questions of the last round.
    pub responses: Option<Box<RawValue>>,
    /// What the server kept for this round, as it gave it.
    pub state: Option<Vec<u8>>,
}

/// Bytes of what a component keeps for the next round. It travels with its client.
pub(crate) const MAX_STATE: usize = 64 * 1024;

/// Questions that the client has to answer before the call can go on, in a round of its own.
#[derive(Clone, Debug)]
pub struct Questions {
    /// JSON text of an object of requests by name.
    pub requests: Box<RawValue>,
    /// What the server wants to know again in the next round.
    pub state: Option<Vec<u8>>,
    /// The call that waits for the answers, of a server that goes on with it.
    pub waiting: Option<Waiting>,
}

/// A call that waits for its client. It is given up when nobody has this any more, unless it is to be kept until its
/// client comes back.
#[derive(Clone)]
pub struct Waiting(Arc<Guard>);

struct Guard(Mutex<Option<GiveUp>>);

type GiveUp = Box<dyn FnOnce() + Send>;

impl Waiting {
    /// A call that is given up so.
    #[must_use]
    pub fn new(give_up: impl FnOnce() + Send + 'static) -> Self {
        Self(Arc::new(Guard(Mutex::new(Some(Box::new(give_up))))))
    }

    /// Keeps the call, for whoever has its state.
    pub fn keep(&self) {
        drop(self.0.take());
    }
}

impl Guard {
    fn take(&self) -> Option<GiveUp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(give_up) = self.take() {
            give_up();
        }
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiting")
    }
}

/// The id of a client's session.
pub type SessionId = [u8; 16];

/// What was set aside for a call, memory and permits, and goes back when it is dropped. A sandbox keeps
/// it as long as the call takes any of it, which may be longer than somebody waits for the result.
pub type Lease = Arc<dyn Any + Send + Sync>;

/// What a tool answered.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The tool's own verdict: `true` for the `err` of a WIT `result`.
    pub is_error: bool,
    /// What it said.
    pub content: Content,
}

/// The content of an answer.
#[derive(Clone, Debug)]
pub enum Content {
    /// Of a function: its value.
    Value {
        /// A JSON object that satisfies the output schema; `None` without one and on `is_error`.
        structured: Option<Json>,
        /// The same for readers of text: a bare string for string results, otherwise JSON.
        text: Text,
    },
    /// Of a server that speaks MCP: its result, a JSON object, as it wrote it.
    Message(Box<RawValue>),
    /// Of such a server: it is not done yet.
    Questions(Questions),
}

impl Outcome {
    /// What the tool said to readers of text; of a message, its JSON.
    #[must_use]
    pub fn text(&self) -> &str {
        match &self.content {
            Content::Value { text, .. } => text,
            Content::Message(message) | Content::Questions(Questions { requests: message, .. }) => {
                message.get()
            }
        }
    }

    /// Bytes of what the tool said; the larger of two forms of the same.
    #[must_use]
    pub fn size(&self) -> usize {
        match &self.content {
            Content::Value { structured, text } => {
                structured.as_ref().map_or(0, |json| json.get().len()).max(text.len())
            }
            Content::Message(message) => message.get().len(),
            Content::Questions(Questions { requests, state, .. }) => {
                requests.get().len() + state.as_ref().map_or(0, Vec::len)
            }
        }
    }
}
