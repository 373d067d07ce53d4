//! A request to an MCP server: what it asks for, and what goes along with that.

use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Of what an argument is to be completed, by its name or by what stands for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference<N> {
    /// Of a prompt.
    Prompt(N),
    /// Of a template of resources.
    Template(N),
}

/// What a server is asked for in a call, by its own names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// To run a tool.
    Tool(String),
    /// A prompt.
    Prompt(String),
    /// The resource of that URI.
    Resource(String),
    /// To be told when that resource changes, in revisions with sessions.
    Subscription(String),
    /// Which values an argument may have.
    Completion(Reference<String>),
}

/// A request, to be given an id.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its method.
    pub method: &'static str,
    /// A JSON object.
    params: String,
    /// What goes along.
    pub besides: Besides,
}

/// What goes along with a request. Members are JSON text, without braces.
#[derive(Clone, Debug, Default)]
pub struct Besides {
    /// Members of its metadata: which trace it is a part of; in revisions without sessions, who asks.
    pub meta: String,
    /// Further members of its parameters: what its client answered, and what the server kept for that.
    pub params: String,
    /// Headers, for what carries requests with such.
    pub headers: HeaderMap,
}

impl Wanted {
    /// The request for it, of which `arguments` is a JSON object: of a completion its further members.
    #[must_use]
    pub fn request(&self, arguments: &RawValue, besides: Besides) -> Request {
        let named = |name: &str| format!("{{\"name\":{},\"arguments\":{}}}", quoted(name), arguments.get());
        let (method, params) = match self {
            Self::Tool(name) => ("tools/call", named(name)),
            Self::Prompt(name) => ("prompts/get", named(name)),
            Self::Resource(uri) => ("resources/read", format!("{{\"uri\":{}}}", quoted(uri))),
            Self::Subscription(uri) => ("resources/subscribe", format!("{{\"uri\":{}}}", quoted(uri))),
            Self::Completion(Reference::Prompt(name)) => {
                ("completion/complete", completion(Reference::Prompt(name), arguments))
            }
            Self::Completion(Reference::Template(template)) => {
                ("completion/complete", completion(Reference::Template(template), arguments))
            }
        };
        Request { method, params, besides }
    }
}

impl Request {
    /// A request of that method, of which `params` is a JSON object.
    #[must_use]
    pub fn new(method: &'static str, params: String) -> Self {
        Self { method, params, besides: Besides::default() }
    }

    /// The same with what goes along.
    #[must_use]
    pub fn with(self, besides: Besides) -> Self {
        Self { besides, ..self }
    }

    /// All its parameters, a JSON object. What is told of its progress is to carry the token, if there is one.
    #[must_use]
    pub fn into_params(self, progress: Option<u64>) -> String {
        let Self { mut params, besides, .. } = self;
        let token = progress.map_or_else(String::new, |id| format!("\"progressToken\":{id}"));
        let meta = joined(&[&token, &besides.meta]);
        let meta = if meta.is_empty() { meta } else { format!("\"_meta\":{{{meta}}}") };
        let further = joined(&[&besides.params, &meta]);
        if further.is_empty() {
            return params;
        }
        params.pop();
        params += if params.ends_with('{') { "" } else { "," };
        params += &further;
        params.push('}');
        params
    }
}

/// Members one after another, those that are there.
fn joined(members: &[&str]) -> String {
    let there: Vec<_> = members.iter().copied().filter(|members| !members.is_empty()).collect();
    there.join(",")
}

/// The parameters of a completion.
pub(crate) fn completion(reference: Reference<&str>, arguments: &RawValue) -> String {
    let (kind, member, name) = match reference {
        Reference::Prompt(name) => ("ref/prompt", "name", name),
        Reference::Template(template) => ("ref/resource", "uri", template),
    };
    let members = arguments.get().trim_start_matches('{').trim_start();
    let comma = if members.starts_with('}') { "" } else { "," };
    format!("{{\"ref\":{{\"type\":\"{kind}\",\"{member}\":{}}}{comma}{members}", quoted(name))
}

/// Which trace a request is a part of, of its metadata: members as JSON text, without braces.
pub(crate) fn trace(meta: &RawValue) -> String {
    #[derive(Default, Deserialize)]
    struct Trace<'a> {
        #[serde(borrow, default)]
        traceparent: Option<&'a RawValue>,
        #[serde(borrow, default)]
        tracestate: Option<&'a RawValue>,
        #[serde(borrow, default)]
        baggage: Option<&'a RawValue>,
    }
    let Trace { traceparent, tracestate, baggage } = serde_json::from_str(meta.get()).unwrap_or_default();
    let members = [("traceparent", traceparent), ("tracestate", tracestate), ("baggage", baggage)];
    let members = members.into_iter().filter_map(|(name, value)| Some(format!("\"{name}\":{}", value?)));
    members.collect::<Vec<_>>().join(",")
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
