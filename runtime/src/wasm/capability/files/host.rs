//! `wasi:filesystem` as guests see it: every operation is checked against the grant that its
//! descriptor came from, and then passed on to wasmtime-wasi.
//!
//! The order of the operations is that of the interface. An operation that is passed on without a
//! check only reads the descriptor itself, which was checked when it was opened.

use std::path::{Component, Path};

use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode, Filesize, Host,
    HostDescriptor, HostDirectoryEntryStream, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult, ReaddirIterator};
use wasmtime_wasi::runtime::spawn_blocking;

use super::checks::Fd;
use super::listing::measure;
use super::open::{self, Request};
use super::quota::BLOCK;
use super::stream::Counted;
use super::{Need, View};

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
        let descriptor = self.opened(&fd)?.descriptor.clone();
        let stream = self.inner.read_via_stream(fd, offset)?;
        let inner = self.inner.table.delete(stream)?;
        Ok(self.inner.table.push(Box::new(Counted::new(inner, descriptor)) as DynInputStream)?)
    }

    fn write_via_stream(&mut self, fd: Fd, offset: Filesize) -> FsResult<Resource<DynOutputStream>> {
        self.check("write", &fd, Need::Write)?;
        let stream = self.inner.write_via_stream(Fd::new_borrow(fd.rep()), offset)?;
        self.meter(&fd, stream, Some(offset))
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        self.check("write", &fd, Need::Write)?;
        let stream = self.inner.append_via_stream(Fd::new_borrow(fd.rep()))?;
        self.meter(&fd, stream, None)
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
        // A hole is free, but whoever appends behind it begins a block.
        if size > 0 {
            self.take(&fd, BLOCK).await?;
        }
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
        let amount = self.opened(&fd)?.tail.advance(offset, buffer.len());
        self.take(&fd, amount).await?;
        self.inner.write(fd, buffer, offset).await
    }

    async fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<ReaddirIterator>> {
        self.check("list", &fd, Need::Read)?;
        let dir = self.directory(&fd)?;
        let _held = self.take_descriptor("list", &self.opened(&fd)?.path)?;
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
        let _held = self.take_descriptor("create", &full)?;
        self.take_name(&fd).await?;
        let done = self.inner.create_directory_at(fd, path).await;
        self.told("create", &full, done)
    }

    async fn stat(&mut self, fd: Fd) -> FsResult<DescriptorStat> {
        self.inner.stat(fd).await
    }

    async fn stat_at(&mut self, fd: Fd, path_flags: PathFlags, path: String) -> FsResult<DescriptorStat> {
        let full = self.check_at("look at", &fd, &path, Need::Read)?;
        let _held = self.take_descriptor("look at", &full)?;
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
        let _held = self.take_descriptor("set the times of", &full)?;
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
        let full = format!("{from} as {to}");
        let _moving = self.moves("link", &full, &fd, &new_fd)?;
        let _held = [self.take_descriptor("link", &full)?, self.take_descriptor("link", &full)?];
        self.take_name(&new_fd).await?;
        let inner = &mut self.inner;
        let done = inner.link_at(fd, old_path_flags, old_path, new_fd, new_path).await;
        self.told("link", &full, done)
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
        // The second is the folder's own, while it is opened from.
        let (held, _also) = (self.take_descriptor(what, &full)?, self.take_descriptor(what, &full)?);
        if request.creates() {
            self.take_name(&fd).await?;
        }
        let opened = spawn_blocking(move || request.open(&dir, &path)).await;
        let opened = opened.inspect_err(|error| {
            if open::leaves(error) {
                self.refuse(what, &full, "the path leads out of the grant", None);
            }
        })?;
        self.push_opened(&fd, full, request, opened, held)
    }

    async fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        let full = self.check_at("look at", &fd, &path, Need::Read)?;
        let _held = self.take_descriptor("look at", &full)?;
        let done = self.inner.readlink_at(fd, path).await;
        self.told("look at", &full, done)
    }

    async fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let full = self.check_at("remove", &fd, &path, Need::Write)?;
        let _held = self.take_descriptor("remove", &full)?;
        let done = self.inner.remove_directory_at(fd, path).await;
        self.told("remove", &full, done)
    }

    async fn rename_at(&mut self, fd: Fd, old_path: String, new_fd: Fd, new_path: String) -> FsResult<()> {
        let from = self.check_at("rename", &fd, &old_path, Need::Write)?;
        let to = self.check_at("rename", &new_fd, &new_path, Need::Write)?;
        let full = format!("{from} to {to}");
        let _moving = self.moves("rename", &full, &fd, &new_fd)?;
        let _held = [self.take_descriptor("rename", &full)?, self.take_descriptor("rename", &full)?];
        let inner = &mut self.inner;
        let done = inner.rename_at(fd, old_path, new_fd, new_path).await;
        self.told("rename", &full, done)
    }

    async fn symlink_at(&mut self, fd: Fd, target: String, path: String) -> FsResult<()> {
        let full = self.check_at("link", &fd, &path, Need::Write)?;
        if may_leave(&target) {
            let reason = "the target of the link is absolute or has `..`, so it could leave";
            self.refuse("link", &full, reason, None);
            return Err(ErrorCode::NotPermitted.into());
        }
        let _held = self.take_descriptor("link", &full)?;
        self.take_name(&fd).await?;
        let done = self.inner.symlink_at(fd, target, path).await;
        self.told("link", &full, done)
    }

    async fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let full = self.check_at("remove", &fd, &path, Need::Write)?;
        let _held = self.take_descriptor("remove", &full)?;
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
        let _held = self.take_descriptor("look at", &full)?;
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
