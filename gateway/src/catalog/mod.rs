//! The servers and tools of the gateway: one immutable snapshot, swapped whole.
//!
//! The second stage of a call turns a name into a [`Resolved`] tool. A request reads one snapshot
//! from start to end. Lists are written to bytes when the catalog is built, not when they are
//! asked for. Knows nothing of where servers come from, nor of MCP methods.

mod build;
mod cursor;
mod filtered;
mod pages;
mod profile;
mod search;
mod seen;
mod server;
mod surface;
mod tasks;
mod template;
#[cfg(test)]
mod tests;
mod wanted;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

pub use build::{CatalogError, CatalogSettings};
pub use pages::{List, Page, Pages};
pub use profile::{Profile, ToolPattern};
pub use server::{Server, ServerEntry, ServerState};
pub use surface::{CALL, FIND, FOUND, MAX_FOUND, MAX_QUERY, Surface};
pub use tasks::TaskSupport;
pub use wanted::Wanted;

pub use toolgate_runtime::peer::mirrored::Mirrored;
use toolgate_runtime::sandbox::{Reference, Target, Tool};

use crate::admit::Gate;
use crate::auth::Servers;
use filtered::Filtered;
use profile::Joint;
use search::Index;
use seen::Seen;

/// Between a server's name and its tool's name, where all servers are listed together.
pub const SEPARATOR: &str = "__";

/// Longest tool name that every known client takes.
pub const MAX_TOOL_NAME: usize = 64;

/// Which tools an endpoint shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// Those of all servers, as `server__tool`.
    All,
    /// Those of one server, unprefixed.
    One(Arc<str>),
    /// Those that a profile chooses, as `server__tool`.
    Profile(Arc<str>),
}

/// All servers and their tools at one moment.
#[derive(Debug)]
pub struct Catalog {
    servers: Vec<Arc<Server>>,
    by_name: HashMap<Arc<str>, usize>,
    tools: HashMap<String, (usize, usize)>,
    all: Joint,
    profiles: HashMap<Arc<str>, Joint>,
    /// Whether any endpoint is a surface for search: asked for by each call.
    searches: bool,
    /// Tools by the words that they are described in, once they are searched: of the many catalogs that a gateway makes
    /// while its servers come, none is.
    index: OnceLock<Index>,
    /// What such an endpoint lists.
    small: Arc<Pages>,
    page_size: usize,
    filtered: Filtered,
    /// Whether any server speaks MCP, and whether any has parameters that are mirrored: asked for by each call.
    speaks_mcp: bool,
    mirrors: bool,
    /// Likewise whether calls of any tool may go on as tasks.
    tasks: bool,
}

/// A tool, prompt or resource of a server that is ready.
#[derive(Clone, Debug)]
pub struct Resolved {
    server: Arc<Server>,
    target: Target,
}

/// Why a name leads nowhere.
#[derive(Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// There is no such thing.
    Unknown,
    /// No such server, or no such profile.
    UnknownView,
    /// The server that would have it is unavailable.
    Unavailable(Arc<Server>),
}

impl Catalog {
    /// Builds the snapshot. A server with names that clash or are too long becomes unavailable,
    /// with the reason; the others are served.
    ///
    /// # Errors
    /// Two servers of the same name, or a name that is none.
    pub fn build(entries: Vec<ServerEntry>, settings: &CatalogSettings) -> Result<Self, CatalogError> {
        build::build(entries, settings)
    }

    /// The servers, in the config's order.
    #[must_use]
    pub fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    /// Whether one of them speaks MCP itself.
    #[must_use]
    pub fn speaks_mcp(&self) -> bool {
        self.speaks_mcp
    }

    /// Whether a tool of any server has parameters that its callers mirror into headers.
    #[must_use]
    pub fn mirrors(&self) -> bool {
        self.mirrors
    }

    /// Whether calls of any tool may go on as tasks.
    #[must_use]
    pub fn has_tasks(&self) -> bool {
        self.tasks
    }

    /// How a call may go on as one, and bytes that its result may have; `None` where it may not, or is not open.
    #[must_use]
    pub fn task_support(&self, view: &View, wanted: &Wanted, open: &Servers) -> Option<(TaskSupport, u64)> {
        if !self.tasks {
            return None;
        }
        let Resolved { server, target } = self.resolve(view, wanted, open).ok()?;
        let Target::Tool(tool) = target else { return None };
        let support = server.task_support(tool).filter(|_| open.has(server.name()))?;
        Some((support, server.gate().output()))
    }

    /// Those of a tool; none of a tool that is not open.
    #[must_use]
    pub fn mirrored(&self, view: &View, tool: &str, open: &Servers) -> Vec<Mirrored> {
        if self.surface(view) == Surface::Search && matches!(tool, FIND | CALL) {
            return Vec::new();
        }
        match self.resolve(view, &Wanted::Tool(tool.to_owned()), open) {
            Ok(Resolved { server, target: Target::Tool(tool) }) if open.has(server.name()) => {
                server.mirrored(tool).to_vec()
            }
            _ => Vec::new(),
        }
    }

    /// The server of that name.
    #[must_use]
    pub fn server(&self, name: &str) -> Option<&Arc<Server>> {
        self.by_name.get(name).map(|&index| &self.servers[index])
    }

    /// The view of one server; `None` if there is none of that name.
    #[must_use]
    pub fn view(&self, name: &str) -> Option<View> {
        self.server(name).map(|server| View::One(server.shared_name()))
    }

