//! `files`: the directories that the policy grants, each with its mode.
//!
//! The host directories are opened once, when the server is prepared; every call uses those
//! handles, and a guest's paths are resolved beneath them by the kernel. wasmtime-wasi checks the
//! mode of its descriptors; as such a check was once missing, there is a second wall here that
//! does not share its state: each open descriptor is recorded with the grant that it came from,
//! and every operation is checked against that grant before it is passed on.
//!
//! To make denials visible, a guest that was not granted `/` sees a root that holds nothing: a
//! directory that was deleted, in which nothing can ever be. Whatever is tried there is refused
//! and told with the line that would grant it.

mod checks;
mod folder;
mod host;
mod listing;
mod open;
mod quota;
mod stream;
mod walk;

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use wasmtime::component::{HasData, Linker};
use wasmtime_wasi::filesystem::{Dir, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::{FsPerms, OpenMode};

pub(in crate::wasm) use self::folder::Folders;
use self::folder::{Limit, Share};
use self::quota::{Quota, Tail};
use super::Denials;
use crate::events::Denial;
use crate::policy::{FilesGrant, Mode};
use crate::wasm::descriptors::{Descriptor, Descriptors};
use crate::wasm::load::LoadError;
use crate::wasm::state::State;

/// Bytes of a path. The kernel's own limit, asked before a path is copied or told.
const MAX_PATH: usize = 4096;

/// Characters of a path that are repeated in a denial. Against a guest that fills the log.
const MAX_TOLD: usize = 256;

/// Whether an operation may block the thread it is called on: never. A worker thread must not wait
/// for a network file system, and a call's deadline only works where it awaits.
const ALLOW_BLOCKING: bool = false;

/// The opened directories of one server. Cheap to clone.
#[derive(Clone)]
pub(in crate::wasm) struct Files(Arc<Prepared>);

struct Prepared {
    preopens: Vec<Preopen>,
    /// The root of a guest that was not granted one.
    outside: Option<Dir>,
    descriptors: Descriptors,
}

struct Preopen {
    dir: Dir,
    guest: String,
    mode: Mode,
    /// Of a writable one.
    limit: Option<Limit>,
}

impl Files {
    /// Opens what is granted, and measures what may be written to. Blocks.
    ///
    /// # Errors
    /// A host path that is not a directory, or can't be opened or measured.
    pub(in crate::wasm) fn prepare(
        grants: &[FilesGrant],
        folders: &Folders,
        descriptors: Descriptors,
    ) -> Result<Self, LoadError> {
        let open = |grant| {
            Preopen::open(grant, folders).map_err(|cause| LoadError::Files {
                line: line(&grant.host().to_string_lossy(), grant.guest(), grant.mode()),
                cause,
            })
        };
        let preopens: Vec<_> = grants.iter().map(open).collect::<Result<_, _>>()?;
        let rooted = preopens.iter().any(|preopen| preopen.guest == "/");
        let outside = if rooted { None } else { deleted_directory() };
        Ok(Self(Arc::new(Prepared { preopens, outside, descriptors })))
    }

    /// What an operator should know of the folders as they are.
    pub(in crate::wasm) fn notes(&self) -> Vec<String> {
        let note = |preopen: &Preopen| preopen.limit.as_ref()?.note(&preopen.guest);
        self.0.preopens.iter().filter_map(note).collect()
    }

    /// The state of one call, which may write so many bytes.
    pub(in crate::wasm) fn start(&self, disk: u64) -> Call {
        Call {
            files: self.clone(),
            open: HashMap::new(),
            listed: HashMap::new(),
            quota: Quota::new(disk),
            shares: HashMap::new(),
        }
    }
}

impl Preopen {
    fn open(grant: &FilesGrant, folders: &Folders) -> std::io::Result<Self> {
        let opened = cap_std::fs::Dir::open_ambient_dir(grant.host(), ambient_authority())?;
        let (perms, open_mode) = modes(grant.mode());
        let dir = Dir::new(opened.into_std_file(), perms, open_mode, ALLOW_BLOCKING);
        let limit = folders.limit(grant, &dir.dir)?;
        Ok(Self { dir, guest: grant.guest().to_owned(), mode: grant.mode(), limit })
    }
}

fn modes(mode: Mode) -> (FsPerms, OpenMode) {
    match mode {
        Mode::ReadOnly => (FsPerms::ReadOnly, OpenMode::READ),
        Mode::ReadWrite => (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE),
    }
}

/// A handle to a directory that no longer exists. `None` where no directory can be made: then
/// paths outside the grants fail without being told.
fn deleted_directory() -> Option<Dir> {
    let places = [std::env::temp_dir(), PathBuf::from("/dev/shm")];
    let file = places.iter().find_map(|place| {
        let dir = tempfile::tempdir_in(place).ok()?;
        let opened = cap_std::fs::Dir::open_ambient_dir(dir.path(), ambient_authority()).ok()?;
        dir.close().ok()?;
        Some(opened.into_std_file())
    })?;
    let (perms, open_mode) = modes(Mode::ReadOnly);
    Some(Dir::new(file, perms, open_mode, ALLOW_BLOCKING))
}

/// The open descriptors of one call.
pub(in crate::wasm) struct Call {
    files: Files,
    /// By the index of the descriptor in the resource table.
    open: HashMap<u32, Opened>,
    /// Bytes of each open listing, by the index of its stream in the resource table.
    listed: HashMap<u32, usize>,
    quota: Quota,
    /// Of what writable folders may hold, by the index of the grant.
    shares: HashMap<usize, Arc<Share>>,
}

impl Call {
    /// The share of this call in a writable grant.
    fn share(&mut self, grant: usize) -> Option<Arc<Share>> {
        if let Some(share) = self.shares.get(&grant) {
            return Some(Arc::clone(share));
        }
        let share = self.files.0.preopens.get(grant)?.limit.as_ref()?.enter();
        self.shares.insert(grant, Arc::clone(&share));
        Some(share)
    }
}

/// Where an open descriptor came from.
#[derive(Clone)]
struct Opened {
    /// Index of the grant; `None` outside all grants.
    grant: Option<usize>,
    /// The path as the guest sees it, as it was opened.
    path: String,
    /// Of a file.
    tail: Tail,
    /// Of what was opened by the call; a preopen is the server's.
    descriptor: Option<Arc<Descriptor>>,
}

/// What an operation does to the file that it is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Read,
    Write,
}

