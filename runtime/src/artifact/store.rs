//! What was fetched from registries, kept by digest below the state directory.
//!
//! `blobs/sha256/…` holds manifests and components; `tags/…` remembers what each tag last meant,
//! for the time when its registry is away. Blobs are hashed on every read, so several gateways may
//! share the directory and a corrupt one costs a download, never a wrong component. What was not
//! used for longest goes once there is too much. A directory that can't be used (read-only, full)
//! costs the keeping, never the serving: the methods return notes for the operator instead of
//! errors. Everything here blocks.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Once;

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::digest::Digest;
use super::disk::{self, BLOBS, Bound, Content, blob_path};

const TAGS: &str = "tags";
/// Largest file in `tags/`: a digest and the reference it belongs to.
const MAX_TAG_FILE: u64 = 8 * 1024;

/// Blobs that are kept. Against a tag that moves with each push, and a registry that answers each
/// question with something new: without a bound either fills the disk.
const MAX_BLOBS: Bound = Bound { files: 4096, bytes: 4 * 1024 * 1024 * 1024 };
/// Tags that are remembered, one small file for each reference that was ever in a config.
const MAX_TAGS: Bound = Bound { files: 4096, bytes: 4096 * MAX_TAG_FILE };

/// The store. Without a directory it keeps nothing and finds nothing.
#[derive(Debug)]
pub(super) struct Store {
    path: Option<PathBuf>,
    swept: Once,
    max_blobs: Bound,
}

/// What a lookup gave.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Bytes that match the digest.
    pub(super) bytes: Option<Bytes>,
    /// What the operator should know.
    pub(super) note: Option<String>,
}

impl Store {
    /// Opens nothing yet: the directory may appear, fill up or vanish while we run.
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { path, swept: Once::new(), max_blobs: MAX_BLOBS }
    }

    /// Looks for a blob of at most `cap` bytes. One whose bytes do not match is removed.
    pub(super) fn get(&self, digest: &Digest, cap: u64) -> Found {
        let Some(dir) = self.existing() else { return Found::default() };
        let path = blob_path(digest);
        match self.read_used(&dir, &path, cap) {
            Ok(Content::Whole(bytes)) if digest.matches(&bytes) => Found { bytes: Some(bytes), note: None },
            Ok(Content::Missing) => Found::default(),
            Ok(Content::Whole(_) | Content::TooLong) => {
                let removed = match dir.remove_file(&path) {
                    Ok(()) => "removed it".to_owned(),
                    Err(cause) => format!("removing it failed: {cause}"),
                };
                let note = format!("the stored {digest} was corrupt; {removed}");
                Found { bytes: None, note: Some(note) }
            }
            Err(cause) => {
                Found { bytes: None, note: Some(format!("the stored {digest} is unreadable: {cause}")) }
            }
        }
    }

    /// Keeps a blob. `Some` says why that did not work.
    pub(super) fn put(&self, digest: &Digest, bytes: &Bytes) -> Option<String> {
        let path = self.path.as_deref()?;
        self.write(path, (BLOBS, self.max_blobs), &digest.hex(), bytes)
            .err()
            .map(|cause| not_kept(&digest.to_string(), path, &cause))
    }

    /// Remembers that `reference` (without digest) now means `digest`.
    pub(super) fn remember(&self, reference: &str, digest: &Digest) -> Option<String> {
        let path = self.path.as_deref()?;
        if self.recall(reference) == Some(*digest) {
            return None;
        }
        let line = format!("{digest} {reference}\n");
        self.write(path, (TAGS, MAX_TAGS), &tag_file(reference), line.as_bytes())
            .err()
            .map(|cause| not_kept(reference, path, &cause))
    }

    /// What `reference` meant when it was last resolved.
    pub(super) fn recall(&self, reference: &str) -> Option<Digest> {
        let dir = self.existing()?;
        let path = format!("{TAGS}/{}", tag_file(reference));
        let Ok(Content::Whole(line)) = self.read_used(&dir, &path, MAX_TAG_FILE) else { return None };
        let (digest, of) = std::str::from_utf8(&line).ok()?.trim_end().split_once(' ')?;
        (of == reference).then(|| digest.parse().ok())?
    }

    fn read_used(&self, dir: &Dir, path: &str, cap: u64) -> io::Result<Content> {
        let Some(file) = disk::open(dir, path)? else { return Ok(Content::Missing) };
        disk::touch(&file);
        disk::read_regular(&file, cap)
    }

    fn existing(&self) -> Option<Dir> {
        Dir::open_ambient_dir(self.path.as_deref()?, ambient_authority()).ok()
    }

    fn write(&self, path: &Path, (folder, bound): (&str, Bound), name: &str, bytes: &[u8]) -> io::Result<()> {
        std::fs::create_dir_all(path)?;
        let dir = Dir::open_ambient_dir(path, ambient_authority())?;
        dir.create_dir_all(folder)?;
        self.swept.call_once(|| {
            disk::sweep(&dir, BLOBS);
            disk::sweep(&dir, TAGS);
        });
        disk::write(&dir, folder, name, bytes)?;
        disk::evict(&dir, folder, bound);
        Ok(())
    }
}

/// A reference is no file name: it has slashes and is longer than one may be.
fn tag_file(reference: &str) -> String {
    Digest::of(reference.as_bytes()).hex()
}

fn not_kept(what: &str, path: &Path, cause: &io::Error) -> String {
    let path = path.display();
    let why = match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "it is full".to_owned(),
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => "it is read-only".to_owned(),
        _ => cause.to_string(),
    };
    format!("{what} is not kept in the state directory {path}: {why}; it will be fetched again")
}

#[cfg(test)]
mod tests;
