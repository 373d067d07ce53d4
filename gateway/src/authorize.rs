//! Authorization: may this principal use this server?
//!
//! The second gate of a call. What a tool may then touch is the operator's grant, enforced by the
//! sandbox. The stage exists as a type, so that no call can be admitted without having passed it.
//! A refusal looks like a tool that does not exist: which others there are is not the caller's to
//! learn.

use crate::auth::Principal;
use crate::catalog::{Resolved, Server, Wanted};
use crate::error::Error;

/// What a principal may use. Made only by [`authorize`].
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

    /// What is used.
    #[must_use]
    pub fn resolved(&self) -> &Resolved {
        &self.resolved
    }
}

/// Decides whether `principal` may use what `wanted` was resolved to.
///
/// # Errors
/// [`Error::NotAllowed`] if its server is not open to it.
pub fn authorize(principal: &Principal, wanted: &Wanted, resolved: Resolved) -> Result<Authorized, Error> {
    check(principal, wanted, resolved.server())?;
    Ok(Authorized { principal: principal.clone(), resolved })
}

/// The same decision where there is nothing yet, since its server is unavailable.
///
/// # Errors
/// As [`authorize`].
pub fn check(principal: &Principal, wanted: &Wanted, server: &Server) -> Result<(), Error> {
    if principal.servers().has(server.name()) {
        return Ok(());
    }
    Err(Error::NotAllowed {
        wanted: wanted.clone(),
        server: server.name().to_owned(),
        owner: principal.to_string(),
    })
}
