//! What a component is and would need, without a policy and without running it.

use std::collections::BTreeMap;

use super::component::{Component, PrepareOptions, describe};
use super::engine::Engine;
use super::link;
use super::load::{self, LoadError};
use super::surface::Surface;
use crate::artifact::{Artifact, Digest};
use crate::policy::Policy;
use crate::sandbox::{Description, Sandbox};
use crate::wit;

/// What a component's imports say of the grants that it may use.
const NEEDS: [(&str, &str); 6] = [
    ("wasi:cli/environment", "env"),
    ("wasi:filesystem/", "files"),
    ("wasi:http/outgoing-handler", "http"),
    ("wasi:sockets/tcp", "tcp"),
    ("wasi:sockets/ip-name-lookup", "tcp"),
    ("wasi:config/", "env"),
];

/// A component, looked at.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The digest of its bytes.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// What it imports, in order: `wasi:cli/environment@0.2.3`.
    pub imports: Vec<String>,
    /// The imports that Toolgate does not provide, each with advice: it can't be served as it is.
    pub unprovided: Vec<String>,
    /// The tools that it would offer, and the functions that can't be tools.
    pub description: Description,
    /// The grants that it can make use of, in the order `env`, `files`, `http`, `tcp`. Toolchains
    /// import more than tools use, so this is what to consider, not what is required.
    pub grants: Vec<&'static str>,
}

/// Looks at `artifact`. One that says itself what it offers, by `toolgate:tool` or over HTTP, is asked for it, with
/// nothing granted.
///
/// # Errors
/// If it is not a component, or its functions can't all be offered under their names, or it does not say what it
/// offers.
pub async fn inspect(engine: &Engine, artifact: &Artifact) -> Result<Inspection, LoadError> {
    let compiled = load::compile(engine, artifact, None).await?;
    let component = compiled.loaded.component.clone();
    let imports = link::imports(&component);
    let unprovided = link::unknown(&component);
    let speaks = Surface::spoken(component.engine(), &component, 0).is_some();
    let description = match speaks && unprovided.is_empty() {
        true => {
            let prepared =
                Component::of(engine, artifact, compiled, Policy::default(), PrepareOptions::default());
            prepared.await?.describe().clone()
        }
        false => {
            let bytes = artifact.bytes.clone();
            let found = load::blocking(move || {
                wit::discover(component.engine(), &component, &bytes, &BTreeMap::new())
            });
            describe(&found.await??)
        }
    };
    let size = artifact.bytes.len() as u64;
    let grants = grants(&imports);
    Ok(Inspection { digest: artifact.digest, size, grants, imports, unprovided, description })
}

fn grants(imports: &[String]) -> Vec<&'static str> {
    let needed = |import: &String| {
        let need = NEEDS.iter().find(|(prefix, _)| import.starts_with(prefix));
        need.map(|(_, grant)| *grant)
    };
    let mut grants: Vec<_> = imports.iter().filter_map(needed).collect();
    grants.sort_unstable();
    grants.dedup();
    grants
}
