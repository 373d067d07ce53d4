//! `${VAR}` in string values, from the environment that the gateway was started with.
//!
//! `$${` stands for a literal `${`; a lone `$` is itself. An unset variable is a fault of the
//! config: an empty host name or path in its place could grant more than was meant.

/// Bytes of one value after expansion. Against an environment that blows up a small file.
const MAX_EXPANDED: usize = 64 * 1024;

/// Looks a variable up.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Why a value can't be expanded.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ExpandError {
    /// The variable is not set, or not UTF-8.
    #[error("the environment has no variable {0}")]
    Unset(String),
    /// `${` without its brace.
    #[error("`${{` without a closing `}}`")]
    Unclosed,
    /// Not a name.
    #[error("`{0}` is not the name of a variable")]
    Name(String),
    /// Too long once expanded.
    #[error("longer than {MAX_EXPANDED} bytes once the environment is filled in")]
    TooLong,
}

impl ExpandError {
    pub(super) fn hint(&self) -> String {
        match self {
            Self::Unset(name) => format!("set {name}, or write `$${{` for a literal `${{`"),
            Self::Unclosed | Self::Name(_) => "write `${NAME}`, or `$${` for a literal `${`".to_owned(),
            Self::TooLong => "shorten the variable".to_owned(),
        }
    }
}

/// Replaces every `${VAR}` of `text`.
pub(super) fn expand(text: &str, env: Env<'_>) -> Result<String, ExpandError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at - 1]);
            out.push_str("${");
            rest = &rest[at + 2..];
        } else {
            out.push_str(&rest[..at]);
            let (name, after) = rest[at + 2..].split_once('}').ok_or(ExpandError::Unclosed)?;
            out.push_str(&lookup(name, env)?);
            rest = after;
        }
        if out.len() > MAX_EXPANDED {
            return Err(ExpandError::TooLong);
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn lookup(name: &str, env: Env<'_>) -> Result<String, ExpandError> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(ExpandError::Name(name.escape_debug().to_string()));
    }
    env(name).ok_or_else(|| ExpandError::Unset(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("api.example.com".to_owned()),
            "NESTED" => Some("${HOST}".to_owned()),
            "LONG" => Some("x".repeat(MAX_EXPANDED)),
            _ => None,
        }
    }

    #[test]
    fn fills_in_variables_and_leaves_the_rest() {
        let expanded = expand("GET https://${HOST}/$1/${HOST}$", &env);
        assert_eq!(expanded.as_deref(), Ok("GET https://api.example.com/$1/api.example.com$"));
    }

    #[test]
    fn a_doubled_dollar_escapes() {
        assert_eq!(expand("$${HOST} $$", &env).as_deref(), Ok("${HOST} $$"));
    }

    #[test]
    fn what_a_variable_holds_is_not_expanded_again() {
        assert_eq!(expand("${NESTED}", &env).as_deref(), Ok("${HOST}"));
    }

    #[test]
    fn faults_are_named() {
        assert_eq!(expand("${NO}", &env), Err(ExpandError::Unset("NO".into())));
        assert_eq!(expand("a ${HOST", &env), Err(ExpandError::Unclosed));
        assert_eq!(expand("${A B}", &env), Err(ExpandError::Name("A B".into())));
        assert_eq!(expand("${}", &env), Err(ExpandError::Name(String::new())));
        assert_eq!(expand("a${LONG}", &env), Err(ExpandError::TooLong));
    }
}