/// Links `wasi:filesystem`.
pub(in crate::wasm) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    types::add_to_linker::<_, HasFiles>(linker, view)?;
    preopens::add_to_linker::<_, HasFiles>(linker, view)
}

struct HasFiles;

impl HasData for HasFiles {
    type Data<'a> = View<'a>;
}

/// What an operation works on: wasmtime-wasi's part and ours.
struct View<'a> {
    inner: WasiFilesystemCtxView<'a>,
    call: &'a mut Call,
    denials: &'a Denials,
}

fn view(state: &mut State) -> View<'_> {
    View {
        inner: WasiFilesystemCtxView { ctx: state.wasi.filesystem(), table: &mut state.table },
        call: &mut state.files,
        denials: &state.denials,
    }
}

impl View<'_> {
    fn refuse_outside(&self, what: &str, path: &str, need: Need) {
        let directory = match Path::new(path).parent() {
            Some(parent) if what != "list" => parent.to_string_lossy().into_owned(),
            _ => path.to_owned(),
        };
        let mode = match need {
            Need::Read => Mode::ReadOnly,
            Need::Write => Mode::ReadWrite,
        };
        let allow = line("…", &directory, mode);
        self.refuse(what, path, "no grant covers it", Some(allow));
    }

    fn refuse(&self, what: &str, path: &str, reason: &str, allow: Option<String>) {
        self.denials.tell(&Denial {
            capability: "files",
            attempt: format!("{what} {}", told(path)),
            reason: reason.to_owned(),
            allow,
        });
    }
}

/// The line of the config for a grant.
fn line(host: &str, guest: &str, mode: Mode) -> String {
    line_with(host, guest, mode, "")
}

/// The same for one whose folder may hold so many bytes.
fn line_of(guest: &str, max: u64) -> String {
    line_with("…", guest, Mode::ReadWrite, &format!(", max = \"{max}B\""))
}

fn line_with(host: &str, guest: &str, mode: Mode, more: &str) -> String {
    let quoted = |path: &str| told(path).replace('\\', "\\\\").replace('"', "\\\"");
    let (host, guest, mode) = (quoted(host), quoted(guest), mode.as_str());
    format!("files = [{{ host = \"{host}\", guest = \"{guest}\", mode = \"{mode}\"{more} }}]")
}

/// A path as it may stand in a message: one line of bounded length.
fn told(path: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    path.chars().take(MAX_TOLD).map(shown).collect()
}

/// Where `path` leads from `base`, by the letter: symbolic links are not followed. For messages
/// only; what is opened is decided by the kernel.
fn join(base: &str, path: &str) -> String {
    let mut joined = PathBuf::from(base);
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => joined.push(name),
            Component::ParentDir => {
                joined.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    joined.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
