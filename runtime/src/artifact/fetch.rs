//! The two verbs, [`Artifacts::fetch`] and [`Artifacts::push`], over all three kinds of reference.
//!
//! A file is read as it is. A layout is an archive of its own. What comes from a registry goes
//! through the store, so that a digest is fetched once, and so that a tag can still be served, with
//! a note that says so, while the registry is away.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::digest::Digest;
use super::disk::{self, Content};
use super::error::ArtifactError;
use super::format::{self, Packed};
use super::layout::{self, FromLayout};
use super::reference::{OciReference, Reference};
use super::registry::{Aws, SignIn};
use super::remote::Remote;

/// Bytes of a component that are accepted by default. A publisher could otherwise fill the memory
/// of every gateway; Python components of 20 MB are common, 64 MiB are not.
pub const DEFAULT_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// How artifacts are found.
#[derive(Clone, Debug)]
pub struct ArtifactsOptions {
    /// Where blobs are kept, in `blobs/`; made if it is missing. `None` keeps nothing.
    pub state_dir: Option<PathBuf>,
    /// Registries (`host:port`, exactly) that may be spoken to without TLS. None by default.
    pub plain_http: Vec<String>,
    /// A docker `config.json` with credentials. Without one everything is anonymous.
    pub docker_config: Option<PathBuf>,
    /// Credentials for Amazon's registries. None by default.
    pub aws: Aws,
    /// Largest component.
    pub max_bytes: u64,
    /// How long registries may take.
    pub timeouts: Timeouts,
}

impl Default for ArtifactsOptions {
    fn default() -> Self {
        Self {
            state_dir: None,
            plain_http: Vec::new(),
            docker_config: None,
            aws: Aws::default(),
            max_bytes: DEFAULT_MAX_BYTES,
            timeouts: Timeouts::default(),
        }
    }
}

/// How long a registry may take.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// To connect, name resolution and TLS included.
    pub connect: Duration,
    /// Between two pieces of an answer. Against registries that trickle.
    pub idle: Duration,
    /// For one fetch or push in all, retries included.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(15),
            total: Duration::from_secs(120),
        }
    }
}

/// A component, verified.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// As asked for.
    pub reference: Reference,
    /// Digest of the component's bytes.
    pub digest: Digest,
    /// Digest of the manifest (or index) that the reference names; `None` for files.
    pub manifest_digest: Option<Digest>,
    /// The component: not empty, within the size limit, with a component's preamble.
    pub bytes: Bytes,
    /// What an operator should know though it worked: served from the store because the registry
    /// is away, could not be stored, and the like.
    pub notes: Vec<String>,
}

/// What was published.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// As asked for.
    pub reference: Reference,
    /// Digest of the component's bytes.
    pub digest: Digest,
    /// Digest to pin: `REFERENCE@manifest_digest`.
    pub manifest_digest: Digest,
    /// Bytes of the component.
    pub size: u64,
}

/// Finds and publishes artifacts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Artifacts {
    remote: Arc<Remote>,
    max_bytes: u64,
}

impl Artifacts {
    /// Checks the options. Touches neither network nor docker config before they are needed; an
    /// unusable state directory is no error, see [`Artifact::notes`].
    ///
    /// # Errors
    /// [`ArtifactError::Settings`] for a `plain_http` entry that is no `host[:port]`.
    pub fn open(options: ArtifactsOptions) -> Result<Self, ArtifactError> {
        let max_bytes = options.max_bytes;
        Ok(Self { remote: Arc::new(Remote::open(options)?), max_bytes })
    }

    /// Brings the component that `reference` names.
    ///
    /// # Errors
    /// Every way not to get it, see [`ArtifactError`].
    pub async fn fetch(&self, reference: &Reference) -> Result<Artifact, ArtifactError> {
        let max_bytes = self.max_bytes;
        let artifact = match reference {
            Reference::Oci(oci) => self.remote.fetch(oci).await?,
            Reference::Layout(layout) => {
                let layout = layout.clone();
                from_layout(blocking(move || layout::fetch(&layout, max_bytes)).await?)
            }
            Reference::File(path) => {
                let path = path.clone();
                blocking(move || from_file(&path, max_bytes)).await?
            }
        };
        format::check_component(&artifact.bytes, &reference.to_string())?;
        Ok(artifact.with(reference))
    }

