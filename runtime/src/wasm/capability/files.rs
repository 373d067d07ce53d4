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

mod host;
mod open;
mod quota;

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use wasmtime::component::{HasData, Linker};
use wasmtime_wasi::filesystem::{Dir, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::{FsPerms, OpenMode};

use self::quota::Quota;
use super::Denials;
use crate::events::Denial;
use crate::policy::{FilesGrant, Mode};
use crate::wasm::load::LoadError;
use crate::wasm::state::State;

/// Bytes of a path. The kernel's own limit, asked before a path is copied or told.
const MAX_PATH: usize = 4096;

/// Characters of a path that are repeated in a denial. Against a guest that fills the log.
const MAX_TOLD: usize = 256;

/// Bytes of host memory that all open listings of a call may take together. Against a guest that
/// opens a large directory again and again, as wasmtime-wasi reads each listing whole.
const MAX_LISTED: usize = 8 * 1024 * 1024;

/// Bytes that an entry of a listing takes besides its name.
const ENTRY: usize = 64;

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
}

struct Preopen {
    dir: Dir,
    guest: String,
    mode: Mode,
}

impl Files {
    /// Opens what is granted.
    ///
    /// # Errors
    /// A host path that is not a directory or can't be opened.
    pub(in crate::wasm) fn prepare(grants: &[FilesGrant]) -> Result<Self, LoadError> {
        let preopens: Vec<_> = grants.iter().map(Preopen::open).collect::<Result<_, _>>()?;
        let rooted = preopens.iter().any(|preopen| preopen.guest == "/");
        let outside = if rooted { None } else { deleted_directory() };
        Ok(Self(Arc::new(Prepared { preopens, outside })))
    }

    /// The state of one call, which may write so many bytes.
    pub(in crate::wasm) fn start(&self, disk: u64) -> Call {
        Call { files: self.clone(), open: HashMap::new(), listed: HashMap::new(), quota: Quota::new(disk) }
    }
}

impl Preopen {
    fn open(grant: &FilesGrant) -> Result<Self, LoadError> {
        let opened = cap_std::fs::Dir::open_ambient_dir(grant.host(), ambient_authority());
        let opened = opened.map_err(|cause| LoadError::Files {
            line: line(&grant.host().to_string_lossy(), grant.guest(), grant.mode()),
            cause,
        })?;
        let file = opened.into_std_file();
        let (perms, open_mode) = modes(grant.mode());
        Ok(Self {
            dir: Dir::new(file, perms, open_mode, ALLOW_BLOCKING),
            guest: grant.guest().to_owned(),
            mode: grant.mode(),
        })
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
}

impl Call {
    /// Bytes that further listings may take.
    fn left_to_list(&self) -> usize {
        MAX_LISTED.saturating_sub(self.listed.values().sum())
    }
}

/// Where an open descriptor came from.
#[derive(Clone)]
struct Opened {
    /// Index of the grant; `None` outside all grants.
    grant: Option<usize>,
    /// The path as the guest sees it, as it was opened.
    path: String,
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
    let quoted = |path: &str| told(path).replace('\\', "\\\\").replace('"', "\\\"");
    let (host, guest, mode) = (quoted(host), quoted(guest), mode.as_str());
    format!("files = [{{ host = \"{host}\", guest = \"{guest}\", mode = \"{mode}\" }}]")
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
