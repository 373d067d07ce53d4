//! Where a secret comes from: a variable of the environment, or a file.
//!
//! The environment can't change under a running process, so its value is taken once. A file is read
//! at every use: it is small, and no stamp tells a rewrite within one tick of the clock, or one that
//! restores the times, from none at all. So a rotated secret is in force with the next use, also
//! where a mounted volume swaps a symbolic link, and a file that is gone is an error and not the
//! secret of yesterday.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, open};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::{MAX_SECRET, Secret, SecretError};

/// Reads of one file at a time. Each holds a thread, also when its call has ended; against a volume
/// that hangs and takes all threads.
const MAX_READS: usize = 4;

/// Where a secret comes from.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// A variable, as it was when the gateway started.
    Env {
        /// Its name.
        name: String,
        /// Its value.
        value: Secret,
    },
    /// A file.
    File(SecretFile),
}

/// A file that holds a secret and nothing else.
#[derive(Clone, Debug)]
pub struct SecretFile {
    path: PathBuf,
    reads: Arc<Semaphore>,
}

impl SecretSource {
    /// A file.
    pub fn file(path: PathBuf) -> Self {
        Self::File(SecretFile { path, reads: Arc::new(Semaphore::new(MAX_READS)) })
    }

    /// The secret as it is now, for threads that may block. Not yet checked for any use.
    ///
    /// # Errors
    /// If the file can't be read, or holds more or other than a text.
    pub fn read(&self) -> Result<Secret, SecretError> {
        match self {
            Self::Env { value, .. } => Ok(value.clone()),
            Self::File(file) => read(&file.path),
        }
    }

    /// The same for threads that must not block.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn fetch(&self) -> Result<Secret, SecretError> {
        let file = match self {
            Self::Env { value, .. } => return Ok(value.clone()),
            Self::File(file) => file,
        };
        let given_up = |_| SecretError::Read(io::ErrorKind::Interrupted.into());
        let permit = Arc::clone(&file.reads)
            .acquire_owned()
            .await
            .map_err(|error| SecretError::Read(io::Error::other(error)))?;
        let path = file.path.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let secret = read(&path);
            drop(permit);
            secret
        });
        reading.await.map_err(given_up)?
    }
}

/// Reads a file without waiting for anybody: opening a pipe, say, would wait for a writer.
fn read(path: &Path) -> Result<Secret, SecretError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let opened = open(path, flags, Mode::empty()).map_err(|error| SecretError::Read(error.into()))?;
    let file = File::from(opened);
    if !file.metadata().map_err(SecretError::Read)?.is_file() {
        return Err(SecretError::NotAFile);
    }
    // Of full size from the start: growing would leave copies behind that nobody wipes.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET + 1));
    file.take(MAX_SECRET as u64 + 1).read_to_end(&mut bytes).map_err(SecretError::Read)?;
    Secret::from_file(bytes)
}

impl PartialEq for SecretSource {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Env { name, value }, Self::Env { name: n, value: v }) => name == n && value == v,
            (Self::File(file), Self::File(other)) => file.path == other.path,
            _ => false,
        }
    }
}

impl Eq for SecretSource {}

/// As the config has it: `env:API_TOKEN`, `file:/run/secrets/token`.
impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env { name, .. } => write!(f, "env:{name}"),
            Self::File(file) => write!(f, "file:{}", file.path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::time::SystemTime;

    use super::*;

    fn shown(source: &SecretSource) -> String {
        source.read().unwrap().expose().to_owned()
    }

    #[tokio::test]
    async fn a_file_is_read_again_whenever_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, "first-value\n").unwrap();
        let source = SecretSource::file(path.clone());
        assert_eq!(source.fetch().await.unwrap().expose(), "first-value");
        // Same length, same times, same inode: no stamp would tell.
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, "other-value\n").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
        assert_eq!(source.fetch().await.unwrap().expose(), "other-value");
        fs::write(dir.path().join("new"), "by-rename").unwrap();
        fs::rename(dir.path().join("new"), &path).unwrap();
        assert_eq!(source.fetch().await.unwrap().expose(), "by-rename");
    }

    #[test]
    fn a_volume_that_swaps_its_link_gives_the_new_secret() {
        let dir = tempfile::tempdir().unwrap();
        for version in ["1", "2"] {
            fs::create_dir(dir.path().join(version)).unwrap();
            fs::write(dir.path().join(version).join("token"), format!("version-{version}")).unwrap();
        }
        symlink("1", dir.path().join("..data")).unwrap();
        symlink("..data/token", dir.path().join("token")).unwrap();
        let source = SecretSource::file(dir.path().join("token"));
        assert_eq!(shown(&source), "version-1");
        symlink("2", dir.path().join("..next")).unwrap();
        fs::rename(dir.path().join("..next"), dir.path().join("..data")).unwrap();
        assert_eq!(shown(&source), "version-2");
    }

    #[test]
    fn a_file_that_is_gone_is_an_error_until_it_is_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, "some-token").unwrap();
        let source = SecretSource::file(path.clone());
        assert_eq!(shown(&source), "some-token");
        fs::remove_file(&path).unwrap();
        let error = source.read().unwrap_err().to_string();
        assert!(error.contains("No such file"), "{error}");
        fs::write(&path, "some-other").unwrap();
        assert_eq!(shown(&source), "some-other");
    }

    #[test]
    fn what_is_no_file_neither_hangs_nor_fills_memory() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let since = SystemTime::now();
        for path in [dir.path(), &fifo, Path::new("/dev/zero"), Path::new("/dev/null")] {
            let error = SecretSource::file(path.to_owned()).read().unwrap_err();
            assert!(matches!(error, SecretError::NotAFile), "{}: {error}", path.display());
        }
        assert!(since.elapsed().unwrap().as_secs() < 5);
        let large = dir.path().join("large");
        fs::write(&large, vec![b'x'; MAX_SECRET + 1]).unwrap();
        assert!(matches!(SecretSource::file(large).read(), Err(SecretError::TooLarge)));
        // Of /proc, whose files have no size.
        let version = SecretSource::file("/proc/version".into());
        assert!(shown(&version).contains("Linux"));
    }

    #[test]
    fn a_source_is_shown_without_its_secret() {
        let value = Secret::from("hunter2-hunter2".to_owned());
        let source = SecretSource::Env { name: "API_TOKEN".to_owned(), value };
        assert_eq!(source.to_string(), "env:API_TOKEN");
        assert!(!format!("{source:?}").contains("hunter2"));
        assert_eq!(SecretSource::file("/run/secrets/a".into()).to_string(), "file:/run/secrets/a");
    }
}
