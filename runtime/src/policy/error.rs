//! Why a grant in the config makes no sense.
//!
//! One error for all kinds: the operator needs the value, the cause and the line to change,
//! whatever the grant. A grant that can't be understood stops the load of its server; it is never
//! a warning, because a policy that is half read is not the policy that was written.

/// A grant that was refused at load.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {capability} grant `{value}` is not valid: {cause}")]
pub struct GrantError {
    /// `http`, `tcp`, `files`, `env` or `secrets`.
    pub capability: &'static str,
    /// The value as written, without userinfo; for `env` only the name.
    pub value: String,
    /// What is wrong with it.
    pub cause: String,
    /// What to write instead.
    pub hint: String,
}

impl GrantError {
    /// Takes cause and hint from a rule that doesn't know which grant it judges.
    pub(crate) fn new(capability: &'static str, value: &str, fault: Fault) -> Self {
        Self { capability, value: shown(value), cause: fault.cause, hint: fault.hint }
    }
}

/// Cause and hint, before they are tied to a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) cause: String,
    pub(crate) hint: String,
}

impl Fault {
    pub(crate) fn new(cause: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { cause: cause.into(), hint: hint.into() }
    }
}

/// Characters of a value that an error shows. Against config dumps in a log line.
const SHOWN: usize = 200;

/// The value for a message: one line, bounded, and without a password in the authority.
fn shown(value: &str) -> String {
    let clean: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let bare = match clean.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find(['/', '?', '#', ' ']).unwrap_or(rest.len());
            let (authority, tail) = rest.split_at(end);
            let host = authority.rsplit('@').next().unwrap_or(authority);
            format!("{scheme}://{host}{tail}")
        }
        None => clean,
    };
    match bare.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &bare[..at]),
        None => bare,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_never_shows_a_password() {
        let fault = Fault::new("c", "h");
        let error = GrantError::new("http", "GET https://bob:hunter2@example.com/x", fault);
        assert_eq!(error.value, "GET https://example.com/x");
    }

    #[test]
    fn a_message_stays_one_bounded_line() {
        let long = format!("GET\n{}", "x".repeat(5000));
        let error = GrantError::new("http", &long, Fault::new("c", "h"));
        assert!(!error.value.contains('\n'));
        assert!(error.value.chars().count() <= SHOWN + 1);
    }
}
