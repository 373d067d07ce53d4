//! What is asked before an operation is passed on, and what is remembered after: the grant of its
//! descriptor, and what it takes of disk and descriptors.

use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, Dir, File};
use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, Filesize};
use wasmtime_wasi::p2::{DynOutputStream, FsResult};

use super::folder::Moving;
use super::open::{self, Request};
use super::quota::{BLOCK, Tail};
use super::stream::{Metered, Place, Purse};
use super::{ALLOW_BLOCKING, MAX_PATH, Need, Opened, View, join, line, modes};
use crate::policy::Mode;
use crate::wasm::descriptors::Descriptor as Held;

/// A descriptor as guests name it.
pub(super) type Fd = Resource<Descriptor>;

impl View<'_> {
    pub(super) fn push_directory(
        &mut self,
        dir: &Dir,
        grant: Option<usize>,
        path: &str,
    ) -> wasmtime::Result<Fd> {
        let fd = self.inner.table.push(Descriptor::Dir(dir.clone()))?;
        let path = path.to_owned();
        let opened = Opened { grant, path, tail: Tail::default(), descriptor: None };
        self.call.open.insert(fd.rep(), opened);
        Ok(fd)
    }

    /// Where a descriptor came from. One that was not recorded is not ours to use.
    pub(super) fn opened(&self, fd: &Fd) -> FsResult<&Opened> {
        let opened = self.call.open.get(&fd.rep());
        opened.ok_or_else(|| ErrorCode::BadDescriptor.into())
    }

    /// Checks an operation on the open file itself.
    pub(super) fn check(&self, what: &str, fd: &Fd, need: Need) -> FsResult<()> {
        self.check_at(what, fd, "", need).map(drop)
    }

    /// Checks an operation on `path` from the directory `fd`, and returns the path from the
    /// guest's root.
    pub(super) fn check_at(&self, what: &str, fd: &Fd, path: &str, need: Need) -> FsResult<String> {
        if path.len() > MAX_PATH {
            return Err(ErrorCode::NameTooLong.into());
        }
        let opened = self.opened(fd)?;
        let full = join(&opened.path, path);
        if full.len() > MAX_PATH {
            return Err(ErrorCode::NameTooLong.into());
        }
        let Some(grant) = opened.grant else {
            self.refuse_outside(what, &full, need);
            return Err(ErrorCode::Access.into());
        };
        let preopen = &self.call.files.0.preopens[grant];
        if need == Need::Write && preopen.mode != Mode::ReadWrite {
            let allow = line("…", &preopen.guest, Mode::ReadWrite);
            self.refuse(what, &full, "the grant is read-only", Some(allow));
            return Err(ErrorCode::NotPermitted.into());
        }
        Ok(full)
    }

    /// Tells what the layer below refused. It has one code for a path that leads out of the grant
    /// and for what the system itself does not permit.
    pub(super) fn told<T>(&self, what: &str, full: &str, done: FsResult<T>) -> FsResult<T> {
        done.inspect_err(|error| {
            if let Some(ErrorCode::NotPermitted) = error.downcast_ref() {
                self.refuse(what, full, "it leads out of the grant, or the system does not permit it", None);
            }
        })
    }

    /// What a write to a checked descriptor takes from.
    pub(super) fn purse(&mut self, fd: &Fd) -> FsResult<Purse> {
        let grant = self.opened(fd)?.grant.ok_or(ErrorCode::BadDescriptor)?;
        let share = self.call.share(grant).ok_or(ErrorCode::NotPermitted)?;
        Ok(Purse { quota: self.call.quota.clone(), share, denials: self.denials.clone() })
    }

    /// Takes what a write below a checked descriptor needs.
    pub(super) async fn take(&mut self, fd: &Fd, amount: u64) -> FsResult<()> {
        Ok(self.purse(fd)?.take(amount).await.map_err(std::io::Error::from)?)
    }

    /// Takes a new name, also where it turns out to be there already: to look first would cost more
    /// than it saves.
    pub(super) async fn take_name(&mut self, fd: &Fd) -> FsResult<()> {
        self.take(fd, BLOCK).await
    }

    /// Takes a descriptor, which the guest holds or which the system needs for a moment.
    pub(super) fn take_descriptor(&self, what: &str, path: &str) -> FsResult<Held> {
        let descriptors = &self.call.files.0.descriptors;
        descriptors.take().ok_or_else(|| {
            self.refuse(what, path, &descriptors.spent(), None);
            ErrorCode::InsufficientMemory.into()
        })
    }

    /// Puts a stream that takes what it writes in the place of one that does not.
    pub(super) fn meter(
        &mut self,
        fd: &Fd,
        stream: Resource<DynOutputStream>,
        offset: Option<Filesize>,
    ) -> FsResult<Resource<DynOutputStream>> {
        let purse = self.purse(fd)?;
        let opened = self.opened(fd)?;
        let place = offset.map_or(Place::End, |offset| Place::At(offset, opened.tail.clone()));
        let descriptor = opened.descriptor.clone();
        let inner = self.inner.table.delete(stream)?;
        let metered = Metered::new(inner, purse, place, descriptor);
        Ok(self.inner.table.push(Box::new(metered) as DynOutputStream)?)
    }

    /// Checks that a name stays in its grant, and marks that it moves: another folder has other limits
    /// and other readers.
    pub(super) fn moves(&mut self, what: &str, full: &str, from: &Fd, to: &Fd) -> FsResult<Moving> {
        let share = self.purse(from)?.share;
        if self.opened(from)?.grant != self.opened(to)?.grant {
            self.refuse(what, full, "the two names are in different grants", None);
            return Err(ErrorCode::CrossDevice.into());
        }
        Ok(share.moving())
    }

    pub(super) fn directory(&self, fd: &Fd) -> FsResult<Arc<std::fs::File>> {
        match self.inner.table.get(fd)? {
            Descriptor::Dir(dir) => Ok(dir.dir.clone()),
            Descriptor::File(_) => Err(ErrorCode::NotDirectory.into()),
        }
    }

    /// Records what was opened by way of `parent`, with the mode of its grant.
    pub(super) fn push_opened(
        &mut self,
        parent: &Fd,
        path: String,
        request: Request,
        opened: open::Opened,
        held: Held,
    ) -> FsResult<Fd> {
        let grant = self.opened(parent)?.grant;
        let share = grant.and_then(|grant| self.call.share(grant));
        let mode = grant.map_or(Mode::ReadOnly, |grant| self.call.files.0.preopens[grant].mode);
        let (perms, _) = modes(mode);
        let descriptor = match opened {
            open::Opened::Directory(file) => {
                Descriptor::Dir(Dir::new(file, perms, request.mode(), ALLOW_BLOCKING))
            }
            open::Opened::File(file) => {
                let file = File::new(file, perms, request.mode(), ALLOW_BLOCKING);
                if let Some(share) = share {
                    share.opened(&file.file);
                }
                Descriptor::File(file)
            }
            open::Opened::Special => {
                let reason = "it is neither a regular file nor a directory";
                self.refuse("open", &path, reason, None);
                return Err(ErrorCode::NotPermitted.into());
            }
        };
        let fd = self.inner.table.push(descriptor)?;
        let descriptor = Some(Arc::new(held));
        self.call.open.insert(fd.rep(), Opened { grant, path, tail: Tail::default(), descriptor });
        Ok(fd)
    }
}
