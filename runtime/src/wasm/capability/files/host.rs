//! `wasi:filesystem` as guests see it: every operation is checked against the grant that its
//! descriptor came from, and then passed on to wasmtime-wasi.
//!
//! The order of the operations is that of the interface. An operation that is passed on without a
//! check only reads the descriptor itself, which was checked when it was opened.

use std::path::{Component, Path};
use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, Dir, File};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode, Filesize, Host,
    HostDescriptor, HostDirectoryEntryStream, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult, ReaddirIterator};
use wasmtime_wasi::runtime::spawn_blocking;

use super::open::{self, Request};
use super::quota::Metered;
use super::{ALLOW_BLOCKING, ENTRY, MAX_PATH, Need, Opened, View, join, line, modes};
use crate::policy::Mode;

type Fd = Resource<Descriptor>;

impl preopens::Host for View<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Fd, String)>> {
        let files = self.call.files.clone();
        let mut directories = Vec::with_capacity(files.0.preopens.len() + 1);
        for (index, preopen) in files.0.preopens.iter().enumerate() {
            let fd = self.push_directory(&preopen.dir, Some(index), &preopen.guest)?;
            directories.push((fd, preopen.guest.clone()));
        }
        if let Some(outside) = &files.0.outside {
            let fd = self.push_directory(outside, None, "/")?;
            directories.push((fd, "/".to_owned()));
        }
        Ok(directories)
    }
}

impl View<'_> {
    fn push_directory(&mut self, dir: &Dir, grant: Option<usize>, path: &str) -> wasmtime::Result<Fd> {
        let fd = self.inner.table.push(Descriptor::Dir(dir.clone()))?;
        let path = path.to_owned();
        self.call.open.insert(fd.rep(), Opened { grant, path });
        Ok(fd)
    }

    /// Where a descriptor came from. One that was not recorded is not ours to use.
    fn opened(&self, fd: &Fd) -> FsResult<&Opened> {
        let opened = self.call.open.get(&fd.rep());
        opened.ok_or_else(|| ErrorCode::BadDescriptor.into())
    }

    /// Checks an operation on the open file itself.
    fn check(&self, what: &str, fd: &Fd, need: Need) -> FsResult<()> {
        self.check_at(what, fd, "", need).map(drop)
    }

    /// Checks an operation on `path` from the directory `fd`, and returns the path from the
    /// guest's root.
    fn check_at(&self, what: &str, fd: &Fd, path: &str, need: Need) -> FsResult<String> {
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
    fn told<T>(&self, what: &str, full: &str, done: FsResult<T>) -> FsResult<T> {
        done.inspect_err(|error| {
            if let Some(ErrorCode::NotPermitted) = error.downcast_ref() {
                self.refuse(what, full, "it leads out of the grant, or the system does not permit it", None);
            }
        })
    }

    /// Takes a new name from the quota, also where it turns out to be there already: to look first
    /// would cost more than it saves.
    fn take_name(&self) -> FsResult<()> {
        Ok(self.call.quota.take_name(self.denials).map_err(std::io::Error::from)?)
    }

    /// Puts a stream that takes from the quota in the place of one that does not.
    fn meter(&mut self, stream: Resource<DynOutputStream>) -> FsResult<Resource<DynOutputStream>> {
        let inner = self.inner.table.delete(stream)?;
        let metered = Metered::new(inner, self.call.quota.clone(), self.denials.clone());
        Ok(self.inner.table.push(Box::new(metered) as DynOutputStream)?)
    }

    fn directory(&self, fd: &Fd) -> FsResult<Arc<std::fs::File>> {
        match self.inner.table.get(fd)? {
            Descriptor::Dir(dir) => Ok(dir.dir.clone()),
            Descriptor::File(_) => Err(ErrorCode::NotDirectory.into()),
        }
    }

    /// Records what was opened by way of `parent`, with the mode of its grant.
    fn push_opened(
        &mut self,
        parent: &Fd,
        path: String,
        request: Request,
        opened: open::Opened,
    ) -> FsResult<Fd> {
        let grant = self.opened(parent)?.grant;
        let mode = grant.map_or(Mode::ReadOnly, |grant| self.call.files.0.preopens[grant].mode);
        let (perms, _) = modes(mode);
        let descriptor = match opened {
            open::Opened::Directory(file) => {
                Descriptor::Dir(Dir::new(file, perms, request.mode(), ALLOW_BLOCKING))
            }
            open::Opened::File(file) => {
                Descriptor::File(File::new(file, perms, request.mode(), ALLOW_BLOCKING))
            }
            open::Opened::Special => {
                let reason = "it is neither a regular file nor a directory";
                self.refuse("open", &path, reason, None);
                return Err(ErrorCode::NotPermitted.into());
            }
        };
        let fd = self.inner.table.push(descriptor)?;
        self.call.open.insert(fd.rep(), Opened { grant, path });
        Ok(fd)
    }
}

