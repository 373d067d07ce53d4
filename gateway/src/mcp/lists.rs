//! `tools/list` and the other lists: a prebuilt page, set into a result of the request's revision.

use super::SERVER_INFO;
use super::answer::Context;
use super::params::{Params, text};
use super::revision::Revision;
use crate::auth::Principal;
use crate::catalog::{List, Page, View};
use crate::error::Error;
use crate::gateway::Gateway;
use crate::json::raw;

/// A page of the list, and what a result of its revision has around it.
#[derive(Debug)]
pub struct Listed {
    page: Page,
    after: String,
}

impl Listed {
    /// Bytes of the result.
    #[must_use]
    pub fn size(&self) -> usize {
        self.page.len() + self.after.len() + 2
    }

    /// Writes the result.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        out.extend_from_slice(&self.page);
        raw(out, &self.after);
        out.push(b'}');
    }
}

/// The result.
///
/// # Errors
/// [`Error::InvalidParams`] for a cursor that is none of this list, [`Error::Unavailable`] for the
/// list of one server that is not ready: an empty list would hide the fault.
pub fn result(
    gateway: &Gateway,
    context: &Context,
    revision: Revision,
    list: List,
    params: &Params<'_>,
) -> Result<Listed, Error> {
    let Context { principal, view } = context;
    let catalog = gateway.require_catalog()?;
    let pages = catalog.pages(list, view, principal.servers()).ok_or_else(|| unknown(view))?;
    if let View::One(name) = view
        && let Some(reason) = catalog.server(name).and_then(|server| server.unavailable())
    {
        return Err(Error::Unavailable { server: name.to_string(), reason: reason.to_owned() });
    }
    let page = match params.cursor.filter(|raw| raw.get() != "null") {
        None => pages.first(),
        Some(cursor) => text(cursor)
            .and_then(|cursor| pages.at(&cursor))
            .ok_or_else(|| Error::InvalidParams("no such cursor; list again".to_owned()))?,
    };
    let after = if revision.is_stateless() { after(gateway, principal) } else { String::new() };
    Ok(Listed { page: page.clone(), after })
}

fn after(gateway: &Gateway, principal: &Principal) -> String {
    let ttl = gateway.tools_ttl().as_millis();
    // A cache between here and several callers would give one the list of another.
    let scope = if principal.is_local() { "public" } else { "private" };
    format!(
        r#","resultType":"complete","ttlMs":{ttl},"cacheScope":"{scope}","_meta":{{"io.modelcontextprotocol/serverInfo":{SERVER_INFO}}}"#
    )
}

fn unknown(view: &View) -> Error {
    match view {
        View::All => Error::Internal("the aggregated list is missing".to_owned()),
        View::One(name) => Error::UnknownServer(name.to_string()),
        View::Profile(name) => Error::UnknownProfile(name.to_string()),
    }
}
