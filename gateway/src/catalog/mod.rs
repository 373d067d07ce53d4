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
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

pub use build::{CatalogError, CatalogSettings};
pub use pages::{Page, Pages};
pub use server::{Server, ServerEntry, ServerState};

use crate::admit::Gate;
use crate::auth::Servers;
use filtered::Filtered;

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
    pages: Arc<Pages>,
    page_size: usize,
    filtered: Filtered,
}

/// A tool that exists and whose server is ready.
#[derive(Clone, Debug)]
pub struct Resolved {
    server: Arc<Server>,
    tool: usize,
}

/// Why a name is no callable tool.
#[derive(Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// No such tool.
    UnknownTool,
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

    /// The prebuilt tool list of a view, for whom these servers are open to; `None` for a server that is
    /// not in the catalog, or not open.
    #[must_use]
    pub fn pages(&self, view: &View, open: &Servers) -> Option<Arc<Pages>> {
        match (view, open) {
            (View::All, Servers::All) => Some(Arc::clone(&self.pages)),
            (View::All, Servers::Only(names)) => {
                let write = || Pages::write(build::tools_of(&self.servers, open), self.page_size);
                Some(self.filtered.of(names, write))
            }
            (View::One(name), open) if open.has(name) => {
                self.server(name).map(|server| Arc::clone(server.pages()))
            }
            (View::One(_), _) => None,
        }
    }

    /// Finds the tool that a view calls `name`.
    ///
    /// # Errors
    /// [`Unresolved`] says what is missing.
    pub fn resolve(&self, view: &View, name: &str) -> Result<Resolved, Unresolved> {
        match view {
            View::All => self.resolve_prefixed(name),
            View::One(server) => {
                let server = self.server(server).ok_or(Unresolved::UnknownServer)?;
                server.find(name).map(|tool| Resolved { server: Arc::clone(server), tool })
            }
        }
    }

    fn resolve_prefixed(&self, name: &str) -> Result<Resolved, Unresolved> {
        if let Some(&(server, tool)) = self.tools.get(name) {
            return Ok(Resolved { server: Arc::clone(&self.servers[server]), tool });
        }
        let owner = self.servers.iter().find(|server| {
            !server.is_ready()
                && name.strip_prefix(server.name()).is_some_and(|rest| rest.starts_with(SEPARATOR))
        });
        Err(owner.map_or(Unresolved::UnknownTool, |s| Unresolved::Unavailable(Arc::clone(s))))
    }
}

impl Resolved {
    /// The server.
    #[must_use]
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// The tool's index in its server's description.
    #[must_use]
    pub fn tool(&self) -> usize {
        self.tool
    }

    /// The permits of the server.
    #[must_use]
    pub fn gate(&self) -> &Arc<Gate> {
        self.server.gate()
    }

    /// Bytes of this process's memory that a call may take, with arguments of so many bytes.
    #[must_use]
    pub fn footprint(&self, arguments: usize) -> u64 {
        self.server.sandbox().map_or(0, |sandbox| sandbox.footprint(self.tool, arguments))
    }
}
