//! The two verbs, [`Artifacts::fetch`] and [`Artifacts::push`], over all three kinds of reference.
//!
//! A file is read as it is. A layout is an archive of its own. What comes from a registry goes
//! through the store, so that a digest is fetched once, and so that a tag can still be served, with
//! a note that says so, while the registry is away.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use super::digest::Digest;
use super::error::ArtifactError;
use super::reference::Reference;

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
    options: std::sync::Arc<ArtifactsOptions>,
}

impl Artifacts {
    /// Checks the options. Touches neither network nor docker config before they are needed; an
    /// unusable state directory is no error, see [`Artifact::notes`].
    ///
    /// # Errors
    /// [`ArtifactError::Settings`] for a `plain_http` entry that is no `host[:port]`.
    pub fn open(options: ArtifactsOptions) -> Result<Self, ArtifactError> {
        Ok(Self {
            options: options.into(),
        })
    }

    /// Brings the component that `reference` names.
    ///
    /// # Errors
    /// Every way not to get it, see [`ArtifactError`].
    pub async fn fetch(&self, reference: &Reference) -> Result<Artifact, ArtifactError> {
        let Reference::File(path) = reference else {
            return Err(ArtifactError::Settings(
                "registries come in a later commit".to_owned(),
            ));
        };
        let bytes = tokio::fs::read(path)
            .await
            .map_err(|cause| ArtifactError::Io {
                path: path.display().to_string(),
                cause,
            })?;
        Ok(Artifact {
            reference: reference.clone(),
            digest: Digest::of(&bytes),
            manifest_digest: None,
            bytes: bytes.into(),
            notes: Vec::new(),
        })
    }

    /// Publishes a component. The same bytes always give the same manifest digest.
    ///
    /// # Errors
    /// Every way not to publish it, see [`ArtifactError`].
    pub async fn push(&self, _wasm: Bytes, reference: &Reference) -> Result<Pushed, ArtifactError> {
        Err(ArtifactError::Unpushable {
            reference: reference.to_string(),
            cause: "a file is no registry",
        })
    }
}
