//! One server of the catalog: its state, its tools by name, its permits.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use toolgate_runtime::events::Backend;
use toolgate_runtime::peer::mirrored::{self, Mirrored};
use toolgate_runtime::sandbox::{Description, Listed, Reference, Sandbox, Target, Tool};

use super::pages::Lists;
use super::tasks::TaskSupport;
use super::{Surface, Unresolved, Wanted, template};
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

impl ServerState {
    fn sandbox(&self) -> Option<&Arc<dyn Sandbox>> {
        match self {
            Self::Ready(sandbox) => Some(sandbox),
            Self::Unavailable(_) => None,
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
    prompts: HashMap<String, usize>,
    /// URIs of the resources that it lists.
    resources: HashSet<String>,
    /// Of the tools that have such, by their indices.
    mirrored: HashMap<usize, Vec<Mirrored>>,
    /// Of the tools whose calls may go on as tasks, by their indices.
    tasks: HashMap<usize, TaskSupport>,
    lists: Lists,
    surface: Surface,
}

impl PartialEq for Server {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Server {}

impl Server {
    pub(super) fn new(entry: ServerEntry, state: ServerState, (lists, surface): (Lists, Surface)) -> Self {
        let (tools, prompts, resources) = match &state {
            ServerState::Ready(sandbox) => {
                let Description { tools, prompts, resources, .. } = sandbox.describe();
                (
                    indices(tools.iter().map(|tool| &tool.name)),
                    indices(prompts.iter().map(|prompt| &prompt.key)),
                    resources.iter().map(|resource| resource.key.clone()).collect(),
                )
            }
            ServerState::Unavailable(_) => Default::default(),
        };
        let offered = state.sandbox().map_or(&[][..], |sandbox| &sandbox.describe().tools);
        let mirrored = offered.iter().map(|tool| mirrored::of(&tool.input_schema)).enumerate();
        let mirrored = mirrored.filter(|(_, mirrored)| !mirrored.is_empty()).collect();
        let tasks = offered.iter().enumerate();
        let tasks = tasks.filter_map(|(index, tool)| Some((index, TaskSupport::of(tool)?))).collect();
        Self {
            mirrored,
            tasks,
            name: entry.name.into(),
            gate: entry.gate,
            state,
            backend: entry.backend,
            source: entry.source,
            tools,
            prompts,
            resources,
            lists,
            surface,
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
        self.state.sandbox()
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

    /// What its own endpoint lists.
    pub(super) fn surface(&self) -> Surface {
        self.surface
    }

    pub(super) fn lists(&self) -> &Lists {
        &self.lists
    }

    /// What a caller names at this server's own endpoint. Which resources there are, besides those that are
    /// listed, is the server's to say.
    pub(super) fn find(self: &Arc<Self>, wanted: &Wanted) -> Result<Target, Unresolved> {
        if !self.is_ready() {
            return Err(Unresolved::Unavailable(Arc::clone(self)));
        }
        let found = match wanted {
            Wanted::Tool(name) => self.tools.get(name).copied().map(Target::Tool),
            Wanted::Prompt(name) => self.prompt(name).map(Target::Prompt),
            Wanted::Resource(uri) => self.has_resources().then(|| Target::Resource(uri.clone())),
            Wanted::Subscription(uri) => self.has_resources().then(|| Target::Subscription(uri.clone())),
            Wanted::Completion(Reference::Prompt(name)) => {
                self.prompt(name).map(|prompt| Target::Completion(Reference::Prompt(prompt)))
            }
            Wanted::Completion(Reference::Template(template)) => {
                self.template(template).map(|template| Target::Completion(Reference::Template(template)))
            }
        };
        found.ok_or(Unresolved::Unknown)
    }

    /// The index of a prompt.
    pub(super) fn prompt(&self, name: &str) -> Option<usize> {
        self.prompts.get(name).copied()
    }

    /// The index of a template.
    pub(super) fn template(&self, template: &str) -> Option<usize> {
        self.offered()?.templates.iter().position(|listed| listed.key == template)
    }

    /// Whether it lists a resource of that URI.
    pub(super) fn lists_resource(&self, uri: &str) -> bool {
        self.resources.contains(uri)
    }

    /// Whether one of its templates may stand for that URI.
    pub(super) fn may_have_resource(&self, uri: &str) -> bool {
        let admits = |listed: &Listed| template::admits(&listed.key, uri);
        self.offered().is_some_and(|offered| offered.templates.iter().any(admits))
    }

    /// Whether calls of any tool may go on as tasks.
    pub(super) fn has_tasks(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// How a call of a tool may go on as one.
    pub(super) fn task_support(&self, tool: usize) -> Option<TaskSupport> {
        self.tasks.get(&tool).copied()
    }

    /// Whether it has parameters that are mirrored into headers.
    pub(super) fn mirrors(&self) -> bool {
        !self.mirrored.is_empty()
    }

    /// Those of a tool.
    pub(super) fn mirrored(&self, tool: usize) -> &[Mirrored] {
        self.mirrored.get(&tool).map_or(&[], Vec::as_slice)
    }

    /// Whether it speaks MCP itself.
    pub(super) fn speaks_mcp(&self) -> bool {
        self.offered().is_some_and(|offered| offered.speaks_mcp)
    }

    fn has_resources(&self) -> bool {
        self.offered().is_some_and(|offered| !offered.resources.is_empty() || !offered.templates.is_empty())
    }

    fn offered(&self) -> Option<&Description> {
        self.sandbox().map(|sandbox| sandbox.describe())
    }
}

/// Of two with one name the first is meant.
fn indices<'a>(
    names: impl DoubleEndedIterator<Item = &'a String> + ExactSizeIterator,
) -> HashMap<String, usize> {
    names.enumerate().rev().map(|(index, name)| (name.clone(), index)).collect()
}
