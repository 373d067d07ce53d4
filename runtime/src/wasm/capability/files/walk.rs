//! How much a folder holds: every name below it, as `du` counts.
//!
//! What is counted is what the disk gave away, not how long files say they are, so a hole costs
//! nothing. Each name counts as one block at least: empty files, links and folders take room of the
//! file system too. Other links to a file that was counted are only names.

use std::collections::HashSet;
use std::ffi::CStr;
use std::fs::File;
use std::io;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, statat};
use rustix::io::Errno;

use super::quota::BLOCK;

/// Folders inside one another that are entered, each by a descriptor. Against a guest that nests
/// them without end.
const MAX_DEPTH: usize = 64;

/// The unit of `st_blocks`, whatever the file system's own is.
const SECTOR: u64 = 512;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// So many bytes.
    Bytes(u64),
    /// More than was to be counted.
    More,
    /// Folders are nested too deep to be counted.
    TooDeep,
}

/// Counts what `dir` holds, up to `most` bytes. Names that vanish meanwhile count nothing. Blocks.
///
/// # Errors
/// What the system says, but for folders that may not be entered.
pub(super) fn holds(dir: &File, most: u64) -> io::Result<Holds> {
    let mut walk = Walk { bytes: 0, linked: HashSet::new() };
    let mut levels = vec![Dir::new(enter(dir, c".")?)?];
    while let Some(level) = levels.last_mut() {
        let Some(entry) = level.read() else {
            levels.pop();
            continue;
        };
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let below = walk.count(level, name)?;
        if walk.bytes > most {
            return Ok(Holds::More);
        }
        if let Some(below) = below {
            if levels.len() == MAX_DEPTH {
                return Ok(Holds::TooDeep);
            }
            levels.push(below);
        }
    }
    Ok(Holds::Bytes(walk.bytes))
}

/// What an open file takes that no name leads to any more; else nothing, as a walk finds it. Blocks.
pub(super) fn nameless(file: &File) -> u64 {
    match rustix::fs::fstat(file) {
        Ok(stat) if stat.st_nlink == 0 => taken(&stat),
        _ => 0,
    }
}

struct Walk {
    bytes: u64,
    /// Files with further names, which are counted once.
    linked: HashSet<(u64, u64)>,
}

impl Walk {
    /// Counts one name; if it is a folder, it is opened.
    fn count(&mut self, level: &Dir, name: &CStr) -> io::Result<Option<Dir>> {
        let stat = match statat(level.fd()?, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(None),
            stat => stat?,
        };
        let folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let again = !folder && stat.st_nlink > 1 && !self.linked.insert((stat.st_dev, stat.st_ino));
        let bytes = if again { BLOCK } else { taken(&stat) };
        self.bytes = self.bytes.saturating_add(bytes);
        if !folder {
            return Ok(None);
        }
        match enter(level.fd()?, name) {
            Ok(below) => Ok(Some(Dir::new(below)?)),
            // Gone, exchanged for something else, or closed to this process, which then writes no
            // file there either.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn enter(dir: impl AsFd, name: &CStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    openat(dir, name, flags, Mode::empty())
}

fn taken(stat: &Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(SECTOR).max(BLOCK)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;
    use std::path::Path;

    use super::*;

    fn holds_at(dir: &Path, most: u64) -> Holds {
        holds(&File::open(dir).unwrap(), most).unwrap()
    }

    #[test]
    fn what_the_disk_gave_away_counts_and_each_name_as_a_block_at_least() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(holds_at(dir.path(), u64::MAX), Holds::Bytes(0));
        fs::write(dir.path().join("empty"), "").unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        std::os::unix::fs::symlink("../elsewhere", dir.path().join("sub/link")).unwrap();
        let Holds::Bytes(names) = holds_at(dir.path(), u64::MAX) else { unreachable!() };
        assert!(names >= 3 * BLOCK, "{names}");
        fs::write(dir.path().join("sub/full"), vec![1; 1 << 20]).unwrap();
        let hole = File::create(dir.path().join("sub/hole")).unwrap();
        hole.set_len(1 << 40).unwrap();
        let Holds::Bytes(all) = holds_at(dir.path(), u64::MAX) else { unreachable!() };
        let grown = all - names;
        assert!((1 << 20..(1 << 20) + 32 * BLOCK).contains(&grown), "{grown}");
        assert_eq!(holds_at(dir.path(), 1 << 20), Holds::More);
    }

    #[test]
    fn a_file_with_many_names_counts_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("one"), vec![1; 1 << 20]).unwrap();
        for n in 0..10 {
            fs::hard_link(dir.path().join("one"), dir.path().join(format!("{n}"))).unwrap();
        }
        let Holds::Bytes(all) = holds_at(dir.path(), u64::MAX) else { unreachable!() };
        assert!(all < (1 << 20) + 32 * BLOCK, "{all}");
    }

    #[test]
    fn a_link_to_a_folder_is_not_entered() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("large"), vec![1; 1 << 20]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).unwrap();
        assert_eq!(holds_at(dir.path(), u64::MAX), Holds::Bytes(BLOCK));
    }

    #[test]
    fn folders_without_end_are_not_counted() {
        let dir = tempfile::tempdir().unwrap();
        let deep = vec!["d"; MAX_DEPTH - 1].join("/");
        fs::create_dir_all(dir.path().join(&deep)).unwrap();
        assert!(matches!(holds_at(dir.path(), u64::MAX), Holds::Bytes(_)));
        fs::create_dir_all(dir.path().join(deep + "/d")).unwrap();
        assert_eq!(holds_at(dir.path(), u64::MAX), Holds::TooDeep);
    }

    #[test]
    fn an_open_file_without_a_name_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, vec![1; 1 << 20]).unwrap();
        let file = File::open(&path).unwrap();
        assert_eq!(nameless(&file), 0);
        fs::remove_file(&path).unwrap();
        assert!(nameless(&file) >= 1 << 20);
    }
}
