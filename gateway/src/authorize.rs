//! Authorization: may this principal use this server?
//!
//! The second gate of a call. What a tool may then touch is the operator's grant, enforced by the
//! sandbox. The stage exists as a type, so that no call can be admitted without having passed it.
//! A refusal looks like a tool that does not exist: which others there are is not the caller's to
//! learn.

use crate::auth::Principal;
use crate::catalog::{Resolved, Server};
use crate::error::Error;

/// A tool that a principal may call. Made only by [`authorize`].
#[derive(Debug)]
pub struct Authorized {
    principal: Principal,
    resolved: Resolved,
}

impl Authorized {
    /// Who calls.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What is called.
    #[must_use]
    pub fn resolved(&self) -> &Resolved {
        &self.resolved
    }
}

/// Decides whether `principal` may call what `called` was resolved to.
///
/// # Errors
/// [`Error::ToolNotAllowed`] if the tool's server is not open to it.
pub fn authorize(principal: &Principal, called: &str, resolved: Resolved) -> Result<Authorized, Error> {
    check(principal, called, resolved.server())?;
    Ok(Authorized { principal: principal.clone(), resolved })
}

/// The same decision where there is no tool yet, since its server is unavailable.
///
/// # Errors
/// As [`authorize`].
pub fn check(principal: &Principal, called: &str, server: &Server) -> Result<(), Error> {
    if principal.servers().has(server.name()) {
        return Ok(());
    }
    Err(Error::ToolNotAllowed {
        tool: called.to_owned(),
        server: server.name().to_owned(),
        owner: principal.to_string(),
    })
}
