//! One server of the catalog: its state, its tools by name, its permits.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use toolgate_runtime::events::Backend;
use toolgate_runtime::sandbox::{Sandbox, Tool};

use super::{Pages, Unresolved};
use crate::admit::Gate;

/// A server as the config and its artifact give it.
pub struct ServerEntry {
    /// Its name in the config.
    pub name: String,
    /// Whether it can run calls.
    pub state: ServerState,
    /// Its permits, which outlive the catalog.
    pub gate: Arc<Gate>,
    /// What runs it.
    pub backend: Backend,
    /// Where it comes from, for operators: the artifact's reference.
    pub source: String,
}

/// Whether a server can run calls.
#[derive(Clone)]
pub enum ServerState {
    /// It can.
    Ready(Arc<dyn Sandbox>),
    /// It can't, and why. The text is for the operator and never leaves the process.
    Unavailable(String),
}

impl fmt::Debug for ServerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(_) => f.write_str("Ready"),
            Self::Unavailable(reason) => f.debug_tuple("Unavailable").field(reason).finish(),
        }
    }
}

/// A server in the catalog.
#[derive(Debug)]
pub struct Server {
    name: Arc<str>,
    state: ServerState,
    backend: Backend,
    source: String,
    gate: Arc<Gate>,
    tools: HashMap<String, usize>,
    pages: Arc<Pages>,
}

impl PartialEq for Server {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Server {}

impl Server {
    pub(super) fn new(entry: ServerEntry, state: ServerState, pages: Arc<Pages>) -> Self {
        let tools = match &state {
            ServerState::Ready(sandbox) => names(&sandbox.describe().tools),
            ServerState::Unavailable(_) => HashMap::new(),
        };
        Self {
            name: entry.name.into(),
            gate: entry.gate,
            state,
            backend: entry.backend,
            source: entry.source,
            tools,
            pages,
        }
    }

    /// Its name in the config.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it can run calls.
    #[must_use]
    pub fn state(&self) -> &ServerState {
        &self.state
    }

    /// Whether it can run calls.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.state, ServerState::Ready(_))
    }

    /// Why it can't run calls, for the operator; `None` if it can.
    #[must_use]
    pub fn unavailable(&self) -> Option<&str> {
        match &self.state {
            ServerState::Ready(_) => None,
            ServerState::Unavailable(reason) => Some(reason),
        }
    }

    /// What runs its calls; `None` while it is unavailable.
    #[must_use]
    pub fn sandbox(&self) -> Option<&Arc<dyn Sandbox>> {
        match &self.state {
            ServerState::Ready(sandbox) => Some(sandbox),
            ServerState::Unavailable(_) => None,
        }
    }

    /// Its tools; empty while it is unavailable.
    #[must_use]
    pub fn tools(&self) -> &[Tool] {
        self.sandbox().map_or(&[], |sandbox| &sandbox.describe().tools)
    }

    /// What runs it.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Where it comes from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    pub(super) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    pub(super) fn pages(&self) -> &Arc<Pages> {
        &self.pages
    }

    pub(super) fn find(self: &Arc<Self>, tool: &str) -> Result<usize, Unresolved> {
        if !self.is_ready() {
            return Err(Unresolved::Unavailable(Arc::clone(self)));
        }
        self.tools.get(tool).copied().ok_or(Unresolved::UnknownTool)
    }
}

fn names(tools: &[Tool]) -> HashMap<String, usize> {
    tools.iter().enumerate().map(|(index, tool)| (tool.name.clone(), index)).collect()
}
