//! One file of compiled code: the code, and behind it a seal that says what it is.
//!
//! | bytes | content |
//! |---|---|
//! | | the code |
//! | 8 | magic and the version of this format |
//! | 32 | SHA-256 of the WebAssembly |
//! | 32 | SHA-256 of what the code depends on: wasmtime, its settings, the processor |
//! | 8 | length of the code, little endian |
//! | 32 | HMAC-SHA256 over all of the above |
//!
//! The code comes first, so that the file itself can be mapped.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;

use hmac::Mac;
use sha2::{Digest as _, Sha256};

use super::key::Key;
use crate::artifact::Digest;
use crate::wasm::code::{Code, MAX_CODE};
use crate::wasm::engine::Engine;

/// The last byte is the version of the format.
const MAGIC: [u8; 8] = *b"TGATECW\x02";

/// Bytes between code and MAC.
const SEALED: usize = 8 + 32 + 32 + 8;
/// Bytes behind the code.
const SEAL: usize = SEALED + 32;

/// Bytes read at a time.
const CHUNK: usize = 256 * 1024;

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

    fn sealed(&self, length: u64) -> [u8; SEALED] {
        let mut sealed = [0; SEALED];
        sealed[..8].copy_from_slice(&MAGIC);
        sealed[8..40].copy_from_slice(&self.wasm);
        sealed[40..72].copy_from_slice(&self.engine);
        sealed[72..].copy_from_slice(&length.to_le_bytes());
        sealed
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

/// Opens and verifies a file. What is verified is what is used: it is not opened again.
pub(super) fn open(path: &Path, key: &Key, identity: &Identity) -> Result<Code, Unusable> {
    let mut file = open_file(path)?;
    verify(&mut file, key, identity)?;
    // Marks it as used, for eviction; a read-only directory is no reason to compile again.
    file.set_modified(SystemTime::now()).ok();
    // SAFETY: the MAC shows that the file starts with what `seal` was given by a process that had
    // the key, which only this user can read. Files here appear whole, by rename, and are never
    // written again; who could write to one all the same is this user, in a directory that is
    // closed to others. That it is for this version and configuration of wasmtime is in what the
    // MAC covers, and wasmtime checks it once more.
    Ok(unsafe { Code::from_trusted(file) })
}

fn open_file(path: &Path) -> Result<File, Unusable> {
    let nofollow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let mut options = OpenOptions::new();
    match options.read(true).custom_flags(nofollow).open(path) {
        Ok(file) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Unusable::Absent),
        Err(error) => Err(Unusable::Io(error)),
    }
}

fn verify(file: &mut File, key: &Key, identity: &Identity) -> Result<(), Unusable> {
    let size = file.metadata()?.len();
    let length = size.checked_sub(SEAL as u64).filter(|length| *length <= MAX_CODE).ok_or(Unusable::Size)?;
    let mut seal = [0; SEAL];
    file.seek(SeekFrom::Start(length))?;
    file.read_exact(&mut seal)?;
    let (sealed, mac) = seal.split_at(SEALED);
    let expected = identity.sealed(length);
    if sealed[..72] != expected[..72] {
        return Err(Unusable::Other);
    }
    if sealed != expected {
        return Err(Unusable::Size);
    }
    let mut computed = key.mac();
    file.rewind()?;
    each_chunk(&mut file.take(length), |chunk| {
        computed.update(chunk);
        Ok(())
    })?;
    computed.chain_update(sealed).verify_slice(mac).map_err(|_| Unusable::Forged)
}

/// Writes `code` and its seal to `out`.
pub(super) fn seal(key: &Key, identity: &Identity, code: &mut File, out: &mut impl Write) -> io::Result<()> {
    let (mut mac, mut length) = (key.mac(), 0);
    code.rewind()?;
    each_chunk(code, |chunk| {
        length += chunk.len() as u64;
        mac.update(chunk);
        out.write_all(chunk)
    })?;
    let sealed = identity.sealed(length);
    out.write_all(&sealed)?;
    out.write_all(&mac.chain_update(sealed).finalize().into_bytes())
}

fn each_chunk(from: &mut impl Read, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => each(&buffer[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
