//! File errors in words that tell a model what to do next.

use std::io::{Error, ErrorKind};

/// Says what was tried on which path, and why it did not work.
pub fn describe(action: &str, path: &str, error: &Error) -> String {
    let cause = match error.kind() {
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

/// Says of a path outside of all granted folders that it is, and which they are. For the sake of the
/// message only: the host refuses such a path anyway, but as if there were no such file.
///
/// # Errors
/// That sentence.
pub fn outside(path: &str, granted: &[String]) -> Result<(), String> {
    let inside = |folder: &String| {
        path.strip_prefix(folder.trim_end_matches('/'))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if granted.iter().any(inside) {
        return Ok(());
    }
    Err(match granted {
        [] => "the operator granted no folder to this tool".to_owned(),
        folders => format!("{path} is not in a granted folder; these are: {}", folders.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    #[test]
    fn each_cause_tells_what_to_do() {
        let said = |kind: ErrorKind| describe("read", "/data/x", &Error::from(kind));
        assert_eq!(
            said(ErrorKind::PermissionDenied),
            "can't read /data/x: the operator's grant does not allow it"
        );
        assert!(said(ErrorKind::AlreadyExists).contains("overwrite or append"));
        assert!(said(ErrorKind::NotFound).contains("no such file"));
        assert!(said(ErrorKind::ReadOnlyFilesystem).contains("for reading only"));
    }

    #[test]
    fn a_path_outside_of_the_grant_is_told_from_a_missing_file() {
        let granted = ["/data".to_owned(), "/notes/".to_owned()];
        assert_eq!(outside("/data", &granted), Ok(()));
        assert_eq!(outside("/data/x", &granted), Ok(()));
        assert_eq!(outside("/notes/x", &granted), Ok(()));
        assert_eq!(outside("/anything", &["/".to_owned()]), Ok(()));
        let error = outside("/database", &granted).unwrap_err();
        assert_eq!(error, "/database is not in a granted folder; these are: /data, /notes/");
        assert!(outside("notes/x", &granted).is_err());
        assert!(outside("/data", &[]).unwrap_err().contains("granted no folder"));
    }
}
