//! Authorization: may this principal call this tool?
//!
//! The second gate of a call. Everyone who reaches the gateway may call every tool it lists; what
//! the tool may then touch is the operator's grant, enforced by the sandbox. The stage exists as a
//! type, so that no call can be admitted without having passed it.

use crate::auth::Principal;
use crate::catalog::Resolved;
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

/// Decides whether `principal` may call what was resolved.
///
/// # Errors
/// None yet: the only principal is the local one, and it may call every tool.
pub fn authorize(principal: &Principal, resolved: Resolved) -> Result<Authorized, Error> {
    Ok(Authorized { principal: principal.clone(), resolved })
}
