//! The state directory: artifacts, compiled code and the key that authenticates it.
//!
//! It is made for this user alone. Several gateways may share one: what lies there is written
//! whole, by rename, under names that say what it is. One that can't be written costs time at each
//! start and nothing else, so it is told and not refused.

use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

/// For this user alone: compiled code is loaded, and loading it is trusting it.
const MODE: u32 = 0o700;

/// Bits by which others could put files there.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Makes the directory where it is missing. What is wrong with it comes back as a note.
pub fn prepare(dir: &Path) -> Option<String> {
    let cause = match make(dir).and_then(|()| fs::metadata(dir)) {
        Ok(metadata) => fault(&metadata)?,
        Err(error) => error.to_string(),
    };
    Some(format!("the state directory {}: {cause}", dir.display()))
}

fn make(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(MODE).create(dir) {
        // Another gateway was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        result => result,
    }
}

fn fault(metadata: &Metadata) -> Option<String> {
    if metadata.mode() & WRITABLE_BY_OTHERS != 0 {
        let mode = metadata.mode() & 0o777;
        return Some(format!("others may write to it (mode {mode:o}); run chmod 700 on it"));
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_made_for_this_user_alone() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("a/b");
        assert_eq!(prepare(&dir), None);
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
        assert_eq!(prepare(&dir), None);
    }

    #[test]
    fn one_that_others_may_write_to_is_told() {
        let temp = tempfile::tempdir().unwrap();
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let note = prepare(temp.path()).unwrap();
        assert!(note.ends_with("others may write to it (mode 777); run chmod 700 on it"), "{note}");
    }

    #[test]
    fn one_that_cannot_be_made_is_told() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "").unwrap();
        for dir in [file.clone(), file.join("below")] {
            assert!(prepare(&dir).is_some_and(|note| note.starts_with("the state directory ")));
        }
    }
}
