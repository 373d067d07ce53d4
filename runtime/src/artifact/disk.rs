//! Blobs on disk, for the store and for layouts: bounded reads, and writes that appear whole or not
//! at all.
//!
//! All paths are below an open directory handle and can't leave it, not through `..` and not
//! through a symlink that someone planted. Everything here blocks: call it off the event loop.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::time::Duration;

use bytes::Bytes;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};

use super::digest::Digest;

/// Where blobs are, in a store as in a layout.
pub(super) const BLOBS: &str = "blobs/sha256";

const TEMPORARY: &str = ".tmp-";
/// Age at which a temporary file is taken for the remains of a crash. A write takes seconds.
const ABANDONED: Duration = Duration::from_secs(3600);

/// What a bounded read found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// All of the file.
    Whole(Bytes),
    /// More than the cap.
    TooLong,
    /// No file.
    Missing,
}

/// The path of a blob below the root of a store or layout.
pub(super) fn blob_path(digest: &Digest) -> String {
    format!("{BLOBS}/{}", digest.hex())
}

/// Reads a regular file of at most `cap` bytes.
pub(super) fn read(dir: &Dir, path: &str, cap: u64) -> io::Result<Content> {
    let mut options = OpenOptions::new();
    // A planted pipe must not hold the thread until someone writes to it.
    options.read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let file = match dir.open_with(path, &options) {
        Ok(file) => file,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Content::Missing),
        Err(cause) => return Err(cause),
    };
    read_regular(file.into_std(), cap)
}

/// Reads an open file, if it is a regular one, up to `cap` bytes.
pub(super) fn read_regular(file: std::fs::File, cap: u64) -> io::Result<Content> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
    }
    if metadata.len() > cap {
        return Ok(Content::TooLong);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.take(cap.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > cap {
        return Ok(Content::TooLong);
    }
    Ok(Content::Whole(bytes.into()))
}

/// Puts `bytes` at `folder/name`, replacing what is there. After a crash or a full disk there is the
/// old content or the new, never half of it.
pub(super) fn write(dir: &Dir, folder: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let folder = dir.open_dir(folder)?;
    let temporary = format!("{TEMPORARY}{}-{:016x}", std::process::id(), getrandom::u64()?);
    let written = write_new(&folder, &temporary, bytes)
        .and_then(|()| folder.rename(&temporary, &folder, name))
        // The rename itself must survive a power loss.
        .and_then(|()| folder.open(".")?.sync_all());
    if written.is_err() {
        let _ = folder.remove_file(&temporary);
    }
    written
}

fn write_new(folder: &Dir, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = folder.open_with(name, OpenOptions::new().write(true).create_new(true))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes what crashed writers left behind. Best effort.
pub(super) fn sweep(dir: &Dir, folder: &str) {
    let Ok(entries) = dir.read_dir(folder) else { return };
    for entry in entries.flatten() {
        let is_temporary = entry.file_name().to_string_lossy().starts_with(TEMPORARY);
        let is_old = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|at| at.into_std().elapsed().is_ok_and(|age| age > ABANDONED));
        if is_temporary && is_old {
            let _ = entry.remove_file();
        }
    }
}
