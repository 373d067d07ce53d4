//! Listing a folder, some levels deep.

use std::fs::{self, FileType};
use std::path::Path;

use crate::fault;

/// Entries listed at most. Against folders with millions of files.
pub const MAX_ENTRIES: usize = 1000;

/// Levels listed at most.
pub const MAX_DEPTH: u8 = 8;

/// What a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A folder; sorted first.
    Folder,
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// Anything else.
    Other,
}

impl From<FileType> for Kind {
    fn from(kind: FileType) -> Self {
        match kind {
            kind if kind.is_symlink() => Self::Link,
            kind if kind.is_dir() => Self::Folder,
            kind if kind.is_file() => Self::File,
            _ => Self::Other,
        }
    }
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The full path.
    pub path: String,
    /// What it is; links are not followed.
    pub kind: Kind,
    /// Bytes, for files.
    pub size: Option<u64>,
}

/// The content of a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Folders before files, each in alphabetical order; a folder's own content follows it.
    pub entries: Vec<Entry>,
    /// Whether [`MAX_ENTRIES`] cut it short.
    pub truncated: bool,
}

/// Lists a folder `depth` levels deep.
///
/// # Errors
/// If the folder can't be listed; folders inside it that can't be are left empty.
pub fn list(path: &str, depth: u8) -> Result<Listing, String> {
    let mut listing = Listing::default();
    let top =
        children(path, &mut listing.truncated).map_err(|error| fault::describe("list", path, &error))?;
    let mut pending: Vec<(Entry, u8)> = with_depth(top, depth.clamp(1, MAX_DEPTH));
    while let Some((entry, left)) = pending.pop() {
        if listing.entries.len() == MAX_ENTRIES {
            listing.truncated = true;
            break;
        }
        if entry.kind == Kind::Folder && left > 1 {
            let inside = children(&entry.path, &mut listing.truncated).unwrap_or_default();
            pending.extend(with_depth(inside, left - 1));
        }
        listing.entries.push(entry);
    }
    Ok(listing)
}

/// The entries of one folder, sorted; `truncated` is set if there were more than are ever listed.
///
/// # Errors
/// If the folder can't be opened.
pub fn children(path: &str, truncated: &mut bool) -> std::io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for found in fs::read_dir(path)?.flatten() {
        if entries.len() == MAX_ENTRIES {
            *truncated = true;
            break;
        }
        let Ok(kind) = found.file_type().map(Kind::from) else { continue };
        // Not metadata(), which on WASI opens nothing but still costs a host call for each entry.
        let size = if kind == Kind::File { found.metadata().ok().map(|data| data.len()) } else { None };
        let path = Path::new(path).join(found.file_name()).to_string_lossy().into_owned();
        entries.push(Entry { path, kind, size });
    }
    entries.sort_unstable_by(|a, b| (a.kind, &a.path).cmp(&(b.kind, &b.path)));
    Ok(entries)
}

/// As a stack: the first entry on top.
fn with_depth(entries: Vec<Entry>, depth: u8) -> Vec<(Entry, u8)> {
    entries.into_iter().rev().map(|entry| (entry, depth)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    fn names(listing: &Listing) -> Vec<&str> {
        listing.entries.iter().map(|entry| entry.path.rsplit('/').next().unwrap()).collect()
    }

    #[test]
    fn folders_come_first_and_their_content_follows_them() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("z/inner")).unwrap();
        fs::write(dir.path().join("a.txt"), "12345").unwrap();
        fs::write(dir.path().join("z/b.txt"), "").unwrap();
        let path = dir.path().to_str().unwrap();
        assert_eq!(names(&list(path, 1).unwrap()), ["z", "a.txt"]);
        let deep = list(path, 2).unwrap();
        assert_eq!(names(&deep), ["z", "inner", "b.txt", "a.txt"]);
        assert_eq!(deep.entries[3].size, Some(5));
        assert!(!deep.truncated);
    }

    #[test]
    fn links_are_named_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
        let listing = list(dir.path().to_str().unwrap(), MAX_DEPTH).unwrap();
        assert_eq!(listing.entries.len(), 1);
        assert_eq!(listing.entries[0].kind, Kind::Link);
    }

    #[test]
    fn a_huge_folder_is_cut_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..=MAX_ENTRIES {
            fs::write(dir.path().join(n.to_string()), "").unwrap();
        }
        let listing = list(dir.path().to_str().unwrap(), 1).unwrap();
        assert_eq!(listing.entries.len(), MAX_ENTRIES);
        assert!(listing.truncated);
    }

    #[test]
    fn a_file_is_no_folder() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        fs::write(&file, "").unwrap();
        assert!(list(file.to_str().unwrap(), 1).unwrap_err().contains("it is not a folder"));
    }
}
