//! What a caller names: a tool, a prompt, a resource.

use std::fmt;

use toolgate_runtime::sandbox::Reference;

/// What a caller wants to use, as it names it at its endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The tool of that name.
    Tool(String),
    /// The prompt of that name.
    Prompt(String),
    /// The resource of that URI.
    Resource(String),
    /// To be told when the resource of that URI changes.
    Subscription(String),
    /// Values that an argument may have.
    Completion(Reference<String>),
}

impl Wanted {
    /// The name or the URI.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Tool(name)
            | Self::Prompt(name)
            | Self::Resource(name)
            | Self::Subscription(name)
            | Self::Completion(Reference::Prompt(name) | Reference::Template(name)) => name,
        }
    }

    /// The method of MCP by which it is used.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::Tool(_) => "tools/call",
            Self::Prompt(_) => "prompts/get",
            Self::Resource(_) => "resources/read",
            Self::Subscription(_) => "resources/subscribe",
            Self::Completion(_) => "completion/complete",
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tool(name) => write!(f, "tool: {name}"),
            Self::Prompt(name) | Self::Completion(Reference::Prompt(name)) => write!(f, "prompt: {name}"),
            Self::Resource(uri) | Self::Subscription(uri) => write!(f, "resource: {uri}"),
            Self::Completion(Reference::Template(template)) => write!(f, "resource template: {template}"),
        }
    }
}
