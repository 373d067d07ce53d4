//! The `env` grant: names and values that a guest sees as its environment and its
//! `wasi:config/store`.
//!
//! A guest has no other environment. Errors name the variable, never its value: values are where
//! operators put secrets.

use std::collections::BTreeMap;

use super::error::{Fault, GrantError};

/// Variables of one server. Against a config that makes every call copy megabytes.
pub const MAX_VARIABLES: usize = 256;
/// Longest name in bytes.
pub const MAX_NAME: usize = 256;
/// Bytes of all names and values together, copied into each call.
pub const MAX_TOTAL: usize = 256 * 1024;

/// Checks all variables of one server.
///
/// # Errors
/// A name that no environment can hold, a NUL in a value, too many or too large.
pub fn check(env: &BTreeMap<String, String>) -> Result<(), GrantError> {
    if env.len() > MAX_VARIABLES {
        let cause = format!("{} variables are more than {MAX_VARIABLES}", env.len());
        return Err(error("", cause, "grant files for larger configuration"));
    }
    let mut total = 0usize;
    for (name, value) in env {
        check_name(name)?;
        if value.contains('\0') {
            return Err(error(name, "the value holds a NUL", "remove the NUL from the value"));
        }
        total = total.saturating_add(name.len()).saturating_add(value.len());
        if total > MAX_TOTAL {
            let cause = format!("all variables together are larger than {MAX_TOTAL} bytes");
            return Err(error(name, cause, "grant files for larger configuration"));
        }
    }
    Ok(())
}

/// Checks one name.
pub(super) fn check_name(name: &str) -> Result<(), GrantError> {
    let hint = "use letters, digits, `_`, `-` and `.`: env = { LANG = \"en\" }";
    if name.is_empty() || name.len() > MAX_NAME {
        let cause = format!("the name must have 1 to {MAX_NAME} bytes");
        return Err(error(name, cause, hint));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    match name.chars().find(|c| !allowed(*c)) {
        Some(c) => {
            let cause = format!("the name holds {c:?}");
            Err(error(name, cause, hint))
        }
        None => Ok(()),
    }
}

fn error(name: &str, cause: impl Into<String>, hint: &str) -> GrantError {
    GrantError::new("env", name, Fault::new(cause, hint))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed check is a failed test")]
    use super::*;

    fn one(name: &str, value: &str) -> Result<(), GrantError> {
        check(&BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    #[test]
    fn takes_names_that_every_environment_holds() {
        one("LANG", "en=1\n").unwrap();
        one("db.url-2", "").unwrap();
        for name in ["", "A=B", "A B", "A\0", "Ä", "A\n"] {
            assert!(one(name, "x").is_err(), "{name:?}");
        }
    }

    #[test]
    fn an_error_names_the_variable_and_hides_its_value() {
        let error = one("TOKEN", "hunter2\0").unwrap_err();
        assert!(error.to_string().contains("TOKEN"));
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn bounds_count_and_size() {
        let many = (0..=MAX_VARIABLES).map(|i| (format!("V{i}"), String::new()));
        assert!(check(&many.collect()).is_err());
        assert!(one("BIG", &"x".repeat(MAX_TOTAL)).is_err());
    }
}
