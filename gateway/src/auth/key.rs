//! An API key: 256 random bits, of which the config knows the hash alone.
//!
//! A fast hash is enough. What slow ones are for, secrets that people choose and others guess, does
//! not occur: [`ApiKey::generate`] is the only source of keys.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use toolgate_runtime::artifact::Digest;

/// In front of every key, so that whoever finds one knows what it opens; scanners of secrets look for
/// such a text.
const PREFIX: &str = "toolgate_";

/// Random bytes of a key.
const BYTES: usize = 32;

/// Longest text that is taken for a key and hashed.
const MAX_KEY: usize = 256;

/// A key in clear. Only its holder has it: there is no way to print it by accident.
pub struct ApiKey(String);

/// The hash of a key: SHA-256 of its text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(Digest);

impl ApiKey {
    /// A new one, from the system's random bytes.
    ///
    /// # Errors
    /// If the system has none.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// What a client presents; `None` for what can't be a key.
    #[must_use]
    pub fn presented(text: &str) -> Option<Self> {
        (text.starts_with(PREFIX) && text.len() <= MAX_KEY).then(|| Self(text.to_owned()))
    }

    /// What the config says of it.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        KeyHash(Digest::of(self.0.as_bytes()))
    }

    /// Its text, to be shown once to whom it is for.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey")
    }
}

impl KeyHash {
    /// A hash as the config writes it: `sha256:` and 64 lower-case hex digits.
    #[must_use]
    pub fn new(digest: Digest) -> Self {
        Self(digest)
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({self})")
    }
}