    /// The view of a profile; `None` if there is none of that name, or none of its servers is open.
    #[must_use]
    pub fn profile(&self, name: &str, open: &Servers) -> Option<View> {
        let (name, joint) = self.profiles.get_key_value(name)?;
        let servers = &joint.profile().servers;
        let is_open = self.servers.iter().any(|server| servers.has(server.name()) && open.has(server.name()));
        is_open.then(|| View::Profile(Arc::clone(name)))
    }

    /// Whether something of a server is to be seen at a view.
    #[must_use]
    pub fn shows(&self, view: &View, server: &str) -> bool {
        match view {
            View::One(own) => **own == *server,
            view => self.joint(view).is_some_and(|joint| joint.profile().servers.has(server)),
        }
    }

    /// Whether a tool is shown at a view of several servers, by the name that it has there.
    #[must_use]
    pub fn shows_tool(&self, view: &View, name: &str) -> bool {
        self.joint(view).is_some_and(|joint| joint.profile().has_tool(name))
    }

    /// What the profiles name in vain: profile and pattern. Of a server that is not ready nobody knows.
    pub fn vain(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_ready = |name: &str| self.server(name).is_some_and(|server| server.is_ready());
        self.profiles.iter().flat_map(move |(name, joint)| {
            let patterns = joint.profile().patterns().filter(move |pattern| {
                pattern.server().is_some_and(is_ready) && !self.tools.keys().any(|tool| pattern.admits(tool))
            });
            patterns.map(move |pattern| (&**name, pattern.0.as_str()))
        })
    }

    /// A prebuilt list of a view, for whom these servers are open to; `None` for a server that is not in
    /// the catalog, or not open.
    #[must_use]
    pub fn pages(&self, list: List, view: &View, open: &Servers) -> Option<Arc<Pages>> {
        if let View::One(name) = view {
            let server = self.server(name).filter(|_| open.has(name))?;
            let small = list == List::Tools && server.surface() == Surface::Search;
            return Some(Arc::clone(if small { &self.small } else { server.lists().of(list) }));
        }
        let joint = self.joint(view)?;
        if list == List::Tools && joint.profile().surface == Surface::Search {
            return Some(Arc::clone(&self.small));
        }
        match (joint.prebuilt(list, open), open) {
            (None, Servers::Only(names)) => {
                let write = || joint.write(list, &self.servers, open, self.page_size);
                Some(self.filtered.of(list, view, names, write))
            }
            (prebuilt, _) => prebuilt.map(Arc::clone),
        }
    }

    /// What a view lists as its tools.
    #[must_use]
    pub fn surface(&self, view: &View) -> Surface {
        match view {
            // As in most catalogs.
            _ if !self.searches => Surface::All,
            View::One(name) => self.server(name).map_or(Surface::All, |server| server.surface()),
            view => self.joint(view).map_or(Surface::All, |joint| joint.profile().surface),
        }
    }

    /// Up to `limit` tools of a view that fit a query, the best first, each under the name that it has there. None of a
    /// server that is not open, or not ready. Among thousands of tools it takes milliseconds, and the first time longer.
    #[must_use]
    pub fn find(&self, view: &View, open: &Servers, query: &str, limit: usize) -> Vec<(String, &Tool)> {
        let ranked = self.index.get_or_init(|| Index::build(&self.servers)).ranked(query);
        let seen = ranked.into_iter().filter_map(|(server, tool)| {
            let server = self.servers.get(server).filter(|server| open.has(server.name()))?;
            let tool = server.tools().get(tool)?;
            let name = match view {
                View::One(own) => (**own == *server.name()).then(|| tool.name.clone()),
                view => self.shows(view, server.name()).then(|| build::full_name(server.name(), &tool.name)),
            };
            let name = name.filter(|name| matches!(view, View::One(_)) || self.shows_tool(view, name))?;
            Some((name, tool))
        });
        seen.take(limit).collect()
    }

    /// The servers of a view of several.
    fn joint(&self, view: &View) -> Option<&Joint> {
        match view {
            View::All => Some(&self.all),
            View::One(_) => None,
            View::Profile(name) => self.profiles.get(name),
        }
    }

    /// Finds what a caller names at a view. Of a URI that several servers have, the first that is open is
    /// meant.
    ///
    /// # Errors
    /// [`Unresolved`] says what is missing.
    pub fn resolve(&self, view: &View, wanted: &Wanted, open: &Servers) -> Result<Resolved, Unresolved> {
        if let View::One(server) = view {
            let server = self.server(server).ok_or(Unresolved::UnknownView)?;
            let target = server.find(wanted)?;
            return Ok(Resolved { server: Arc::clone(server), target });
        }
        let profile = self.joint(view).ok_or(Unresolved::UnknownView)?.profile();
        let seen = Seen { catalog: self, profile };
        match wanted {
            Wanted::Tool(name) => seen.tool(name),
            Wanted::Prompt(name) => seen.prompt(name, Target::Prompt),
            Wanted::Resource(uri) => seen.resource(uri, open, Target::Resource),
            Wanted::Subscription(uri) => seen.resource(uri, open, Target::Subscription),
            Wanted::Completion(Reference::Prompt(name)) => {
                seen.prompt(name, |prompt| Target::Completion(Reference::Prompt(prompt)))
            }
            Wanted::Completion(Reference::Template(template)) => seen.template(template, open),
        }
    }
}

impl Resolved {
    /// The server.
    #[must_use]
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// What it is of the server.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The permits of the server.
    #[must_use]
    pub fn gate(&self) -> &Arc<Gate> {
        self.server.gate()
    }

    /// Bytes of this process's memory that a call may take, with arguments of so many bytes.
    #[must_use]
    pub fn footprint(&self, arguments: usize) -> u64 {
        self.server.sandbox().map_or(0, |sandbox| sandbox.footprint(&self.target, arguments))
    }
}
