//! Writing a file.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use crate::fault;

/// What happens to a file that exists, and to one that does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It must not exist.
    Create,
    /// It is replaced or created.
    Overwrite,
    /// It is extended or created.
    Append,
}

/// Writes `content` and gives the size of the file afterward.
///
/// # Errors
/// If the file can't be written as the mode says; nothing is lost then.
pub fn write(path: &str, content: &[u8], mode: Mode, create_folders: bool) -> Result<u64, String> {
    if create_folders && let Some(folder) = Path::new(path).parent() {
        fs::create_dir_all(folder)
            .map_err(|error| fault::describe("create folder", &folder.display().to_string(), &error))?;
    }
    store(path, content, mode).map_err(|error| fault::describe("write", path, &error))
}

fn store(path: &str, content: &[u8], mode: Mode) -> std::io::Result<u64> {
    let mut file = open(path, mode)?;
    file.write_all(content)?;
    if mode == Mode::Overwrite {
        // Cut after writing, not before: a full disk then leaves the old end instead of nothing.
        file.set_len(content.len() as u64)?;
    }
    Ok(file.metadata()?.len())
}

fn open(path: &str, mode: Mode) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    match mode {
        Mode::Create => options.write(true).create_new(true),
        Mode::Overwrite => options.write(true).create(true).truncate(false),
        Mode::Append => options.append(true).create(true),
    };
    options.open(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    #[test]
    fn each_mode_keeps_its_word() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("note");
        let path = file.to_str().unwrap();
        assert_eq!(write(path, b"first", Mode::Create, false), Ok(5));
        assert!(write(path, b"x", Mode::Create, false).unwrap_err().contains("exists already"));
        assert_eq!(fs::read(&file).unwrap(), b"first");
        assert_eq!(write(path, b"+", Mode::Append, false), Ok(6));
        assert_eq!(write(path, b"new", Mode::Overwrite, false), Ok(3));
        assert_eq!(fs::read(&file).unwrap(), b"new");
    }

    #[test]
    fn append_and_overwrite_create_what_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        assert_eq!(write(&path("a"), b"1", Mode::Append, false), Ok(1));
        assert_eq!(write(&path("b"), b"1", Mode::Overwrite, false), Ok(1));
    }

    #[test]
    fn folders_are_created_only_when_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("new/deep/note");
        let path = file.to_str().unwrap();
        assert!(write(path, b"x", Mode::Create, false).unwrap_err().contains("no such file or folder"));
        assert_eq!(write(path, b"x", Mode::Create, true), Ok(1));
    }

    #[test]
    fn a_folder_is_not_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let error = write(dir.path().to_str().unwrap(), b"x", Mode::Overwrite, false).unwrap_err();
        assert!(error.contains("it is a folder"), "{error}");
    }
}
