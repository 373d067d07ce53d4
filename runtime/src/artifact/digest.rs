//! The name of content: `sha256:` and 64 hex digits.
//!
//! Everything that enters the process under a digest is hashed here, whatever a registry, a header
//! or a file name claims. Only sha256 is accepted: every registry offers it, and one algorithm
//! leaves nothing to negotiate down to.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// A sha256 digest. Its text form is canonical: lower-case hex after `sha256:`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Why a text is no [`Digest`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no `ALGORITHM:` in front.
    #[error("a digest starts with `sha256:`")]
    NoAlgorithm,
    /// Another algorithm.
    #[error("digest algorithm `{0}` is not supported, only sha256 is")]
    Algorithm(String),
    /// Not 64 digits.
    #[error("a sha256 digest has 64 hex digits, this one has {0}")]
    Length(usize),
    /// A character that isn't `0-9a-f`.
    #[error("`{0}` is not a lower-case hex digit")]
    Character(char),
}

impl Digest {
    /// Hashes `content`.
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }

    /// Whether `content` is what this digest names.
    pub fn matches(&self, content: &[u8]) -> bool {
        Self::of(content) == *self
    }

    /// The 64 hex digits, without the algorithm: the file name in a blob directory.
    pub fn hex(&self) -> String {
        use fmt::Write as _;
        self.0.iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// The raw 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, hex) = text.split_once(':').ok_or(DigestError::NoAlgorithm)?;
        if algorithm != "sha256" {
            return Err(DigestError::Algorithm(algorithm.chars().take(32).collect()));
        }
        let length = hex.chars().count();
        if length != 64 {
            return Err(DigestError::Length(length));
        }
        let mut bytes = [0; 32];
        for (index, digit) in hex.chars().enumerate() {
            let value = match digit {
                '0'..='9' => digit as u8 - b'0',
                'a'..='f' => digit as u8 - b'a' + 10,
                other => return Err(DigestError::Character(other)),
            };
            bytes[index / 2] = bytes[index / 2] << 4 | value;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn hashes_as_everyone_does() {
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
        assert!(EMPTY.parse::<Digest>().unwrap().matches(b""));
        assert!(!EMPTY.parse::<Digest>().unwrap().matches(b"x"));
    }

    #[test]
    fn says_what_is_wrong_with_a_digest() {
        let message = |text: &str| text.parse::<Digest>().unwrap_err().to_string();
        assert_eq!(message("abc"), "a digest starts with `sha256:`");
        assert_eq!(message("sha512:abc"), "digest algorithm `sha512` is not supported, only sha256 is");
        assert_eq!(message("sha256:abc"), "a sha256 digest has 64 hex digits, this one has 3");
        assert_eq!(message(&EMPTY.replace('f', "F")), "`F` is not a lower-case hex digit");
    }

    proptest! {
        #[test]
        fn text_round_trips(content: Vec<u8>) {
            let digest = Digest::of(&content);
            prop_assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
        }

        #[test]
        fn parsing_never_panics(text in "(sha256:)?\\PC{0,80}") {
            let _ = text.parse::<Digest>();
        }
    }
}
