//! Names at an endpoint of several servers, to what they stand for.

use std::sync::Arc;

use toolgate_runtime::sandbox::{Reference, Target};

use super::profile::Profile;
use super::{Catalog, Resolved, SEPARATOR, Server, Unresolved};
use crate::auth::Servers;

/// What of a catalog a profile shows.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) profile: &'a Profile,
}

impl<'a> Seen<'a> {
    fn servers(self) -> impl Iterator<Item = &'a Arc<Server>> + Clone {
        self.catalog.servers.iter().filter(move |server| self.profile.servers.has(server.name()))
    }

    pub(super) fn tool(self, name: &str) -> Result<Resolved, Unresolved> {
        if !self.profile.has_tool(name) {
            return Err(Unresolved::Unknown);
        }
        let found = self.catalog.tools.get(name).map(|&(server, tool)| (&self.catalog.servers[server], tool));
        match found.filter(|(server, _)| self.profile.servers.has(server.name())) {
            Some((server, tool)) => Ok(Resolved { server: Arc::clone(server), target: Target::Tool(tool) }),
            None => Err(self.missing(name)),
        }
    }

    pub(super) fn prompt(self, name: &str, target: impl Fn(usize) -> Target) -> Result<Resolved, Unresolved> {
        let named = |server: &Server| name.strip_prefix(server.name())?.strip_prefix(SEPARATOR);
        let found = self.servers().find_map(|server| {
            let prompt = server.prompt(named(server)?)?;
            Some(Resolved { server: Arc::clone(server), target: target(prompt) })
        });
        found.ok_or_else(|| self.missing(name))
    }

    /// One that is listed, or else one of a template.
    pub(super) fn resource(
        self,
        uri: &str,
        open: &Servers,
        target: impl Fn(String) -> Target,
    ) -> Result<Resolved, Unresolved> {
        let mut open = self.servers().filter(|server| open.has(server.name()));
        let listed = open.clone().find(|server| server.lists_resource(uri));
        let server = listed.or_else(|| open.find(|server| server.may_have_resource(uri)));
        let server = Arc::clone(server.ok_or(Unresolved::Unknown)?);
        Ok(Resolved { server, target: target(uri.to_owned()) })
    }

    /// A template, as it is listed.
    pub(super) fn template(self, template: &str, open: &Servers) -> Result<Resolved, Unresolved> {
        let mut open = self.servers().filter(|server| open.has(server.name()));
        let found = open.find_map(|server| {
            let target = Target::Completion(Reference::Template(server.template(template)?));
            Some(Resolved { server: Arc::clone(server), target })
        });
        found.ok_or(Unresolved::Unknown)
    }

    /// Why a prefixed name leads nowhere: the server of which it would be is unavailable, or there is none.
    fn missing(self, name: &str) -> Unresolved {
        let owner = self.servers().find(|server| {
            !server.is_ready()
                && name.strip_prefix(server.name()).is_some_and(|rest| rest.starts_with(SEPARATOR))
        });
        owner.map_or(Unresolved::Unknown, |server| Unresolved::Unavailable(Arc::clone(server)))
    }
}
