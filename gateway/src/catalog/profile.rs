//! Several servers beside each other: all of them, or those of a profile with the tools that it chooses.

use std::sync::Arc;

use super::pages::Lists;
use super::{List, Pages, SEPARATOR, Server, Surface};
use crate::auth::Servers;

/// What an endpoint of several servers shows, as the config says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its servers.
    pub servers: Servers,
    /// The tools that it shows; `None` for all.
    pub tools: Option<Vec<ToolPattern>>,
    /// Of these, those that it does not show.
    pub hide: Vec<ToolPattern>,
    /// What its endpoint lists.
    pub surface: Surface,
}

/// Names of tools, as `server__tool`; `*` stands for any part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolPattern(pub String);

impl ToolPattern {
    /// Whether it stands for a name.
    #[must_use]
    pub fn admits(&self, name: &str) -> bool {
        let mut literals = self.0.split('*');
        let Some(mut rest) = literals.next().and_then(|first| name.strip_prefix(first)) else { return false };
        let Some(last) = literals.next_back() else { return rest.is_empty() };
        for literal in literals {
            let Some(at) = rest.find(literal) else { return false };
            rest = &rest[at + literal.len()..];
        }
        rest.ends_with(last)
    }

    /// The one server whose tools it can stand for; `None` where it names none.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        self.0.split_once(SEPARATOR).map(|(server, _)| server).filter(|server| !server.contains('*'))
    }
}

impl Profile {
    /// All tools of all servers.
    #[must_use]
    pub fn all() -> Self {
        Self { servers: Servers::All, tools: None, hide: Vec::new(), surface: Surface::All }
    }

    /// Whether it shows a tool, by the name that it has beside those of others.
    #[must_use]
    pub fn has_tool(&self, name: &str) -> bool {
        let admits = |pattern: &ToolPattern| pattern.admits(name);
        self.tools.as_ref().is_none_or(|tools| tools.iter().any(admits)) && !self.hide.iter().any(admits)
    }

    /// All names of tools that it has, and patterns of such.
    pub(super) fn patterns(&self) -> impl Iterator<Item = &ToolPattern> {
        self.tools.iter().flatten().chain(&self.hide)
    }

    /// Whether all of its servers are open.
    fn is_open(&self, open: &Servers) -> bool {
        match (&self.servers, open) {
            (_, Servers::All) => true,
            (Servers::All, Servers::Only(_)) => false,
            (Servers::Only(names), open) => names.iter().all(|name| open.has(name)),
        }
    }
}

/// A profile in a catalog, with its lists.
#[derive(Debug)]
pub(super) struct Joint {
    profile: Profile,
    lists: Lists,
}

impl Joint {
    pub(super) fn new(profile: Profile, servers: &[Arc<Server>], page_size: usize) -> Self {
        let lists = Lists::write(|list| list_of(list, &profile, servers, &Servers::All, page_size));
        Self { profile, lists }
    }

    pub(super) fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The list of whom all of its servers are open to; `None` for others.
    pub(super) fn prebuilt(&self, list: List, open: &Servers) -> Option<&Arc<Pages>> {
        self.profile.is_open(open).then(|| self.lists.of(list))
    }

    /// That list of those of its servers that are `open`.
    pub(super) fn write(
        &self,
        list: List,
        servers: &[Arc<Server>],
        open: &Servers,
        page_size: usize,
    ) -> Pages {
        list_of(list, &self.profile, servers, open, page_size)
    }
}

/// That list of the servers that are `open`, under the names that they have beside each other.
fn list_of(
    list: List,
    profile: &Profile,
    servers: &[Arc<Server>],
    open: &Servers,
    page_size: usize,
) -> Pages {
    let open = servers.iter().filter(|server| profile.servers.has(server.name()) && open.has(server.name()));
    let entries = open.filter_map(|server| Some((server.name(), server.sandbox()?.describe())));
    let entries = entries.flat_map(|(name, offered)| {
        list.entries(&format!("{name}{SEPARATOR}"), offered, |tool| profile.has_tool(tool))
    });
    Pages::write(list, &entries.collect::<Vec<_>>(), page_size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_part_of_a_name() {
        let admits = |pattern: &str, name: &str| ToolPattern(pattern.to_owned()).admits(name);
        for (pattern, name) in [
            ("a__b", "a__b"),
            ("a__*", "a__"),
            ("a__*", "a__b"),
            ("*", "a__b"),
            ("*__b*", "a__bc"),
            ("a__*b*c", "a__xbbyc"),
            ("a__**c", "a__c"),
        ] {
            assert!(admits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("a__b", "a__bc"),
            ("a__b", "xa__b"),
            ("a__*b", "a__"),
            ("a__b*b", "a__b"),
            ("", "a"),
            ("a*b*c", "acb"),
        ] {
            assert!(!admits(pattern, name), "{pattern} {name}");
        }
    }
}
