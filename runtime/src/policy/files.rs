//! The `files` grant: a directory of the host, a path in the guest, and whether it may be written.
//!
//! Syntax only. The enforcer opens the host directory, once, when a server is prepared, and that a
//! guest can't leave it is its work too.

use std::path::{Path, PathBuf};

use super::error::{Fault, GrantError};

/// A directory that a guest sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesGrant {
    host: PathBuf,
    guest: String,
    mode: Mode,
    max: u64,
}

/// What a guest may do with the files of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `ro`: list and read.
    ReadOnly,
    /// `rw`: also create, change and delete.
    ReadWrite,
}

/// Bytes that the directory of a `rw` grant may hold. Against guests that fill the disk over many calls;
/// more than most tools leave behind, and less than most disks have to spare.
const MAX: u64 = 1024 * 1024 * 1024;

/// Longest guest path in bytes. Against paths that no guest buffer holds.
const MAX_GUEST_PATH: usize = 1024;

const CAPABILITY: &str = "files";

impl FilesGrant {
    /// Reads one `{ host, guest, mode }` of the config.
    ///
    /// # Errors
    /// An empty host path, a guest path that is not absolute and normal, an unknown mode.
    pub fn parse(host: &str, guest: &str, mode: &str) -> Result<Self, GrantError> {
        check_host_path(host).map_err(|f| GrantError::new(CAPABILITY, host, f))?;
        check_guest(guest).map_err(|f| GrantError::new(CAPABILITY, guest, f))?;
        let mode = Mode::parse(mode).map_err(|f| GrantError::new(CAPABILITY, mode, f))?;
        Ok(Self { host: PathBuf::from(host), guest: guest.to_owned(), mode, max: MAX })
    }

    /// The same with another limit of what the directory may hold, in bytes.
    ///
    /// # Errors
    /// If nothing can be written there anyway.
    pub fn with_max(self, max: u64) -> Result<Self, GrantError> {
        match self.mode {
            Mode::ReadWrite => Ok(Self { max, ..self }),
            Mode::ReadOnly => {
                let fault =
                    Fault::new("a read-only grant has no `max`", "leave it out, or write mode = \"rw\"");
                Err(GrantError::new(CAPABILITY, &self.guest, fault))
            }
        }
    }

    /// The directory on the host, as written in the config.
    pub fn host(&self) -> &Path {
        &self.host
    }

    /// Where the guest sees it: absolute, normal, without a slash at the end (but for `/`).
    pub fn guest(&self) -> &str {
        &self.guest
    }

    /// What the guest may do.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Bytes that the directory may hold; `None` where nothing can be written.
    pub fn max(&self) -> Option<u64> {
        (self.mode == Mode::ReadWrite).then_some(self.max)
    }

    /// The same grant with a relative host path resolved against `base`.
    #[must_use]
    pub fn under(mut self, base: &Path) -> Self {
        self.host = base.join(&self.host);
        self
    }

    /// Refuses grants that leave open which of two applies to a path.
    pub(crate) fn check_disjoint(grants: &[Self]) -> Result<(), GrantError> {
        for (i, one) in grants.iter().enumerate() {
            for other in &grants[..i] {
                if let Some(fault) = conflict(other, one) {
                    return Err(GrantError::new(CAPABILITY, &one.guest, fault));
                }
            }
        }
        Ok(())
    }
}

impl Mode {
    fn parse(text: &str) -> Result<Self, Fault> {
        match text {
            "ro" => Ok(Self::ReadOnly),
            "rw" => Ok(Self::ReadWrite),
            _ => Err(Fault::new(
                "the mode is unknown",
                "write mode = \"ro\" to read, or mode = \"rw\" to read and write",
            )),
        }
    }

    /// As in the config.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "ro",
            Self::ReadWrite => "rw",
        }
    }
}

fn check_host_path(host: &str) -> Result<(), Fault> {
    if host.is_empty() || host.contains('\0') {
        return Err(Fault::new(
            "`host` is empty or holds a NUL",
            "write the directory to share: host = \"./data\"",
        ));
    }
    Ok(())
}

