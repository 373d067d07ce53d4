//! Verified component bytes, by reference.
//!
//! An operator names a component by a [`Reference`]; [`Artifacts::fetch`] brings its bytes from a
//! registry, an image-layout directory or a file, and [`Artifacts::push`] publishes. Whatever path
//! the bytes take into the process, they were hashed against a digest and looked at for being a
//! component before anyone else sees them. This module knows nothing of wasmtime or of grants.

mod digest;
pub(crate) mod disk;
mod error;
mod fetch;
mod format;
mod layout;
mod reference;
mod registry;
mod remote;
mod store;
#[cfg(test)]
mod test_support;

pub use digest::{Digest, DigestError};
pub use error::ArtifactError;
pub use fetch::{Artifact, Artifacts, ArtifactsOptions, DEFAULT_MAX_BYTES, Pushed, Timeouts};
pub use reference::{DEFAULT_TAG, LayoutReference, MAX_REFERENCE, OciReference, Reference, ReferenceError};
pub use registry::{Aws, SignIn, SignInAs};
