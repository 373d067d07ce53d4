//! Components from registries, by way of the store.
//!
//! Content with a known digest is taken from the store if it is there and kept there if it is not.
//! What a tag means is asked of its registry each time; the store only answers for one that is
//! away, and then says so.

use std::sync::Arc;

use bytes::Bytes;

use super::digest::Digest;
use super::error::ArtifactError;
use super::fetch::{ArtifactsOptions, Fetched, blocking};
use super::format::{self, MAX_MANIFEST, Manifest, Packed};
use super::reference::OciReference;
use super::registry::{Action, Registries, Session, SignIn};
use super::store::Store;

/// All registries and the store in front of them.
#[derive(Debug)]
pub(super) struct Remote {
    registries: Registries,
    store: Arc<Store>,
    max_bytes: u64,
}

impl Remote {
    pub(super) fn open(options: ArtifactsOptions) -> Result<Self, ArtifactError> {
        let registries = Registries::new(&options)?;
        let store = Arc::new(Store::new(options.state_dir));
        Ok(Self { registries, store, max_bytes: options.max_bytes })
    }

    /// A digest in the reference, or what the tag means now, then the layer behind it. Both are
    /// asked of the store first, except what a tag means.
    pub(super) async fn fetch(&self, oci: &OciReference) -> Result<Fetched, ArtifactError> {
        let session = self.registries.session(oci, Action::Pull);
        let mut notes = Vec::new();
        let what = oci.to_string();
        let (manifest_digest, manifest) = match oci.digest() {
            Some(digest) => (*digest, self.manifest(&session, digest, &what, &mut notes).await?),
            None => self.resolve(&session, &what, &mut notes).await?,
        };
        let (digest, size) = match manifest {
            Manifest::Layer { digest, size } => (digest, size),
            Manifest::Index(inner) => match self.manifest(&session, &inner, &what, &mut notes).await? {
                Manifest::Layer { digest, size } => (digest, size),
                Manifest::Index(_) => {
                    return Err(ArtifactError::Garbage {
                        what: format!("the manifest of {what}"),
                        cause: "its index leads to another index".to_owned(),
                    });
                }
            },
        };
        if size > self.max_bytes {
            let what = format!("the layer of {what}, with {size} bytes,");
            return Err(ArtifactError::Oversized { what, limit: self.max_bytes });
        }
        let bytes = match self.stored(&digest, size, &mut notes).await? {
            Some(bytes) => bytes,
            None => {
                let bytes = session.layer(&digest, size).await?;
                // Not worth keeping if it is no component.
                format::check_component(&bytes, &what)?;
                self.keep(&digest, &bytes, &mut notes).await?;
                bytes
            }
        };
        if oci.digest().is_none() {
            // Not before all of it is here: what a registry says while it is broken must not take the
            // place of what the store answers while it is away.
            let store = self.store.clone();
            notes.extend(blocking(move || Ok(store.remember(&what, &manifest_digest))).await?);
        }
        Ok(Fetched { digest, manifest_digest: Some(manifest_digest), bytes, notes })
    }

    /// Who an engine is to say that it is, to bring an image.
    pub(super) async fn sign_in(&self, image: &str) -> Result<Option<SignIn>, ArtifactError> {
        self.registries.sign_in(image).await
    }

    /// The one layer of an artifact of that type, which is no component and is not kept.
    pub(super) async fn document(
        &self,
        oci: &OciReference,
        artifact_type: &str,
        max_bytes: u64,
    ) -> Result<Bytes, ArtifactError> {
        let session = self.registries.session(oci, Action::Pull);
        let what = oci.to_string();
        let manifest = match oci.digest() {
            Some(digest) => session.manifest(digest).await?,
            None => session.manifest_by_tag().await?,
        };
        let (digest, size) = format::document(&manifest, artifact_type, &what)?;
        if size > max_bytes {
            let what = format!("the layer of {what}, with {size} bytes,");
            return Err(ArtifactError::Oversized { what, limit: max_bytes });
        }
        session.layer(&digest, size).await
    }

    /// What the tag means: always asked of the registry. Only if that is away, what it last meant.
    async fn resolve(
        &self,
        session: &Session<'_>,
        what: &str,
        notes: &mut Vec<String>,
    ) -> Result<(Digest, Manifest), ArtifactError> {
        let name = what.to_owned();
        let error = match session.manifest_by_tag().await {
            Ok(bytes) => {
                let digest = Digest::of(&bytes);
                return Ok((digest, self.read_and_keep(&digest, &bytes, what, notes).await?));
            }
            Err(error) if error.is_outage() => error,
            Err(error) => return Err(error),
        };
        let store = self.store.clone();
        let Some(digest) = blocking(move || Ok(store.recall(&name))).await? else {
            return Err(error);
        };
        let Some(bytes) = self.stored(&digest, MAX_MANIFEST, notes).await? else {
            return Err(error);
        };
        notes.push(format!("{error}; serving {digest}, which {what} meant when last asked"));
        Ok((digest, format::read(&bytes, what)?))
    }

    async fn manifest(
        &self,
        session: &Session<'_>,
        digest: &Digest,
        what: &str,
        notes: &mut Vec<String>,
    ) -> Result<Manifest, ArtifactError> {
        if let Some(bytes) = self.stored(digest, MAX_MANIFEST, notes).await? {
            return format::read(&bytes, what);
        }
        let bytes = session.manifest(digest).await?;
        self.read_and_keep(digest, &bytes, what, notes).await
    }

    /// A manifest that came from the registry. Not worth keeping if it is none: a registry that
    /// answers with new junk each time would fill the disk.
    async fn read_and_keep(
        &self,
        digest: &Digest,
        bytes: &Bytes,
        what: &str,
        notes: &mut Vec<String>,
    ) -> Result<Manifest, ArtifactError> {
        let manifest = format::read(bytes, what)?;
        self.keep(digest, bytes, notes).await?;
        Ok(manifest)
    }

    async fn stored(
        &self,
        digest: &Digest,
        cap: u64,
        notes: &mut Vec<String>,
    ) -> Result<Option<Bytes>, ArtifactError> {
        let (store, digest) = (self.store.clone(), *digest);
        let found = blocking(move || Ok(store.get(&digest, cap))).await?;
        notes.extend(found.note);
        Ok(found.bytes)
    }

    async fn keep(
        &self,
        digest: &Digest,
        bytes: &Bytes,
        notes: &mut Vec<String>,
    ) -> Result<(), ArtifactError> {
        let (store, digest, bytes) = (self.store.clone(), *digest, bytes.clone());
        notes.extend(blocking(move || Ok(store.put(&digest, &bytes))).await?);
        Ok(())
    }

    /// Publishes a component under the tag of the reference.
    pub(super) async fn push(&self, oci: &OciReference, packed: &Packed) -> Result<(), ArtifactError> {
        self.registries.session(oci, Action::Push).push(packed).await
    }
}