fn check_guest(guest: &str) -> Result<(), Fault> {
    let hint = "write an absolute path without `.`, `..` or a slash at the end: guest = \"/data\"";
    let Some(rest) = guest.strip_prefix('/') else {
        return Err(Fault::new("the guest path is not absolute", hint));
    };
    if guest.len() > MAX_GUEST_PATH {
        let cause = format!("the guest path is longer than {MAX_GUEST_PATH} bytes");
        return Err(Fault::new(cause, hint));
    }
    if guest.chars().any(|c| c.is_control() || c == '\\') {
        return Err(Fault::new("the guest path holds a control character or a backslash", hint));
    }
    if rest.is_empty() {
        return Ok(());
    }
    match rest.split('/').find(|s| matches!(*s, "" | "." | "..")) {
        Some("") => Err(Fault::new("the guest path has an empty segment", hint)),
        Some(dots) => Err(Fault::new(format!("the guest path has a `{dots}` segment"), hint)),
        None => Ok(()),
    }
}

fn conflict(a: &FilesGrant, b: &FilesGrant) -> Option<Fault> {
    if a.guest == b.guest {
        return Some(Fault::new(
            "the guest path is granted twice",
            "remove one of the two, or give it another guest path",
        ));
    }
    if inside(&a.guest, &b.guest) || inside(&b.guest, &a.guest) {
        let cause = format!("the guest path and `{}` lie inside each other", a.guest);
        return Some(Fault::new(cause, "use guest paths side by side: /a and /b"));
    }
    if a.host == b.host && a.mode != b.mode {
        let cause = format!("the host directory `{}` is granted both ro and rw", a.host.display());
        return Some(Fault::new(cause, "keep the one that is meant"));
    }
    None
}

/// Whether guest path `inner` lies below `outer`.
fn inside(outer: &str, inner: &str) -> bool {
    let outer = outer.trim_end_matches('/');
    inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed parse is a failed test")]
    use super::*;

    #[test]
    fn reads_what_the_config_says() {
        let grant = FilesGrant::parse("./data", "/data", "rw").unwrap();
        assert_eq!(grant.host(), Path::new("./data"));
        assert_eq!((grant.guest(), grant.mode()), ("/data", Mode::ReadWrite));
        assert!(FilesGrant::parse("/", "/", "ro").is_ok());
        assert_eq!(grant.under(Path::new("/etc/x")).host(), Path::new("/etc/x/./data"));
    }

    #[test]
    fn what_can_be_written_to_is_bounded_and_nothing_else() {
        let grant = |mode| FilesGrant::parse("./data", "/data", mode).unwrap();
        assert_eq!((grant("rw").max(), grant("ro").max()), (Some(1 << 30), None));
        assert_eq!(grant("rw").with_max(5).unwrap().max(), Some(5));
        let error = grant("ro").with_max(5).unwrap_err();
        assert!(error.hint.contains("leave it out"), "{error}");
    }

    #[test]
    fn refuses_guest_paths_that_are_not_absolute_and_normal() {
        for guest in ["", "data", "./data", "/data/", "/a//b", "/a/./b", "/a/..", "/a/../b", "/a\\b", "/a\0"]
        {
            let error = FilesGrant::parse("./data", guest, "ro").unwrap_err();
            assert!(error.hint.contains("guest = \"/data\""), "{guest:?}: {error}");
        }
        assert!(FilesGrant::parse("", "/data", "ro").is_err());
        let error = FilesGrant::parse("d", "/data", "r").unwrap_err();
        assert!(error.hint.contains("mode = \"ro\""));
    }

    #[test]
    fn refuses_grants_that_overlap() {
        let grant = |host, guest, mode| FilesGrant::parse(host, guest, mode).unwrap();
        let overlap = |a: FilesGrant, b: FilesGrant| FilesGrant::check_disjoint(&[a, b]).is_err();
        assert!(overlap(grant("a", "/x", "ro"), grant("b", "/x", "ro")));
        assert!(overlap(grant("a", "/x", "ro"), grant("b", "/x/y", "ro")));
        assert!(overlap(grant("a", "/x/y", "ro"), grant("b", "/x", "ro")));
        assert!(overlap(grant("a", "/", "ro"), grant("b", "/x", "ro")));
        assert!(overlap(grant("a", "/x", "ro"), grant("a", "/y", "rw")));
        assert!(!overlap(grant("a", "/x", "ro"), grant("b", "/xy", "rw")));
    }
}
