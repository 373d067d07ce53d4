//! What a caller may call a container or an image: text that stands in a path of the engine's API, so nothing
//! that leads to another.

use crate::sandbox::CallError;

/// Characters of a container's name or id.
const MAX_CONTAINER: usize = 128;

/// Characters of an image's reference: a name of 255, a tag of 128, and a digest.
const MAX_IMAGE: usize = 512;

/// The name or id of a container: `[A-Za-z0-9][A-Za-z0-9_.-]*`.
pub(super) fn container(name: &str) -> Result<&str, CallError> {
    let may = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    check("container", name, MAX_CONTAINER, may)
}

/// The reference or id of an image, of which each part begins as a container's name does.
pub(super) fn image(name: &str) -> Result<&str, CallError> {
    let may = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'/' | b':' | b'@');
    let whole = name.split('/').all(|part| part.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric));
    if whole { check("image", name, MAX_IMAGE, may) } else { Err(refused("image", name)) }
}

fn check<'a>(what: &str, name: &'a str, most: usize, may: impl Fn(u8) -> bool) -> Result<&'a str, CallError> {
    let begins = name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    if begins && name.len() <= most && name.bytes().all(may) { Ok(name) } else { Err(refused(what, name)) }
}

fn refused(what: &str, name: &str) -> CallError {
    let shown: String = name.chars().take(MAX_CONTAINER).collect();
    CallError::Arguments(format!("{shown:?} is not the name or the id of a {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_nothing_else_of_the_engine() {
        for name in ["time", "a_b.c-1", "0123456789ab"] {
            assert_eq!(container(name).unwrap(), name);
        }
        for name in ["mcp/time:1.2", "registry.example:5000/a/b@sha256:00", "sha256:00"] {
            assert_eq!(image(name).unwrap(), name);
        }
        for name in [
            "", ".", "..", "a/../b", "a/./b", "a//b", "/a", "a/", "a?b", "a#b", "a%2fb", "a b", "ä", "a\r\nb",
        ] {
            assert!(container(name).is_err(), "{name:?}");
            assert!(image(name).is_err(), "{name:?}");
        }
        assert!(container("a/b").is_err() && container(&"a".repeat(129)).is_err());
        assert!(image(&"a".repeat(513)).is_err());
    }
}
