//! `secrets`: read where they are used, and kept away from everyone else.
//!
//! All are read once when the server is prepared, so that a wrong path is found then. After that a
//! source that fails, fails what needs it and nothing more: a request to the secret's origin, or,
//! for a secret that the guest holds, the call. The reason goes to the operator.

use std::sync::Arc;

use crate::events::{Denial, Observer, Stdio, Usage};
use crate::policy::{BoundSecret, Grants, SecretGrant, Target};
use crate::sandbox::CallError;
use crate::secret::{Mask, Secret, SecretError};
use crate::wasm::load::LoadError;

/// Shortest line of a secret that is hidden in what a guest prints. Shorter ones are in every text.
const MIN_MASKED: usize = 4;

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

/// The observer of a call whose guest holds secrets. Against a guest that prints its environment, or
/// sends a password to where it may not: what it holds is hidden in its output and in denials.
pub(in crate::wasm) fn shield(
    observer: Arc<dyn Observer>,
    variables: &[(String, Secret)],
) -> Arc<dyn Observer> {
    if variables.is_empty() {
        return observer;
    }
    // Output comes line by line, so a secret of many lines is looked for by line.
    let lines = variables.iter().flat_map(|(_, secret)| secret.expose().split(['\n', '\r']));
    let lines = lines.filter(|line| line.len() >= MIN_MASKED);
    let secrets = lines.map(|line| Secret::from(line.to_owned())).collect();
    Arc::new(Shield { observer, secrets })
}

struct Shield {
    observer: Arc<dyn Observer>,
    secrets: Vec<Secret>,
}

impl Shield {
    fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        match Mask::new(self.secrets.iter().cloned()) {
            Some(mut mask) => mask.whole(bytes),
            None => bytes.to_vec(),
        }
    }

    fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }
}

impl Observer for Shield {
    fn stdio(&self, stream: Stdio, line: &[u8]) {
        self.observer.stdio(stream, &self.bytes(line));
    }

    fn stdio_dropped(&self, bytes: u64) {
        self.observer.stdio_dropped(bytes);
    }

    fn denied(&self, denial: &Denial) {
        self.observer.denied(&Denial {
            capability: denial.capability,
            attempt: self.text(&denial.attempt),
            reason: self.text(&denial.reason),
            allow: denial.allow.as_deref().map(|line| self.text(line)),
        });
    }

    fn finished(&self, usage: &Usage) {
        self.observer.finished(usage);
    }
}
