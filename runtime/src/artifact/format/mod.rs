//! The shape of a component in OCI: the CNCF Wasm OCI artifact.
//!
//! One manifest, whose config says that this is a component and what it imports and exports, and
//! one layer, which is the component. `write` makes that form, the same for the same bytes;
//! `read` also takes what wkg, oras and wasm-to-oci make. Both are pure. Manifests come from
//! registries, which are not trusted: everything read here is bounded and checked.

mod document;
mod read;
mod write;

pub(super) use document::document;
pub(super) use read::{Manifest, read};
pub(super) use write::{Blob, Packed, pack};

use super::error::ArtifactError;

/// Largest manifest or index that is read, as the distribution specification recommends; a registry
/// could otherwise fill the memory.
pub(super) const MAX_MANIFEST: u64 = 4 * 1024 * 1024;

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Docker's older names of the two above.
pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(super) const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";

const MAGIC: &[u8] = b"\0asm";
/// Version 1, layer 0: what Rust's and clang's plain wasm targets make.
const MODULE: [u8; 4] = [1, 0, 0, 0];
/// Version 13, layer 1: the only component encoding there is.
const COMPONENT: [u8; 4] = [13, 0, 1, 0];

/// Looks at the preamble: the layer field tells a component from a core module.
pub(super) fn check_component(bytes: &[u8], what: &str) -> Result<(), ArtifactError> {
    if bytes.is_empty() {
        return Err(ArtifactError::Empty(what.to_owned()));
    }
    match bytes.strip_prefix(MAGIC).and_then(|rest| rest.first_chunk::<4>()) {
        Some(&COMPONENT) => Ok(()),
        Some(&MODULE) => Err(ArtifactError::CoreModule(what.to_owned())),
        Some([version, _, 1, 0]) => Err(ArtifactError::NotComponent {
            what: what.to_owned(),
            cause: format!("its encoding has version {version}, only 13 is known"),
        }),
        _ => Err(ArtifactError::NotWasm(what.to_owned())),
    }
}

#[cfg(test)]
mod tests;
