//! One file of compiled code: a header that says what it is, a MAC, the code.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | magic and the version of this format |
//! | 32 | SHA-256 of the WebAssembly |
//! | 32 | SHA-256 of what the code depends on: wasmtime, its settings, the processor |
//! | 8 | length of the code, little endian |
//! | 32 | HMAC-SHA256 over all of the above and the code |
//! | | the code |

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;

use hmac::Mac;
use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;

use super::key::Key;
use crate::artifact::Digest;
use crate::wasm::engine::Engine;

/// The last byte is the version of the format.
const MAGIC: [u8; 8] = *b"TGATECW\x01";

/// Bytes before the MAC.
const SEALED: usize = 8 + 32 + 32 + 8;
/// Bytes before the code.
const HEADER: usize = SEALED + 32;

/// Bytes of a file that are read. An interpreter of 18 MB compiles to less than 100 MB.
const MAX_FILE: u64 = 512 * 1024 * 1024;

/// What a file must have been made from and for.
pub(super) struct Identity {
    wasm: [u8; 32],
    pub(super) engine: [u8; 32],
}

impl Identity {
    pub(super) fn new(engine: &Engine, digest: &Digest) -> Self {
        Self { wasm: *digest.as_bytes(), engine: *engine.compatibility() }
    }

    /// The file's name: another digest or engine is another file.
    pub(super) fn name(&self) -> String {
        let both = Sha256::new().chain_update(self.wasm).chain_update(self.engine);
        let hex = |byte: &u8| format!("{byte:02x}");
        both.finalize().iter().map(hex).collect()
    }

    fn header(&self, length: u64) -> [u8; SEALED] {
        let mut header = [0; SEALED];
        header[..8].copy_from_slice(&MAGIC);
        header[8..40].copy_from_slice(&self.wasm);
        header[40..72].copy_from_slice(&self.engine);
        header[72..].copy_from_slice(&length.to_le_bytes());
        header
    }
}

/// Why a file was not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("it is not there")]
    Absent,
    #[error("it can't be read: {0}")]
    Io(#[from] io::Error),
    #[error("it is truncated or too large")]
    Size,
    #[error("it is of another format, component or engine")]
    Other,
    #[error("it was changed, or made under another key")]
    Forged,
}

/// The bytes of a file whose MAC was verified.
pub(super) struct Entry(Vec<u8>);

impl Entry {
    /// Reads and verifies a file. What is verified is what is used: the file is not read again.
    pub(super) fn read(path: &Path, key: &Key, identity: &Identity) -> Result<Self, Unusable> {
        let mut file = open(path)?;
        let size = file.metadata()?.len();
        if size > MAX_FILE {
            return Err(Unusable::Size);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
        Read::by_ref(&mut file).take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        verify(&bytes, key, identity)?;
        // Marks it as used, for eviction; a read-only directory is no reason to compile again.
        file.set_modified(SystemTime::now()).ok();
        Ok(Self(bytes))
    }

    /// Makes the code runnable.
    pub(super) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: `deserialize` needs bytes that `Component::serialize` produced. Only `verify`
        // makes an `Entry`, and its MAC shows that these bytes are what `seal` was given by a
        // process that had the key, which only this user can read. They are in private memory, so
        // they can't have changed since. That they are for this very version and configuration of
        // wasmtime is in the header that the MAC covers, and wasmtime checks it once more.
        unsafe { Component::deserialize(engine.wasmtime(), &self.0[HEADER..]) }
    }
}

fn open(path: &Path) -> Result<File, Unusable> {
    let nofollow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let mut options = OpenOptions::new();
    match options.read(true).custom_flags(nofollow).open(path) {
        Ok(file) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Unusable::Absent),
        Err(error) => Err(Unusable::Io(error)),
    }
}

fn verify(bytes: &[u8], key: &Key, identity: &Identity) -> Result<(), Unusable> {
    let (header, code) = bytes.split_at_checked(HEADER).ok_or(Unusable::Size)?;
    let (sealed, mac) = header.split_at(SEALED);
    if sealed[..72] != identity.header(0)[..72] {
        return Err(Unusable::Other);
    }
    if sealed != identity.header(code.len() as u64) {
        return Err(Unusable::Size);
    }
    let expected = key.mac().chain_update(sealed).chain_update(code);
    expected.verify_slice(mac).map_err(|_| Unusable::Forged)
}

/// The bytes of a file that keeps `component`.
pub(super) fn seal(key: &Key, identity: &Identity, component: &Component) -> Result<Vec<u8>, String> {
    let code = component.serialize().map_err(|error| error.to_string())?;
    let header = identity.header(code.len() as u64);
    let mac = key.mac().chain_update(header).chain_update(&code);
    let mac = mac.finalize().into_bytes();
    Ok([header.as_slice(), mac.as_slice(), &code].concat())
}
