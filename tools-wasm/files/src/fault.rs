//! File errors in words that tell a model what to do next.

use std::io::{Error, ErrorKind};

/// Says what was tried on which path, and why it did not work.
pub fn describe(action: &str, path: &str, error: &Error) -> String {
    let cause = match error.kind() {
        ErrorKind::NotFound if is_outside(error) => {
            "it is not in a granted folder; list without a path tells the granted ones".to_owned()
        }
        ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        ErrorKind::PermissionDenied => "the operator's grant does not allow it".to_owned(),
        ErrorKind::ReadOnlyFilesystem => "the folder was granted for reading only".to_owned(),
        ErrorKind::AlreadyExists => "it exists already; use mode overwrite or append".to_owned(),
        ErrorKind::IsADirectory => "it is a folder".to_owned(),
        ErrorKind::NotADirectory => "it is not a folder, or a part of the path is not".to_owned(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "the disk is full".to_owned(),
        _ => error.to_string(),
    };
    format!("can't {action} {path}: {cause}")
}

/// Whether libc found no granted folder that could hold the path; the host was not even asked.
/// It reports that as "not found" without a code of the system.
fn is_outside(error: &Error) -> bool {
    error.raw_os_error().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_tells_what_to_do() {
        let said = |kind: ErrorKind| describe("read", "/data/x", &Error::from(kind));
        assert_eq!(
            said(ErrorKind::PermissionDenied),
            "can't read /data/x: the operator's grant does not allow it"
        );
        assert!(said(ErrorKind::AlreadyExists).contains("overwrite or append"));
        assert!(said(ErrorKind::NotFound).contains("not in a granted folder"));
    }

    #[test]
    fn a_missing_file_is_told_from_a_missing_grant() {
        // 2 is ENOENT here; what counts is that the system was asked.
        let error = Error::from_raw_os_error(2);
        assert!(describe("read", "/data/x", &error).contains("no such file"));
    }
}
