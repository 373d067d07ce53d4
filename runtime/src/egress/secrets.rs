//! The secrets of a request, read when it is sent.

use crate::events::Denial;
use crate::policy::{BoundSecret, Grants, SecretGrant, Target};
use crate::secret::SecretError;

/// The secrets for a request that policy has allowed.
///
/// # Errors
/// What to tell the operator of the one that can't be had; the request must not be sent.
pub(crate) async fn secrets_for(grants: &Grants, target: &Target) -> Result<Vec<BoundSecret>, Denial> {
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
