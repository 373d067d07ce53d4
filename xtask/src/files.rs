//! Files and folders that steps make, and the failure of what the system refuses.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::process::{Failure, Result};

/// A folder below another, empty.
pub(crate) fn fresh_folder(parent: &Path, name: &str) -> Result<PathBuf> {
    let folder = parent.join(name);
    let made = match fs::remove_dir_all(&folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => fs::create_dir_all(&folder),
    };
    made.map(|()| folder.clone()).map_err(|e| refused(&folder, &e))
}

/// Writes a small file.
pub(crate) fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).map_err(|e| refused(file, &e))
}

/// What the system would not do with a path.
pub(crate) fn refused(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
