//! Reading a part of a file, as text or base64.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::fault;

/// Bytes read if the caller names no length: some thousand lines, which a model can still digest.
pub const DEFAULT_LENGTH: u32 = 64 * 1024;

/// Bytes read at most. Against a file that is larger than the guest's memory.
pub const MAX_LENGTH: u32 = 1024 * 1024;

/// How content is written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Text,
    /// Standard base64 with padding.
    Base64,
}

/// A part of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// In the encoding asked for.
    pub content: String,
    /// The first byte after it, unless that is the end.
    pub next: Option<u64>,
    /// Bytes of the whole file.
    pub size: u64,
}

/// Reads up to `length` bytes from `offset`.
///
/// # Errors
/// If the file can't be read, the offset is beyond its end, or text was asked for and it is none.
pub fn read(path: &str, encoding: Encoding, offset: u64, length: u32) -> Result<Part, String> {
    let (bytes, size) = window(path, offset, length)?;
    let at_end = offset + bytes.len() as u64 >= size;
    let (content, used) = match encoding {
        Encoding::Base64 => (STANDARD.encode(&bytes), bytes.len()),
        Encoding::Text => {
            let used = text_length(&bytes, at_end).ok_or_else(|| binary(path))?;
            let text = std::str::from_utf8(&bytes[..used]).map_err(|_| binary(path))?;
            (text.to_owned(), used)
        }
    };
    let next = offset + used as u64;
    Ok(Part { content, next: (next < size).then_some(next), size })
}

/// The bytes of `content` as it was given.
///
/// # Errors
/// If it is not the base64 that it was said to be.
pub fn decode(content: String, encoding: Encoding) -> Result<Vec<u8>, String> {
    match encoding {
        Encoding::Text => Ok(content.into_bytes()),
        Encoding::Base64 => {
            STANDARD.decode(content.trim()).map_err(|error| format!("the content is not base64: {error}"))
        }
    }
}

fn window(path: &str, offset: u64, length: u32) -> Result<(Vec<u8>, u64), String> {
    let failed = |error| fault::describe("read", path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(format!("can't read {path}: it is not a file"));
    }
    let size = metadata.len();
    if offset > size {
        return Err(format!("can't read {path} from byte {offset}: it has {size} bytes"));
    }
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(u64::from(length.clamp(1, MAX_LENGTH))).read_to_end(&mut bytes).map_err(failed)?;
    Ok((bytes, size))
}

/// How many bytes are whole characters; `None` if it is no text. Only the last character may be
/// incomplete, and not at the end of the file.
fn text_length(bytes: &[u8], at_end: bool) -> Option<usize> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text.len()),
        Err(error) if error.error_len().is_none() && !at_end && error.valid_up_to() > 0 => {
            Some(error.valid_up_to())
        }
        Err(_) => None,
    }
}

fn binary(path: &str) -> String {
    format!("can't read {path} as text: it is not UTF-8 there; use encoding base64")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    fn file(content: &[u8]) -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, content).unwrap();
        (dir, path.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_file_is_read_in_parts_that_join_to_the_whole() {
        let whole = "über den Wolken ☁☁☁".repeat(5);
        let (_dir, path) = file(whole.as_bytes());
        let (mut joined, mut offset) = (String::new(), Some(0));
        while let Some(from) = offset {
            let part = read(&path, Encoding::Text, from, 7).unwrap();
            joined.push_str(&part.content);
            offset = part.next;
        }
        assert_eq!(joined, whole);
    }

    #[test]
    fn binary_files_are_refused_as_text_and_given_as_base64() {
        let (_dir, path) = file(&[0xff, 0xfe, 0]);
        assert!(read(&path, Encoding::Text, 0, 10).unwrap_err().contains("use encoding base64"));
        let part = read(&path, Encoding::Base64, 0, 10).unwrap();
        assert_eq!(part, Part { content: "//4A".to_owned(), next: None, size: 3 });
        assert_eq!(decode(part.content, Encoding::Base64).unwrap(), [0xff, 0xfe, 0]);
    }

    #[test]
    fn a_character_cut_off_at_the_end_of_the_file_is_not_dropped_silently() {
        let (_dir, path) = file(&[b'a', 0xe2, 0x98]);
        assert!(read(&path, Encoding::Text, 0, 10).is_err());
    }

    #[test]
    fn ends_are_exact() {
        let (_dir, path) = file(b"abc");
        assert_eq!(read(&path, Encoding::Text, 3, 10).unwrap().content, "");
        assert_eq!(read(&path, Encoding::Text, 0, 3).unwrap().next, None);
        assert!(read(&path, Encoding::Text, 4, 10).unwrap_err().contains("it has 3 bytes"));
        assert!(read(&path, Encoding::Text, u64::MAX, u32::MAX).is_err());
    }

    #[test]
    fn folders_and_bad_base64_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path().to_str().unwrap(), Encoding::Text, 0, 1).unwrap_err().contains("not a file"));
        assert!(decode("?".to_owned(), Encoding::Base64).unwrap_err().contains("not base64"));
    }
}
