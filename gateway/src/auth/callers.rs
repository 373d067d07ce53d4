//! The callers that the config names, found by the hash of the key that they present.

use std::collections::HashMap;

use super::key::{ApiKey, KeyHash};
use super::principal::{Principal, Servers};
use crate::error::Error;

/// The scheme of RFC 6750, in any case (RFC 9110, section 11.1).
const SCHEME: &str = "bearer";

/// One `[auth.keys.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// `NAME`.
    pub name: String,
    /// Of the key.
    pub hash: KeyHash,
    /// Whom records name.
    pub owner: String,
    /// What it opens.
    pub servers: Servers,
}

/// Who may call.
///
/// The map is looked up by the hash of what was presented. How long that takes says nothing of use:
/// nobody can choose a text whose hash begins as they like.
#[derive(Clone, Debug, Default)]
pub enum Callers {
    /// Whoever reaches the transport.
    #[default]
    Anyone,
    /// Whoever holds one of these keys.
    Keys(HashMap<KeyHash, Principal>),
}

impl Callers {
    /// Those who hold these keys; anyone if there are none.
    #[must_use]
    pub fn of(keys: &[Key]) -> Self {
        if keys.is_empty() {
            return Self::Anyone;
        }
        let principal = |key: &Key| Principal::owner(&key.owner, key.servers.clone());
        Self::Keys(keys.iter().map(|key| (key.hash, principal(key))).collect())
    }

    /// Who presents this, the value of `Authorization`.
    ///
    /// # Errors
    /// [`Error::NoKey`] for nothing where a key is needed, [`Error::BadKey`] for what is none.
    pub fn identify(&self, authorization: Option<&[u8]>) -> Result<Principal, Error> {
        let Self::Keys(keys) = self else {
            return Ok(Principal::local());
        };
        let presented = authorization.ok_or(Error::NoKey)?;
        let key = bearer(presented).and_then(ApiKey::presented).ok_or(Error::BadKey)?;
        keys.get(&key.hash()).cloned().ok_or(Error::BadKey)
    }
}

fn bearer(value: &[u8]) -> Option<&str> {
    let (scheme, token) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn callers() -> (Callers, ApiKey, ApiKey) {
        let [ann, ben] = [ApiKey::generate().unwrap(), ApiKey::generate().unwrap()];
        let key = |name: &str, key: &ApiKey, servers| Key {
            name: name.to_owned(),
            hash: key.hash(),
            owner: name.to_owned(),
            servers,
        };
        let keys = [key("ann", &ann, Servers::All), key("ben", &ben, Servers::only(["clock"]))];
        (Callers::of(&keys), ann, ben)
    }

    #[test]
    fn a_key_is_its_owner() {
        let (callers, ann, ben) = callers();
        for scheme in ["Bearer ", "bearer ", "BEARER  "] {
            let name = |key: &ApiKey| {
                let value = format!("{scheme}{}", key.expose());
                callers.identify(Some(value.as_bytes())).unwrap()
            };
            assert_eq!((name(&ann).as_str(), name(&ben).as_str()), ("ann", "ben"));
            assert!(name(&ann).servers().has("notes") && !name(&ben).servers().has("notes"));
        }
    }

    #[test]
    fn nothing_else_is_anybody() {
        let (callers, ann, _) = callers();
        let key = ann.expose();
        assert!(matches!(callers.identify(None), Err(Error::NoKey)));
        let long = format!("Bearer {key}{}", "x".repeat(100_000));
        let attempts = [
            "",
            "Bearer",
            "Bearer ",
            "Bearer toolgate_",
            key,
            &format!("Basic {key}"),
            &format!("Bearer {}", &key[..key.len() - 1]),
            &format!("Bearer {key}x"),
            &format!("Bearer {key} {key}"),
            &format!("Bearer {}", key.to_ascii_uppercase()),
            // Whoever reads the config has the hashes, and not the keys.
            &format!("Bearer {}", ann.hash()),
            &long,
        ];
        for attempt in attempts {
            assert!(matches!(callers.identify(Some(attempt.as_bytes())), Err(Error::BadKey)), "{attempt}");
        }
        assert!(matches!(callers.identify(Some(b"Bearer \xff")), Err(Error::BadKey)));
    }

    #[test]
    fn keys_are_long_unlike_and_never_printed() {
        let (callers, ann, ben) = callers();
        assert_eq!(ann.expose().len(), "toolgate_".len() + 43);
        assert_ne!(ann.expose(), ben.expose());
        assert!(!format!("{callers:?} {ann:?}").contains(&ann.expose()[9..]));
    }
}
