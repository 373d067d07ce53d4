//! Attempts on the file system, through libc's view of it and around that.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::time::SystemTime;

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

use crate::{Component, Seen, exported::files::Guest};

/// Read in one host call; more than any test's file.
const RAW_READ: u64 = 64 * 1024;

/// Written at a time when a file is filled.
const CHUNK: usize = 64 * 1024;

impl Guest for Component {
    fn granted_folders() -> Seen {
        Ok(get_directories().into_iter().map(|(_, name)| name).collect::<Vec<_>>().join("\n"))
    }

    fn read_file(path: String) -> Seen {
        fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(shown)
    }

    fn write_file(path: String, text: String) -> Seen {
        done("written", fs::write(path, text))
    }

    fn append_file(path: String, text: String) -> Seen {
        let file = OpenOptions::new().append(true).create(true).open(path);
        done("appended", file.and_then(|mut file| file.write_all(text.as_bytes())))
    }

    fn fill_file(path: String, bytes: u64) -> Seen {
        done("filled", fill(&path, bytes))
    }

    fn scatter_bytes(path: String, count: u64) -> Seen {
        done("scattered", scatter(&path, count))
    }

    fn list_folder(path: String) -> Seen {
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(shown)? {
            names.push(entry.map_err(shown)?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names.join("\n"))
    }

    fn stat(path: String) -> Seen {
        let metadata = fs::symlink_metadata(path).map_err(shown)?;
        let kind = match () {
            () if metadata.is_symlink() => "link",
            () if metadata.is_dir() => "folder",
            () if metadata.is_file() => "file",
            () => "other",
        };
        Ok(format!("{kind} {}", metadata.len()))
    }

    fn create_folder(path: String) -> Seen {
        done("created", fs::create_dir(path))
    }

    fn remove_file(path: String) -> Seen {
        done("removed", fs::remove_file(path))
    }

    fn remove_folder(path: String) -> Seen {
        done("removed", fs::remove_dir(path))
    }

    fn rename(source: String, target: String) -> Seen {
        done("renamed", fs::rename(source, target))
    }

    fn hard_link(source: String, target: String) -> Seen {
        done("linked", fs::hard_link(source, target))
    }

    fn symbolic_link(target: String, link: String) -> Seen {
        let (folder, relative) = folder_of(&link)?;
        done_raw("linked", folder.symlink_at(&target, &relative))
    }

    fn read_link(path: String) -> Seen {
        fs::read_link(path).map(|target| target.display().to_string()).map_err(shown)
    }

    fn truncate(path: String) -> Seen {
        done("truncated", OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(0)))
    }

