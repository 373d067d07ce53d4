//! An OCI image-layout directory: a registry without a server.
//!
//! `oci-layout` says what it is, `index.json` lists the tagged manifests, `blobs/` holds content by
//! digest; skopeo, oras and wkg read and write the same. Writers exclude each other with a lock on
//! `index.json.lock` and replace `index.json` whole, so readers need no lock. Unknown fields of the
//! index and foreign entries stay as they are. Everything here blocks.

mod index;

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions};
use rustix::fs::{FlockOperation, flock};

use super::digest::Digest;
use super::disk::{self, BLOBS, Content, blob_path};
use super::error::ArtifactError;
use super::format::{MAX_MANIFEST, Manifest, Packed, read};
use super::reference::{DEFAULT_TAG, LayoutReference};
use index::Index;

const MARKER: &str = "oci-layout";
const INDEX: &str = "index.json";
const LOCK: &str = "index.json.lock";
/// Longest `oci-layout` file; it holds one version.
const MAX_MARKER: u64 = 4096;
/// Longest wait for other writers; each holds the lock for milliseconds.
const LOCK_WAIT: Duration = Duration::from_secs(10);
const LOCK_POLL: Duration = Duration::from_millis(10);

/// A component from a layout; its preamble is not checked yet.
#[derive(Debug)]
pub(super) struct FromLayout {
    /// Of the component.
    pub(super) digest: Digest,
    /// Of the manifest or index that the reference names.
    pub(super) manifest_digest: Digest,
    /// The component.
    pub(super) bytes: Bytes,
}

struct Layout<'a> {
    dir: Dir,
    path: &'a Path,
}

/// Reads the component of at most `max_bytes` that `reference` names.
pub(super) fn fetch(reference: &LayoutReference, max_bytes: u64) -> Result<FromLayout, ArtifactError> {
    let layout = Layout::open(reference.directory())?;
    let what = reference.to_string();
    let manifest_digest = match reference.digest() {
        Some(digest) => *digest,
        None => layout.index()?.resolve(reference)?,
    };
    let mut manifest = layout.manifest(&manifest_digest, &what)?;
    if let Manifest::Index(inner) = manifest {
        manifest = layout.manifest(&inner, &what)?;
    }
    let Manifest::Layer { digest, size } = manifest else {
        return Err(ArtifactError::Garbage {
            what: format!("the manifest of {what}"),
            cause: "its index leads to another index".to_owned(),
        });
    };
    if size > max_bytes {
        return Err(ArtifactError::Oversized { what, limit: max_bytes });
    }
    let bytes = layout.blob(&digest, max_bytes, "layer")?;
    if bytes.len() as u64 != size {
        return Err(ArtifactError::Length { what, expected: size, actual: bytes.len() as u64 });
    }
    Ok(FromLayout { digest, manifest_digest, bytes })
}

/// Writes a component and tags it, making the layout if there is none. A digest in the reference
/// must be the one that the content has.
pub(super) fn push(reference: &LayoutReference, packed: &Packed) -> Result<(), ArtifactError> {
    let layout = Layout::create(reference.directory())?;
    for blob in [&packed.layer, &packed.config, &packed.manifest] {
        let stored = disk::read(&layout.dir, &blob_path(&blob.digest), blob.bytes.len() as u64);
        if !matches!(stored, Ok(Content::Whole(bytes)) if bytes == blob.bytes) {
            layout.at(disk::write(&layout.dir, BLOBS, &blob.digest.hex(), &blob.bytes), BLOBS)?;
        }
    }
    let lock = layout.lock()?;
    let mut index = layout.index()?;
    index.tag(reference.tag().unwrap_or(DEFAULT_TAG), &packed.manifest);
    layout.write_index(&index)?;
    drop(lock);
    Ok(())
}

impl<'a> Layout<'a> {
    fn open(path: &'a Path) -> Result<Self, ArtifactError> {
        let not = |cause: String| ArtifactError::NotLayout { path: path.display().to_string(), cause };
        let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(|cause| not(cause.to_string()))?;
        let layout = Self { dir, path };
        match layout.at(disk::read(&layout.dir, MARKER, MAX_MARKER), MARKER)? {
            Content::Whole(marker) => index::check_marker(&marker).map_err(not)?,
            Content::TooLong => return Err(not(format!("its {MARKER} file is too long"))),
            Content::Missing => return Err(not(format!("it has no {MARKER} file"))),
        }
        Ok(layout)
    }

