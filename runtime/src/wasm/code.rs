//! Native code in a file, ready to be mapped into an engine.
//!
//! Code is mapped and not copied: gateways that share a state directory share its pages, a large
//! component loads in the time of a few system calls, and its initial heap is mapped copy-on-write
//! into every instance. Where the file's system allows no execution, the code is copied, and the
//! operator is told.
//!
//! Loading native code is trusting it, so a [`Code`] is only made by who knows where it comes from.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use rustix::fs::MemfdFlags;
use wasmtime::component::Component;

/// Bytes of code that are loaded. An interpreter of 18 MB compiles to less than 100 MB.
pub(super) const MAX_CODE: u64 = 512 * 1024 * 1024;

/// A file of native code. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Code(Arc<File>);

impl Code {
    /// Code that `file` starts with.
    ///
    /// # Safety
    /// The file starts with what wasmtime's compiler made of a component, and nobody changes it
    /// any more, neither its bytes nor its length.
    pub(super) unsafe fn from_trusted(file: File) -> Self {
        Self(Arc::new(file))
    }

    /// The code, loaded into `engine`; and if it could not be mapped, why it was copied.
    ///
    /// # Errors
    /// If it is for another version or configuration of wasmtime.
    pub(super) fn load(
        &self,
        engine: &wasmtime::Engine,
    ) -> wasmtime::Result<(Component, Option<wasmtime::Error>)> {
        // The name of the descriptor, and so the very file that was looked at.
        let path = format!("/proc/self/fd/{}", self.0.as_fd().as_raw_fd());
        // SAFETY: `from_trusted` promises what is asked for here.
        let mapping = match unsafe { Component::deserialize_file(engine, path) } {
            Ok(component) => return Ok((component, None)),
            Err(mapping) => mapping,
        };
        let Ok(bytes) = self.read() else { return Err(mapping) };
        // SAFETY: the same bytes, with the same promise.
        let component = unsafe { Component::deserialize(engine, bytes) }?;
        Ok((component, Some(mapping)))
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut file = &*self.0;
        file.rewind()?;
        let mut bytes = Vec::new();
        file.take(MAX_CODE).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// A file in memory, without a name, for code that is kept nowhere else.
///
/// # Errors
/// If the process has no descriptor left.
pub(super) fn unnamed() -> io::Result<File> {
    let file = rustix::fs::memfd_create("toolgate-code", MemfdFlags::CLOEXEC)?;
    Ok(File::from(file))
}