    /// Brings the one layer of an artifact of type `artifact_type` in a registry: verified, up to `max_bytes`,
    /// and not kept.
    ///
    /// # Errors
    /// Every way not to get it, see [`ArtifactError`].
    pub async fn document(
        &self,
        reference: &OciReference,
        artifact_type: &str,
        max_bytes: u64,
    ) -> Result<Bytes, ArtifactError> {
        self.remote.document(reference, artifact_type, max_bytes).await
    }

    /// Who an engine is to say that it is where it brings an image, by the image's name; `None` for nobody.
    ///
    /// # Errors
    /// Credentials that can't be read, or are refused.
    pub async fn sign_in(&self, image: &str) -> Result<Option<SignIn>, ArtifactError> {
        self.remote.sign_in(image).await
    }

    /// Publishes a component. The same bytes always give the same manifest digest.
    ///
    /// # Errors
    /// Every way not to publish it, see [`ArtifactError`].
    pub async fn push(&self, wasm: Bytes, reference: &Reference) -> Result<Pushed, ArtifactError> {
        let what = "the component".to_owned();
        if wasm.len() as u64 > self.max_bytes {
            return Err(ArtifactError::Oversized { what, limit: self.max_bytes });
        }
        let packed = Arc::new(blocking(move || format::pack(wasm, &what)).await?);
        check_pin(reference, &packed)?;
        match reference {
            Reference::Oci(oci) => {
                self.remote.push(oci, &packed).await?;
            }
            Reference::Layout(layout) => {
                let (layout, packed) = (layout.clone(), packed.clone());
                blocking(move || layout::push(&layout, &packed)).await?;
            }
            Reference::File(_) => {
                return Err(ArtifactError::Unpushable {
                    reference: reference.to_string(),
                    cause: "a file is no registry",
                });
            }
        }
        Ok(Pushed {
            reference: reference.clone(),
            digest: packed.layer.digest,
            manifest_digest: packed.manifest.digest,
            size: packed.layer.bytes.len() as u64,
        })
    }
}

/// A reference with a digest promises content before it is there.
fn check_pin(reference: &Reference, packed: &Packed) -> Result<(), ArtifactError> {
    match reference.digest() {
        Some(expected) if *expected != packed.manifest.digest => Err(ArtifactError::DigestMismatch {
            what: format!("the manifest for {reference}"),
            expected: *expected,
            actual: packed.manifest.digest,
        }),
        _ => Ok(()),
    }
}

/// A component without its reference.
pub(super) struct Fetched {
    pub(super) digest: Digest,
    pub(super) manifest_digest: Option<Digest>,
    pub(super) bytes: Bytes,
    pub(super) notes: Vec<String>,
}

impl Fetched {
    fn with(self, reference: &Reference) -> Artifact {
        Artifact {
            reference: reference.clone(),
            digest: self.digest,
            manifest_digest: self.manifest_digest,
            bytes: self.bytes,
            notes: self.notes,
        }
    }
}

fn from_layout(layout: FromLayout) -> Fetched {
    Fetched {
        digest: layout.digest,
        manifest_digest: Some(layout.manifest_digest),
        bytes: layout.bytes,
        notes: Vec::new(),
    }
}

fn from_file(path: &Path, max_bytes: u64) -> Result<Fetched, ArtifactError> {
    let io = |cause| ArtifactError::Io { path: path.display().to_string(), cause };
    let mut options = std::fs::File::options();
    // A pipe must not hold the thread until someone writes to it.
    options.read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let content = options.open(path).and_then(|file| disk::read_regular(&file, max_bytes));
    match content.map_err(io)? {
        Content::Whole(bytes) => {
            let digest = Digest::of(&bytes);
            Ok(Fetched { digest, manifest_digest: None, bytes, notes: Vec::new() })
        }
        Content::TooLong | Content::Missing => {
            Err(ArtifactError::Oversized { what: path.display().to_string(), limit: max_bytes })
        }
    }
}

/// Runs file work off the event loop.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ArtifactError> + Send + 'static,
) -> Result<T, ArtifactError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // Only at the end of the process.
        Err(_) => Err(ArtifactError::Settings("the process is shutting down".to_owned())),
    }
}

#[cfg(test)]
mod tests;
