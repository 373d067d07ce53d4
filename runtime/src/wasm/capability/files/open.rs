//! Opening a file beneath a granted directory.
//!
//! Only regular files and directories may be opened. Opening a pipe can block for ever and opening
//! a device can have effects, so what stands at a path is looked at before it is opened; and as it
//! may be exchanged in between, it is opened without blocking and looked at again.

use std::io;
use std::sync::Arc;

use cap_std::fs::{Dir, Metadata, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;
use wasmtime_wasi::OpenMode;
use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorFlags, ErrorCode, OpenFlags};

/// What a guest asked for.
#[derive(Clone, Copy)]
pub(super) struct Request {
    follow: bool,
    open: OpenFlags,
    flags: DescriptorFlags,
}

/// What was opened.
pub(super) enum Opened {
    Directory(std::fs::File),
    File(std::fs::File),
    /// Something else, which was closed again.
    Special,
}

impl Request {
    /// # Errors
    /// Combinations that make no sense or are not supported.
    pub(super) fn new(follow: bool, open: OpenFlags, flags: DescriptorFlags) -> Result<Self, ErrorCode> {
        let creating = OpenFlags::CREATE | OpenFlags::EXCLUSIVE | OpenFlags::TRUNCATE;
        if open.contains(OpenFlags::DIRECTORY) && open.intersects(creating) {
            return Err(ErrorCode::Invalid);
        }
        let syncing = DescriptorFlags::FILE_INTEGRITY_SYNC
            | DescriptorFlags::DATA_INTEGRITY_SYNC
            | DescriptorFlags::REQUESTED_WRITE_SYNC;
        if flags.intersects(syncing) {
            return Err(ErrorCode::Unsupported);
        }
        Ok(Self { follow, open, flags })
    }

    /// Whether a directory is asked for.
    pub(super) fn is_directory(self) -> bool {
        self.open.contains(OpenFlags::DIRECTORY)
    }

    /// Whether the file, or the directory that it is in, could be changed.
    pub(super) fn writes(self) -> bool {
        let changing = OpenFlags::CREATE | OpenFlags::EXCLUSIVE | OpenFlags::TRUNCATE;
        self.flags.contains(DescriptorFlags::WRITE) || self.open.intersects(changing)
    }

    /// How the descriptor may be used.
    pub(super) fn mode(self) -> OpenMode {
        let mut mode = OpenMode::empty();
        mode.set(OpenMode::READ, self.reads());
        mode.set(OpenMode::WRITE, self.writes());
        mode
    }

    /// A descriptor that can't be written can be read, as no handle can be neither.
    fn reads(self) -> bool {
        self.flags.contains(DescriptorFlags::READ) || !self.flags.contains(DescriptorFlags::WRITE)
    }

    /// Opens `path` beneath `dir`. Blocks.
    pub(super) fn open(self, dir: &Arc<std::fs::File>, path: &str) -> io::Result<Opened> {
        let dir = Dir::from_std_file(dir.try_clone()?);
        match self.look(&dir, path) {
            Ok(meta) if meta.is_symlink() => return Err(rustix::io::Errno::LOOP.into()),
            Ok(meta) if special(&meta) => return Ok(Opened::Special),
            Ok(_) => {}
            // Creating says itself whether it can.
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.creates() => {}
            Err(e) => return Err(e),
        }
        let file = dir.open_with(path, &self.options())?;
        let meta = file.metadata()?;
        if special(&meta) {
            return Ok(Opened::Special);
        }
        if meta.is_dir() {
            return Ok(Opened::Directory(file.into_std()));
        }
        if self.is_directory() {
            return Err(rustix::io::Errno::NOTDIR.into());
        }
        Ok(Opened::File(file.into_std()))
    }

    fn look(self, dir: &Dir, path: &str) -> io::Result<Metadata> {
        if self.follow { dir.metadata(path) } else { dir.symlink_metadata(path) }
    }

    /// Whether a file is made where there is none.
    pub(super) fn creates(self) -> bool {
        self.open.contains(OpenFlags::CREATE)
    }

    pub(super) fn options(self) -> OpenOptions {
        let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        flags.set(OFlags::NOFOLLOW, !self.follow);
        let exclusive = self.open.contains(OpenFlags::EXCLUSIVE);
        let mut options = OpenOptions::new();
        options
            .read(self.reads())
            .write(self.writes())
            .create(self.creates() && !exclusive)
            .create_new(self.creates() && exclusive)
            .truncate(self.open.contains(OpenFlags::TRUNCATE))
            .custom_flags(flags.bits().cast_signed());
        options
    }
}

fn special(meta: &Metadata) -> bool {
    !meta.is_file() && !meta.is_dir()
}

/// Whether opening failed because the path leads out of the directory: cap-std's own error, where
/// a file that this process may not open has one of the system.
pub(super) fn leaves(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}
