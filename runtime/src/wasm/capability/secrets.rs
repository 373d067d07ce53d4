//! `secrets`: read where they are used, and kept away from everyone else.
//!
//! All are read once when the server is prepared, so that a wrong path is found then. After that a
//! source that fails, fails what needs it and nothing more: a request to the secret's origin, or,
//! for a secret that the guest holds, the call. The reason goes to the operator.

use crate::events::Denial;
use crate::policy::{BoundSecret, Grants, SecretGrant, Target};
use crate::sandbox::CallError;
use crate::secret::{Secret, SecretError};
use crate::wasm::load::LoadError;

/// Reads every secret once.
///
/// # Errors
/// The first that can't be read or used.
pub(in crate::wasm) fn prepare(grants: &Grants) -> Result<(), LoadError> {
    for grant in grants.secrets() {
        let secret = grant.to_string();
        grant.read().map_err(|cause| LoadError::Secret { secret, cause })?;
    }
    Ok(())
}

/// The secrets for a request that policy has allowed.
///
/// # Errors
/// What to tell the operator of the one that can't be had; the request must not be sent.
pub(in crate::wasm) async fn for_request(
    grants: &Grants,
    target: &Target,
) -> Result<Vec<BoundSecret>, Denial> {
    let mut bound = Vec::new();
    for (grant, header) in grants.headers_for(target) {
        let secret = grant.fetch().await.and_then(|secret| header.bind(secret));
        bound.push(secret.map_err(|cause| unusable(grant, target, &cause))?);
    }
    Ok(bound)
}

fn unusable(grant: &SecretGrant, target: &Target, cause: &SecretError) -> Denial {
    Denial {
        capability: "secrets",
        attempt: target.to_string(),
        reason: format!("the secret {grant} can't be used: {cause}"),
        allow: None,
    }
}

/// The variables of a call that are secret.
///
/// # Errors
/// If one can't be had.
pub(in crate::wasm) async fn for_guest(grants: &Grants) -> Result<Vec<(String, Secret)>, CallError> {
    let mut variables = Vec::new();
    for (grant, name) in grants.secret_variables() {
        let secret = grant
            .fetch()
            .await
            .map_err(|cause| CallError::Unavailable(format!("the secret {grant} can't be used: {cause}")))?;
        variables.push((name.to_owned(), secret));
    }
    Ok(variables)
}