    /// Opens a layout, or makes one of a directory that is empty or missing. One that holds
    /// something else is more likely a typing mistake.
    fn create(path: &'a Path) -> Result<Self, ArtifactError> {
        let io = |cause| ArtifactError::Io { path: path.display().to_string(), cause };
        std::fs::create_dir_all(path).map_err(io)?;
        let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(io)?;
        let layout = Self { dir, path };
        let lock = layout.lock()?;
        if !layout.dir.try_exists(MARKER).map_err(io)? {
            let mut entries = layout.dir.entries().map_err(io)?;
            if entries.any(|entry| entry.is_ok_and(|entry| entry.file_name() != LOCK)) {
                let _ = layout.dir.remove_file(LOCK);
                return Err(ArtifactError::NotLayout {
                    path: path.display().to_string(),
                    cause: format!("it has no {MARKER} file but is not empty"),
                });
            }
            layout.write_index(&Index::new())?;
            layout.at(disk::write(&layout.dir, ".", MARKER, index::MARKER_JSON), MARKER)?;
        }
        drop(lock);
        layout.at(layout.dir.create_dir_all(BLOBS), BLOBS)?;
        Self::open(path)
    }

    /// Waits for the writers' lock, which ends with the returned file.
    fn lock(&self) -> Result<File, ArtifactError> {
        let opened = self.dir.open_with(LOCK, OpenOptions::new().write(true).create(true));
        let file = self.at(opened, LOCK)?;
        let start = Instant::now();
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(rustix::io::Errno::WOULDBLOCK) if start.elapsed() < LOCK_WAIT => {
                    std::thread::sleep(LOCK_POLL);
                }
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let path = self.path.display().to_string();
                    return Err(ArtifactError::Busy { path, after: LOCK_WAIT });
                }
                Err(errno) => return self.at(Err(errno.into()), LOCK),
            }
        }
    }

    fn index(&self) -> Result<Index, ArtifactError> {
        let not = |cause: String| ArtifactError::NotLayout {
            path: self.path.display().to_string(),
            cause: format!("its {INDEX} {cause}"),
        };
        match self.at(disk::read(&self.dir, INDEX, MAX_MANIFEST), INDEX)? {
            Content::Whole(json) => Index::parse(&json).map_err(not),
            Content::TooLong => Err(not(format!("is larger than {MAX_MANIFEST} bytes"))),
            Content::Missing => Err(not("is missing".to_owned())),
        }
    }

    fn write_index(&self, index: &Index) -> Result<(), ArtifactError> {
        let json = self.at(index.to_json(), INDEX)?;
        self.at(disk::write(&self.dir, ".", INDEX, &json), INDEX)
    }

    fn manifest(&self, digest: &Digest, what: &str) -> Result<Manifest, ArtifactError> {
        read(&self.blob(digest, MAX_MANIFEST, "manifest")?, what)
    }

    /// A blob that matches its digest.
    fn blob(&self, digest: &Digest, cap: u64, kind: &str) -> Result<Bytes, ArtifactError> {
        let path = blob_path(digest);
        match self.at(disk::read(&self.dir, &path, cap), &path)? {
            Content::Whole(bytes) if digest.matches(&bytes) => Ok(bytes),
            Content::Whole(bytes) => Err(ArtifactError::DigestMismatch {
                what: self.path.join(path).display().to_string(),
                expected: *digest,
                actual: Digest::of(&bytes),
            }),
            Content::TooLong => {
                Err(ArtifactError::Oversized { what: self.path.join(path).display().to_string(), limit: cap })
            }
            Content::Missing => Err(ArtifactError::NotFound {
                what: format!("{kind} {digest}"),
                place: self.path.display().to_string(),
                hint: "the layout is incomplete, or the digest is of another".to_owned(),
            }),
        }
    }

    fn at<T>(&self, result: io::Result<T>, name: &str) -> Result<T, ArtifactError> {
        result.map_err(|cause| {
            let path = self.path.join(name).display().to_string();
            match cause.kind() {
                // What cap-std says of a symlink that leads out.
                ErrorKind::PermissionDenied if cause.raw_os_error().is_none() => ArtifactError::NotLayout {
                    path: self.path.display().to_string(),
                    cause: format!("{name} leads out of it"),
                },
                _ => ArtifactError::Io { path, cause },
            }
        })
    }
}

#[cfg(test)]
mod tests;