impl Host for View<'_> {
    fn convert_error_code(&mut self, err: FsError) -> wasmtime::Result<ErrorCode> {
        self.inner.convert_error_code(err)
    }

    fn filesystem_error_code(
        &mut self,
        err: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.inner.filesystem_error_code(err)
    }
}

impl HostDescriptor for View<'_> {
    fn read_via_stream(&mut self, fd: Fd, offset: Filesize) -> FsResult<Resource<DynInputStream>> {
        self.check("read", &fd, Need::Read)?;
        self.inner.read_via_stream(fd, offset)
    }

    fn write_via_stream(&mut self, fd: Fd, offset: Filesize) -> FsResult<Resource<DynOutputStream>> {
        self.check("write", &fd, Need::Write)?;
        let stream = self.inner.write_via_stream(fd, offset)?;
        self.meter(stream)
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        self.check("write", &fd, Need::Write)?;
        let stream = self.inner.append_via_stream(fd)?;
        self.meter(stream)
    }

    async fn advise(&mut self, fd: Fd, offset: Filesize, length: Filesize, advice: Advice) -> FsResult<()> {
        self.inner.advise(fd, offset, length, advice).await
    }

    async fn sync_data(&mut self, fd: Fd) -> FsResult<()> {
        self.inner.sync_data(fd).await
    }

    async fn get_flags(&mut self, fd: Fd) -> FsResult<DescriptorFlags> {
        self.inner.get_flags(fd).await
    }

    async fn get_type(&mut self, fd: Fd) -> FsResult<DescriptorType> {
        self.inner.get_type(fd).await
    }

    async fn set_size(&mut self, fd: Fd, size: Filesize) -> FsResult<()> {
        self.check("resize", &fd, Need::Write)?;
        self.inner.set_size(fd, size).await
    }

    async fn set_times(&mut self, fd: Fd, atime: NewTimestamp, mtime: NewTimestamp) -> FsResult<()> {
        self.check("set the times of", &fd, Need::Write)?;
        self.inner.set_times(fd, atime, mtime).await
    }

    async fn read(&mut self, fd: Fd, length: Filesize, offset: Filesize) -> FsResult<(Vec<u8>, bool)> {
        self.check("read", &fd, Need::Read)?;
        self.inner.read(fd, length, offset).await
    }

    async fn write(&mut self, fd: Fd, buffer: Vec<u8>, offset: Filesize) -> FsResult<Filesize> {
        self.check("write", &fd, Need::Write)?;
        self.call.quota.take(buffer.len(), self.denials).map_err(std::io::Error::from)?;
        self.inner.write(fd, buffer, offset).await
    }

    async fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<ReaddirIterator>> {
        self.check("list", &fd, Need::Read)?;
        let dir = self.directory(&fd)?;
        let left = self.call.left_to_list();
        let bytes = spawn_blocking(move || measure(&dir, left)).await?;
        let bytes = bytes.ok_or(ErrorCode::InsufficientMemory)?;
        let stream = self.inner.read_directory(fd).await?;
        self.call.listed.insert(stream.rep(), bytes);
        Ok(stream)
    }

    async fn sync(&mut self, fd: Fd) -> FsResult<()> {
        self.inner.sync(fd).await
    }

    async fn create_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let full = self.check_at("create", &fd, &path, Need::Write)?;
        self.take_name()?;
        let done = self.inner.create_directory_at(fd, path).await;
        self.told("create", &full, done)
    }

    async fn stat(&mut self, fd: Fd) -> FsResult<DescriptorStat> {
        self.inner.stat(fd).await
    }

    async fn stat_at(&mut self, fd: Fd, path_flags: PathFlags, path: String) -> FsResult<DescriptorStat> {
        let full = self.check_at("look at", &fd, &path, Need::Read)?;
        let done = self.inner.stat_at(fd, path_flags, path).await;
        self.told("look at", &full, done)
    }

    async fn set_times_at(
        &mut self,
        fd: Fd,
        path_flags: PathFlags,
        path: String,
        atime: NewTimestamp,
        mtime: NewTimestamp,
    ) -> FsResult<()> {
        let full = self.check_at("set the times of", &fd, &path, Need::Write)?;
        let inner = &mut self.inner;
        let done = inner.set_times_at(fd, path_flags, path, atime, mtime).await;
        self.told("set the times of", &full, done)
    }

    async fn link_at(
        &mut self,
        fd: Fd,
        old_path_flags: PathFlags,
        old_path: String,
        new_fd: Fd,
        new_path: String,
    ) -> FsResult<()> {
        // The new name is a way to write to the old file, so both must be writable.
        let from = self.check_at("link", &fd, &old_path, Need::Write)?;
        let to = self.check_at("link", &new_fd, &new_path, Need::Write)?;
        self.take_name()?;
        let inner = &mut self.inner;
        let done = inner.link_at(fd, old_path_flags, old_path, new_fd, new_path).await;
        self.told("link", &format!("{from} as {to}"), done)
    }

    async fn open_at(
        &mut self,
        fd: Fd,
        path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Fd> {
        let follow = path_flags.contains(PathFlags::SYMLINK_FOLLOW);
        let request = Request::new(follow, open_flags, flags)?;
        let (need, what) = match (request.writes(), request.is_directory()) {
            (true, _) => (Need::Write, "write"),
            (false, true) => (Need::Read, "list"),
            (false, false) => (Need::Read, "open"),
        };
        let full = self.check_at(what, &fd, &path, need)?;
        let dir = self.directory(&fd)?;
        if request.creates() {
            self.take_name()?;
        }
        let opened = spawn_blocking(move || request.open(&dir, &path)).await;
        let opened = opened.inspect_err(|error| {
            if open::leaves(error) {
                self.refuse(what, &full, "the path leads out of the grant", None);
            }
        })?;
        self.push_opened(&fd, full, request, opened)
    }

    async fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        let full = self.check_at("look at", &fd, &path, Need::Read)?;
        let done = self.inner.readlink_at(fd, path).await;
        self.told("look at", &full, done)
    }

    async fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let full = self.check_at("remove", &fd, &path, Need::Write)?;
        let done = self.inner.remove_directory_at(fd, path).await;
        self.told("remove", &full, done)
    }

    async fn rename_at(&mut self, fd: Fd, old_path: String, new_fd: Fd, new_path: String) -> FsResult<()> {
        let from = self.check_at("rename", &fd, &old_path, Need::Write)?;
        let to = self.check_at("rename", &new_fd, &new_path, Need::Write)?;
        let inner = &mut self.inner;
        let done = inner.rename_at(fd, old_path, new_fd, new_path).await;
        self.told("rename", &format!("{from} to {to}"), done)
    }

    async fn symlink_at(&mut self, fd: Fd, target: String, path: String) -> FsResult<()> {
        let full = self.check_at("link", &fd, &path, Need::Write)?;
        if may_leave(&target) {
            let reason = "the target of the link is absolute or has `..`, so it could leave";
            self.refuse("link", &full, reason, None);
            return Err(ErrorCode::NotPermitted.into());
        }
        self.take_name()?;
        let done = self.inner.symlink_at(fd, target, path).await;
        self.told("link", &full, done)
    }

    async fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let full = self.check_at("remove", &fd, &path, Need::Write)?;
        let done = self.inner.unlink_file_at(fd, path).await;
        self.told("remove", &full, done)
    }

    async fn is_same_object(&mut self, one: Fd, other: Fd) -> wasmtime::Result<bool> {
        self.inner.is_same_object(one, other).await
    }

    async fn metadata_hash(&mut self, fd: Fd) -> FsResult<MetadataHashValue> {
        self.inner.metadata_hash(fd).await
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Fd,
        path_flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        let full = self.check_at("look at", &fd, &path, Need::Read)?;
        let done = self.inner.metadata_hash_at(fd, path_flags, path).await;
        self.told("look at", &full, done)
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        self.call.open.remove(&fd.rep());
        HostDescriptor::drop(&mut self.inner, fd)
    }
}

impl HostDirectoryEntryStream for View<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<ReaddirIterator>,
    ) -> FsResult<Option<DirectoryEntry>> {
        self.inner.read_directory_entry(stream).await
    }

    fn drop(&mut self, stream: Resource<ReaddirIterator>) -> wasmtime::Result<()> {
        self.call.listed.remove(&stream.rep());
        HostDirectoryEntryStream::drop(&mut self.inner, stream)
    }
}

/// Whether a link to `target` could lead out of the grant, now or after it was moved. Nothing here
/// would follow it there, but programs of the host might.
fn may_leave(target: &str) -> bool {
    Path::new(target).components().any(|c| !matches!(c, Component::Normal(_) | Component::CurDir))
}

/// Bytes that a listing of the directory takes; `None` beyond `most`. Blocks.
fn measure(dir: &std::fs::File, most: usize) -> std::io::Result<Option<usize>> {
    let dir = cap_std::fs::Dir::from_std_file(dir.try_clone()?);
    let mut bytes = 0;
    for entry in dir.entries()? {
        bytes += ENTRY + entry?.file_name().len();
        if bytes > most {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}
