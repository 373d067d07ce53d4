//! Compiled code, kept between starts.
//!
//! Loading native code is trusting it with everything, so a file is used only if it carries a MAC
//! under a key that nobody but this user can read, made over the code together with what it was
//! compiled from, by what, and for which engine. Anything that is off, from a flipped bit to a
//! power loss halfway through a write, means that the component is compiled again; it is never an
//! error. Where nothing can be kept, everything works without, and a note says why.
//!
//! Several processes may use one directory at a time: files appear whole, by rename, and never
//! change after.

mod entry;
mod key;

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use self::entry::Identity;
use self::key::Key;
use super::code::Code;
use super::engine::Engine;
use crate::artifact::Digest;

/// Files that are kept; the least recently used go first. Against a disk that fills up.
const MAX_ENTRIES: usize = 256;

/// Bytes of all files together.
const MAX_TOTAL: u64 = 2 * 1024 * 1024 * 1024;

/// Age from which a temporary file was surely left behind by a process that died.
const STALE: Duration = Duration::from_secs(3600);

const EXTENSION: &str = "cwasm";
const TEMPORARY: &str = ".tmp-";

/// A directory of compiled code. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CompiledCache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    /// Why nothing is kept, if so.
    key: Result<Key, String>,
    max_entries: usize,
    max_total: u64,
}

impl CompiledCache {
    /// Opens the cache in `state_dir`, making it on first use. Blocks.
    ///
    /// Never fails: see [`CompiledCache::note`].
    pub fn open(state_dir: &Path) -> Self {
        Self::with_limits(state_dir, MAX_ENTRIES, MAX_TOTAL)
    }

    /// Why compiled code can't be kept, if it can't.
    pub fn note(&self) -> Option<&str> {
        self.0.key.as_ref().err().map(String::as_str)
    }

    fn with_limits(state_dir: &Path, max_entries: usize, max_total: u64) -> Self {
        let dir = state_dir.join("compiled");
        let key = make_dir(&dir).and_then(|()| Key::open(&dir));
        let cache = Self(Arc::new(Inner {
            key: key.map_err(|cause| format!("compiled code is not kept in `{}`: {cause}", dir.display())),
            dir,
            max_entries,
            max_total,
        }));
        cache.sweep();
        cache
    }

    /// The code compiled from the bytes of `digest` for `engine`, or why it was not taken. No note
    /// means that there simply was none. Blocks.
    pub(super) fn load(&self, engine: &Engine, digest: &Digest) -> (Option<Code>, Option<String>) {
        let Ok(key) = &self.0.key else {
            return (None, None);
        };
        let identity = Identity::new(engine, digest);
        let path = self.path(&identity);
        match entry::open(&path, key, &identity) {
            Ok(code) => (Some(code), None),
            Err(entry::Unusable::Absent) => (None, None),
            Err(unusable) => (None, Some(rebuilt(&path, &unusable))),
        }
    }

    /// Keeps what was compiled. Returns it as it is kept, if it is, and why it is not. Blocks.
    pub(super) fn store(
        &self,
        engine: &Engine,
        digest: &Digest,
        code: &mut File,
    ) -> (Option<Code>, Option<String>) {
        let Ok(key) = &self.0.key else {
            return (None, None);
        };
        let identity = Identity::new(engine, digest);
        let path = self.path(&identity);
        let write = |out: &mut tempfile::NamedTempFile| entry::seal(key, &identity, code, out);
        let written = write_whole(&self.0.dir, &path, write);
        self.evict();
        match written {
            // Gone again where it alone is more than is kept, or where another process removed it.
            Ok(()) => (entry::open(&path, key, &identity).ok(), None),
            Err(error) => {
                (None, Some(format!("compiled code was not kept in `{}`: {error}", path.display())))
            }
        }
    }

    fn path(&self, identity: &Identity) -> PathBuf {
        self.0.dir.join(identity.name()).with_extension(EXTENSION)
    }

    /// Removes the least recently used files beyond the limits.
    fn evict(&self) {
        let mut files = self.files(|name| name.ends_with(EXTENSION));
        files.sort_by_key(|file| std::cmp::Reverse(file.used));
        let mut total = 0u64;
        for (index, file) in files.iter().enumerate() {
            total = total.saturating_add(file.size);
            if index >= self.0.max_entries || total > self.0.max_total {
                // Whoever removed it first, or has it open, is not in the way.
                fs::remove_file(&file.path).ok();
            }
        }
    }

    /// Removes what processes that died have left behind.
    fn sweep(&self) {
        let old = SystemTime::now() - STALE;
        for file in self.files(|name| name.starts_with(TEMPORARY)) {
            if file.used < old {
                fs::remove_file(&file.path).ok();
            }
        }
    }

    fn files(&self, wanted: impl Fn(&str) -> bool) -> Vec<Kept> {
        let Ok(entries) = fs::read_dir(&self.0.dir) else {
            return Vec::new();
        };
        let kept = |entry: fs::DirEntry| {
            let meta = entry.metadata().ok()?;
            let named = entry.file_name().to_str().is_some_and(&wanted);
            (named && meta.is_file()).then(|| Kept {
                path: entry.path(),
                size: meta.len(),
                used: meta.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            })
        };
        entries.filter_map(|entry| kept(entry.ok()?)).collect()
    }
}

struct Kept {
    path: PathBuf,
    size: u64,
    used: SystemTime,
}

fn rebuilt(path: &Path, why: &impl std::fmt::Display) -> String {
    format!("`{}` was compiled again: {why}", path.display())
}

/// Makes the directory for this user alone, or checks that it is so.
fn make_dir(dir: &Path) -> Result<(), String> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| error.to_string())?;
    let meta = fs::symlink_metadata(dir).map_err(|error| error.to_string())?;
    if !meta.is_dir() {
        return Err("it is not a directory".to_owned());
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err("it belongs to another user".to_owned());
    }
    if meta.mode() & 0o022 != 0 {
        return Err("other users can write to it; run `chmod 700` on it".to_owned());
    }
    Ok(())
}

/// Writes a file so that it is there whole or not at all, also after a power loss.
fn write_whole(
    dir: &Path,
    path: &Path,
    write: impl FnOnce(&mut tempfile::NamedTempFile) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = temporary(dir)?;
    write(&mut file)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(dir)?.sync_all()
}

/// A new file that only this user can read, removed again unless it is persisted.
fn temporary(dir: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(dir)
}

#[cfg(test)]
mod tests;
