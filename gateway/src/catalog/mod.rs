//! The servers and tools of the gateway: one immutable snapshot, swapped whole.
//!
//! The second stage of a call turns a name into a [`Resolved`] tool. A request reads one snapshot
//! from start to end. Lists are written to bytes when the catalog is built, not when they are
//! asked for. Knows nothing of where servers come from, nor of MCP methods.

mod build;
mod cursor;
mod filtered;
mod pages;
mod server;
mod template;
#[cfg(test)]
mod tests;
mod wanted;

use std::collections::HashMap;
use std::sync::Arc;

pub use build::{CatalogError, CatalogSettings};
pub use pages::{List, Page, Pages};
pub use server::{Server, ServerEntry, ServerState};
pub use wanted::Wanted;

pub use toolgate_runtime::peer::mirrored::Mirrored;
use toolgate_runtime::sandbox::{Reference, Target};

use crate::admit::Gate;
use crate::auth::Servers;
use filtered::Filtered;
use pages::Lists;

/// Between a server's name and its tool's name, where all servers are listed together.
pub const SEPARATOR: &str = "__";

/// Longest tool name that every known client takes.
pub const MAX_TOOL_NAME: usize = 64;

/// Which tools an endpoint shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// Those of all servers, as `server__tool`.
    All,
    /// Those of one server, unprefixed.
    One(Arc<str>),
}

/// All servers and their tools at one moment.
#[derive(Debug)]
pub struct Catalog {
    servers: Vec<Arc<Server>>,
    by_name: HashMap<Arc<str>, usize>,
    tools: HashMap<String, (usize, usize)>,
    lists: Lists,
    page_size: usize,
    filtered: Filtered,
    /// Whether any server speaks MCP, and whether any has parameters that are mirrored: asked for by each call.
    speaks_mcp: bool,
    mirrors: bool,
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
    /// No such server.
    UnknownServer,
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

    /// Those of a tool; none of a tool that is not open.
    #[must_use]
    pub fn mirrored(&self, view: &View, tool: &str, open: &Servers) -> Vec<Mirrored> {
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

    /// A prebuilt list of a view, for whom these servers are open to; `None` for a server that is not in
    /// the catalog, or not open.
    #[must_use]
    pub fn pages(&self, list: List, view: &View, open: &Servers) -> Option<Arc<Pages>> {
        match (view, open) {
            (View::All, Servers::All) => Some(Arc::clone(self.lists.of(list))),
            (View::All, Servers::Only(names)) => {
                let write = || build::list_of(list, &self.servers, open, self.page_size);
                Some(self.filtered.of(list, names, write))
            }
            (View::One(name), open) if open.has(name) => {
                self.server(name).map(|server| Arc::clone(server.lists().of(list)))
            }
            (View::One(_), _) => None,
        }
    }

    /// Finds what a caller names at a view. Of a URI that several servers have, the first that is open is
    /// meant.
    ///
    /// # Errors
    /// [`Unresolved`] says what is missing.
    pub fn resolve(&self, view: &View, wanted: &Wanted, open: &Servers) -> Result<Resolved, Unresolved> {
        match (view, wanted) {
            (View::One(server), _) => {
                let server = self.server(server).ok_or(Unresolved::UnknownServer)?;
                let target = server.find(wanted)?;
                Ok(Resolved { server: Arc::clone(server), target })
            }
            (View::All, Wanted::Tool(name)) => self.tool(name),
            (View::All, Wanted::Prompt(name)) => self.prompt(name, Target::Prompt),
            (View::All, Wanted::Resource(uri)) => self.resource(uri, open, Target::Resource),
            (View::All, Wanted::Subscription(uri)) => self.resource(uri, open, Target::Subscription),
            (View::All, Wanted::Completion(Reference::Prompt(name))) => {
                self.prompt(name, |prompt| Target::Completion(Reference::Prompt(prompt)))
            }
            (View::All, Wanted::Completion(Reference::Template(template))) => self.template(template, open),
        }
    }

    fn tool(&self, name: &str) -> Result<Resolved, Unresolved> {
        if let Some(&(server, tool)) = self.tools.get(name) {
            let server = Arc::clone(&self.servers[server]);
            return Ok(Resolved { server, target: Target::Tool(tool) });
        }
        Err(self.owner(name).map_or(Unresolved::Unknown, Unresolved::Unavailable))
    }

    fn prompt(&self, name: &str, target: impl Fn(usize) -> Target) -> Result<Resolved, Unresolved> {
        let named = |server: &&Arc<Server>| name.strip_prefix(server.name())?.strip_prefix(SEPARATOR);
        let found = self.servers.iter().find_map(|server| {
            let prompt = server.prompt(named(&server)?)?;
            Some(Resolved { server: Arc::clone(server), target: target(prompt) })
        });
        found.ok_or_else(|| self.owner(name).map_or(Unresolved::Unknown, Unresolved::Unavailable))
    }

    /// One that is listed, or else one of a template.
    fn resource(
        &self,
        uri: &str,
        open: &Servers,
        target: impl Fn(String) -> Target,
    ) -> Result<Resolved, Unresolved> {
        let mut open = self.servers.iter().filter(|server| open.has(server.name()));
        let listed = open.clone().find(|server| server.lists_resource(uri));
        let server = listed.or_else(|| open.find(|server| server.may_have_resource(uri)));
        let server = Arc::clone(server.ok_or(Unresolved::Unknown)?);
        Ok(Resolved { server, target: target(uri.to_owned()) })
    }

    /// A template, as it is listed.
    fn template(&self, template: &str, open: &Servers) -> Result<Resolved, Unresolved> {
        let mut open = self.servers.iter().filter(|server| open.has(server.name()));
        let found = open.find_map(|server| {
            let target = Target::Completion(Reference::Template(server.template(template)?));
            Some(Resolved { server: Arc::clone(server), target })
        });
        found.ok_or(Unresolved::Unknown)
    }

    /// The server of which a prefixed name would be, if it is unavailable.
    fn owner(&self, name: &str) -> Option<Arc<Server>> {
        let owner = self.servers.iter().find(|server| {
            !server.is_ready()
                && name.strip_prefix(server.name()).is_some_and(|rest| rest.starts_with(SEPARATOR))
        });
        owner.map(Arc::clone)
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
