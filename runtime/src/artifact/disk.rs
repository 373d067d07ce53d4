//! Files on disk that several processes share, for the store and for layouts: bounded reads, writes
//! that appear whole or not at all, and the removal of what was not used for longest.
//!
//! All paths are below an open directory handle and can't leave it, not through `..` and not
//! through a symlink that someone planted. Everything here blocks: call it off the event loop.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::time::{Duration, SystemTime};

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
pub(crate) enum Content {
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

/// How much a folder may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    /// Files. Against a disk that runs out of inodes.
    pub(crate) files: usize,
    /// Bytes of all files together.
    pub(crate) bytes: u64,
}

/// Reads a regular file of at most `cap` bytes.
pub(crate) fn read(dir: &Dir, path: &str, cap: u64) -> io::Result<Content> {
    match open(dir, path)? {
        Some(file) => read_regular(&file, cap),
        None => Ok(Content::Missing),
    }
}

/// Opens a file below `dir`; `None` if there is none.
pub(crate) fn open(dir: &Dir, path: &str) -> io::Result<Option<std::fs::File>> {
    let mut options = OpenOptions::new();
    // A planted pipe must not hold the thread until someone writes to it.
    options.read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    match dir.open_with(path, &options) {
        Ok(file) => Ok(Some(file.into_std())),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause),
    }
}

/// Reads an open file, if it is a regular one, up to `cap` bytes.
pub(crate) fn read_regular(file: &std::fs::File, cap: u64) -> io::Result<Content> {
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
pub(crate) fn write(dir: &Dir, folder: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
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

/// Marks an open file as used now, for [`evict`]. Best effort: in a folder that can't be written,
/// nothing is evicted either.
pub(crate) fn touch(file: &std::fs::File) {
    let _ = file.set_modified(SystemTime::now());
}

/// Removes what was not used for longest until the rest of the folder is within `bound`; the file
/// used last always stays. Best effort: what another process removed first, or has open, is not in
/// the way, and what a writer is busy with is no file of the folder yet.
pub(crate) fn evict(dir: &Dir, folder: &str, bound: Bound) {
    let Ok(entries) = dir.read_dir(folder) else { return };
    let kept = |entry: cap_std::fs::DirEntry| {
        let metadata = entry.metadata().ok().filter(|metadata| metadata.is_file())?;
        let used = metadata.modified().map_or(SystemTime::UNIX_EPOCH, |at| at.into_std());
        (!is_temporary(&entry)).then_some((used, metadata.len(), entry))
    };
    let mut files: Vec<_> = entries.flatten().filter_map(kept).collect();
    files.sort_by_key(|(used, ..)| std::cmp::Reverse(*used));
    let mut bytes = 0u64;
    for (index, (_, size, entry)) in files.iter().enumerate() {
        bytes = bytes.saturating_add(*size);
        if index > 0 && (index >= bound.files || bytes > bound.bytes) {
            let _ = entry.remove_file();
        }
    }
}

fn is_temporary(entry: &cap_std::fs::DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with(TEMPORARY)
}

/// Removes what crashed writers left behind. Best effort.
pub(crate) fn sweep(dir: &Dir, folder: &str) {
    let Ok(entries) = dir.read_dir(folder) else { return };
    for entry in entries.flatten() {
        let is_old = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|at| at.into_std().elapsed().is_ok_and(|age| age > ABANDONED));
        if is_temporary(&entry) && is_old {
            let _ = entry.remove_file();
        }
    }
}
