//! The key that authenticates compiled code: 32 random bytes in a file that only this user can
//! read. Whoever can read it can make this process run any code, so a key that others could have
//! read or written is not used.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use hmac::{Hmac, KeyInit};
use sha2::Sha256;

/// Bytes of the key: those of the hash, as RFC 2104 advises.
const LENGTH: usize = 32;

const NAME: &str = "key";

/// Tries to read a key that another process may be making at the same time.
const ATTEMPTS: usize = 4;

pub(super) struct Key([u8; LENGTH]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// Reads the key in `dir`, or makes it.
    pub(super) fn open(dir: &Path) -> Result<Self, String> {
        let path = dir.join(NAME);
        for _ in 0..ATTEMPTS {
            match read(&path) {
                Ok(Some(key)) => return Ok(key),
                Ok(None) => make(dir, &path).map_err(|e| format!("no key can be made: {e}"))?,
                Err(cause) => return Err(format!("its key `{}` {cause}", path.display())),
            }
        }
        Err("its key changes all the time".to_owned())
    }

    /// A MAC that is to be fed.
    pub(super) fn mac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&self.0).expect("HMAC takes keys of any length")
    }
}

/// The key in `path`; `None` if there is none.
fn read(path: &Path) -> Result<Option<Key>, String> {
    let nofollow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(nofollow).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("can't be opened: {error}")),
    };
    check(&file)?;
    let mut key = Vec::with_capacity(LENGTH + 1);
    let read = file.take(LENGTH as u64 + 1).read_to_end(&mut key);
    read.map_err(|error| format!("can't be read: {error}"))?;
    let key = key.try_into();
    key.map(|key| Some(Key(key)))
        .map_err(|_| format!("does not have {LENGTH} bytes; remove it to have a new one made"))
}

fn check(file: &File) -> Result<(), String> {
    let meta = file.metadata().map_err(|error| error.to_string())?;
    if !meta.is_file() {
        return Err("is not a file".to_owned());
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err("belongs to another user".to_owned());
    }
    if meta.mode() & 0o077 != 0 {
        return Err("could be read by other users; remove it, as it may be known already".to_owned());
    }
    Ok(())
}

/// Makes a key, unless another process was faster: a link, unlike a rename, never replaces.
fn make(dir: &Path, path: &Path) -> io::Result<()> {
    let mut key = [0; LENGTH];
    getrandom::fill(&mut key)?;
    let mut file = super::temporary(dir)?;
    file.write_all(&key)?;
    file.as_file().sync_all()?;
    match std::fs::hard_link(file.path(), path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => File::open(dir)?.sync_all(),
    }
}
