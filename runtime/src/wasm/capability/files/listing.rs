//! What listings of directories take: wasmtime-wasi reads each whole, and keeps it until it is dropped.

use std::fs::File;
use std::io;

use super::Call;

/// Bytes of host memory that all open listings of a call may take together. Against a guest that
/// opens a large directory again and again.
pub(super) const MAX_LISTED: usize = 8 * 1024 * 1024;

/// Bytes that an entry of a listing takes besides its name.
pub(super) const ENTRY: usize = 64;

impl Call {
    /// Bytes that further listings may take.
    pub(super) fn left_to_list(&self) -> usize {
        MAX_LISTED.saturating_sub(self.listed.values().sum())
    }
}

/// Bytes that a listing of the directory takes; `None` beyond `most`. Blocks.
pub(super) fn measure(dir: &File, most: usize) -> io::Result<Option<usize>> {
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
