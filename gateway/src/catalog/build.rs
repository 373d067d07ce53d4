//! From entries to a snapshot: checks every name, writes every list.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use super::filtered::Filtered;
use super::pages::Lists;
use super::profile::{Joint, Profile};
use super::{Catalog, MAX_TOOL_NAME, Pages, SEPARATOR, Server, ServerEntry, ServerState, Surface, surface};

/// How lists are written, and which there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogSettings {
    /// Tools per page of `tools/list`. Large, because some clients read the first page only.
    pub page_size: usize,
    /// Choices of servers and tools, by name.
    pub profiles: BTreeMap<String, Profile>,
    /// What the endpoint of all servers lists.
    pub surface: Surface,
    /// Servers of which the own endpoint is a surface for search.
    pub searched: BTreeSet<String>,
}

impl Default for CatalogSettings {
    fn default() -> Self {
        let (profiles, searched) = (BTreeMap::new(), BTreeSet::new());
        Self { page_size: 1000, profiles, surface: Surface::All, searched }
    }
}

impl CatalogSettings {
    /// Whether any endpoint is a surface for search.
    fn searches(&self) -> bool {
        let profiles = self.profiles.values().map(|profile| profile.surface);
        !self.searched.is_empty() || profiles.chain([self.surface]).any(|surface| surface == Surface::Search)
    }
}

/// Entries that are no catalog.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// Two servers of one name.
    #[error("two servers are named {0:?}")]
    Duplicate(String),
    /// A name that can't be part of a tool's name.
    #[error("the server name {0:?} is not 1 to {max} of A-Z a-z 0-9 _ -", max = MAX_SERVER_NAME)]
    Name(String),
}

/// Leaves room for the separator and a tool's name of one character.
const MAX_SERVER_NAME: usize = MAX_TOOL_NAME - SEPARATOR.len() - 1;

pub(super) fn build(entries: Vec<ServerEntry>, settings: &CatalogSettings) -> Result<Catalog, CatalogError> {
    let page_size = settings.page_size.max(1);
    let mut servers: Vec<Arc<Server>> = Vec::with_capacity(entries.len());
    let mut by_name = HashMap::new();
    let mut tools = HashMap::new();
    for entry in entries {
        check_server_name(&entry.name)?;
        let index = servers.len();
        let state = checked_state(&entry, &tools, &servers);
        let offered = match &state {
            ServerState::Ready(sandbox) => &sandbox.describe().tools[..],
            ServerState::Unavailable(_) => &[],
        };
        for (tool, described) in offered.iter().enumerate() {
            tools.insert(full_name(&entry.name, &described.name), (index, tool));
        }
        let lists = Lists::write(|list| match &state {
            ServerState::Ready(sandbox) => {
                Pages::write(list, &list.entries("", sandbox.describe(), |_| true), page_size)
            }
            ServerState::Unavailable(_) => Pages::write(list, &[], page_size),
        });
        let surface = if settings.searched.contains(&entry.name) { Surface::Search } else { Surface::All };
        let server = Arc::new(Server::new(entry, state.clone(), (lists, surface)));
        if by_name.insert(server.shared_name(), index).is_some() {
            return Err(CatalogError::Duplicate(server.name().to_owned()));
        }
        servers.push(server);
    }
    let all = Joint::new(Profile { surface: settings.surface, ..Profile::all() }, &servers, page_size);
    let profiles = settings.profiles.iter();
    let profiles = profiles
        .map(|(name, profile)| (name.as_str().into(), Joint::new(profile.clone(), &servers, page_size)));
    Ok(Catalog {
        profiles: profiles.collect(),
        searches: settings.searches(),
        index: OnceLock::new(),
        small: Arc::new(surface::pages(page_size)),
        filtered: Filtered::default(),
        speaks_mcp: servers.iter().any(|server| server.speaks_mcp()),
        mirrors: servers.iter().any(|server| server.mirrors()),
        tasks: servers.iter().any(|server| server.has_tasks()),
        servers,
        by_name,
        tools,
        all,
        page_size,
    })
}

pub(super) fn full_name(server: &str, tool: &str) -> String {
    format!("{server}{SEPARATOR}{tool}")
}

fn check_server_name(name: &str) -> Result<(), CatalogError> {
    if name.len() <= MAX_SERVER_NAME && is_name(name) {
        return Ok(());
    }
    Err(CatalogError::Name(name.to_owned()))
}

/// `[A-Za-z0-9_-]+`, what every known client takes.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// The entry's own state, unless its tools can't be listed beside those taken so far.
fn checked_state(
    entry: &ServerEntry,
    taken: &HashMap<String, (usize, usize)>,
    servers: &[Arc<Server>],
) -> ServerState {
    let ServerState::Ready(sandbox) = &entry.state else {
        return entry.state.clone();
    };
    let mut own = HashSet::new();
    for tool in &sandbox.describe().tools {
        let full = full_name(&entry.name, &tool.name);
        let fault = if !is_name(&tool.name) {
            Some("has characters other than A-Z a-z 0-9 _ -".to_owned())
        } else if full.len() > MAX_TOOL_NAME {
            Some(format!("is {} characters long, more than {MAX_TOOL_NAME}", full.len()))
        } else if let Some(&(other, _)) = taken.get(&full) {
            Some(format!("is taken by server {:?}", servers[other].name()))
        } else if !own.insert(tool.name.as_str()) {
            Some("is used twice".to_owned())
        } else {
            None
        };
        if let Some(fault) = fault {
            return ServerState::Unavailable(format!(
                "the tool name {full:?} of {:?} {fault}; give it another with `rename` in \
                 [servers.{}], or rename the server",
                tool.function, entry.name
            ));
        }
    }
    entry.state.clone()
}