    fn set_times(path: String) -> Seen {
        let times = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH);
        done("set", File::open(path).and_then(|file| file.set_times(times)))
    }

    fn read_raw(folder: u32, path: String, follow_links: bool) -> Seen {
        let flags = if follow_links { PathFlags::SYMLINK_FOLLOW } else { PathFlags::empty() };
        let opened = granted(folder)?.open_at(flags, &path, OpenFlags::empty(), DescriptorFlags::READ);
        let (bytes, _) = opened.and_then(|file| file.read(RAW_READ, 0)).map_err(named)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn write_raw(folder: u32, path: String, text: String) -> Seen {
        let opened = granted(folder)?.open_at(
            PathFlags::SYMLINK_FOLLOW,
            &path,
            OpenFlags::CREATE,
            DescriptorFlags::WRITE,
        );
        done_raw("written", opened.and_then(|file| file.write(text.as_bytes(), 0)))
    }

    fn rename_raw(source_folder: u32, source: String, target_folder: u32, target: String) -> Seen {
        let (from, to) = (granted(source_folder)?, granted(target_folder)?);
        done_raw("renamed", from.rename_at(&source, &to, &target))
    }

    fn link_raw(source_folder: u32, source: String, target_folder: u32, target: String) -> Seen {
        let (from, to) = (granted(source_folder)?, granted(target_folder)?);
        done_raw("linked", from.link_at(PathFlags::empty(), &source, &to, &target))
    }

    fn exchange(one: String, other: String, turns: u32) -> Seen {
        let aside = format!("{one}.aside");
        for _ in 0..turns {
            fs::rename(&one, &aside).map_err(shown)?;
            fs::rename(&other, &one).map_err(shown)?;
            fs::rename(&aside, &other).map_err(shown)?;
        }
        Ok(format!("exchanged {turns} times"))
    }

    fn read_often(path: String, turns: u32) -> Seen {
        Ok(ever(turns, || fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())))
    }

    fn write_often(path: String, text: String, turns: u32) -> Seen {
        Ok(ever(turns, || fs::write(&path, &text).map(|()| "written".to_owned())))
    }

    fn write_and_leave(path: String, bytes: u32) -> Seen {
        let (folder, relative) = folder_of(&path)?;
        let flags = (OpenFlags::CREATE, DescriptorFlags::WRITE);
        let file = folder.open_at(PathFlags::empty(), &relative, flags.0, flags.1).map_err(named)?;
        let stream = file.write_via_stream(0).map_err(named)?;
        let ready = stream.check_write().map_err(|error| error.to_string())?;
        let part = usize::try_from(ready).unwrap_or(CHUNK).min(bytes as usize);
        stream.write(&vec![0; part]).map_err(|error| error.to_string())?;
        // Neither the stream nor the file is ever dropped.
        std::mem::forget((stream, file, folder));
        Ok("left while writing".to_owned())
    }

    fn read_and_leave(path: String, count: u32) -> Seen {
        let (folder, relative) = folder_of(&path)?;
        for _ in 0..count {
            let flags = (OpenFlags::empty(), DescriptorFlags::READ);
            let file = folder.open_at(PathFlags::empty(), &relative, flags.0, flags.1).map_err(named)?;
            let stream = file.read_via_stream(0).map_err(named)?;
            // Starts the first read, which is there later.
            stream.read(RAW_READ).map_err(|error| error.to_string())?;
            std::mem::forget((stream, file));
        }
        std::mem::forget(folder);
        Ok(format!("left {count} files while reading"))
    }
}

/// Tries again and again; every answer that was ever seen, and whether it ever failed.
fn ever(turns: u32, attempt: impl Fn() -> io::Result<String>) -> String {
    let mut seen = BTreeSet::new();
    for _ in 0..turns {
        seen.insert(attempt().unwrap_or_else(|_| "(refused)".to_owned()));
    }
    seen.into_iter().collect::<Vec<_>>().join("\n")
}

fn fill(path: &str, bytes: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    let mut left = bytes;
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        file.write_all(&[0; CHUNK][..part])?;
        left -= part as u64;
    }
    Ok(())
}

fn scatter(path: &str, count: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    for n in 0..count {
        file.seek(SeekFrom::Start(n << 20))?;
        file.write_all(&[1])?;
    }
    Ok(())
}

/// The granted folder with this index.
fn granted(index: u32) -> Result<Descriptor, String> {
    let mut folders = get_directories();
    if index as usize >= folders.len() {
        return Err(format!("there are {} granted folders", folders.len()));
    }
    Ok(folders.swap_remove(index as usize).0)
}

/// The granted folder that a path starts with, and the rest of the path. Raw, since libc refuses
/// absolute link targets before the host sees them.
fn folder_of(path: &str) -> Result<(Descriptor, String), String> {
    get_directories()
        .into_iter()
        .find_map(|(folder, name)| {
            let rest = path.strip_prefix(name.trim_end_matches('/'))?.strip_prefix('/')?;
            Some((folder, rest.to_owned()))
        })
        .ok_or_else(|| format!("no granted folder holds {path}"))
}

fn done<T>(what: &str, result: io::Result<T>) -> Seen {
    result.map(|_| what.to_owned()).map_err(shown)
}

fn done_raw<T>(what: &str, result: Result<T, ErrorCode>) -> Seen {
    result.map(|_| what.to_owned()).map_err(named)
}

fn shown(error: io::Error) -> String {
    error.to_string()
}

fn named(error: ErrorCode) -> String {
    error.name().to_owned()
}
