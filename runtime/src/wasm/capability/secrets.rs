//! `secrets`: read where they are used, and kept away from everyone else.
//!
//! All are read once when the server is prepared, so that a wrong path is found then. After that a
//! source that fails, fails what needs it and nothing more: a request to the secret's origin, or,
//! for a secret that the guest holds, the call. The reason goes to the operator.

use crate::policy::Grants;
use crate::sandbox::CallError;
use crate::secret::Secret;
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
