//! One secret, and the rules for what it may consist of.
//!
//! The rules name what is wrong and never quote it: the errors go to logs.

use std::fmt;
use std::io;
use std::sync::Arc;

use zeroize::{Zeroize, Zeroizing};

/// Longest secret in bytes, enough for keys in PEM. Against a source that is a device or a log, and
/// against copying megabytes into each call.
pub const MAX_SECRET: usize = 16 * 1024;

/// Shortest secret in bytes that goes into a header. It is masked where a server sends it back, and
/// a guest that can make a server send texts of its choice sees which of them are masked: against
/// finding a short secret by trying them all.
pub const MIN_HEADER_SECRET: usize = 8;

/// A text that is never printed. Clones share the one copy, which is wiped when the last is dropped.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

/// Why a secret can't be used. Never says what it is.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file can't be opened or read.
    #[error("it can't be read: {0}")]
    Read(#[source] io::Error),
    /// A directory, a pipe, a device.
    #[error("it is not a regular file")]
    NotAFile,
    /// Nothing there.
    #[error("it is empty")]
    Empty,
    /// More than [`MAX_SECRET`].
    #[error("it is larger than {MAX_SECRET} bytes")]
    TooLarge,
    /// Not UTF-8.
    #[error("it is not UTF-8 text")]
    NotText,
    /// A character that ends lines or fields somewhere.
    #[error("it holds a control character")]
    Control,
    /// A character that no header carries unharmed.
    #[error("it holds a character outside of ASCII, which a header can't carry")]
    NotAscii,
    /// Space that a server would strip.
    #[error("it begins or ends with a space")]
    Space,
    /// Fewer than [`MIN_HEADER_SECRET`].
    #[error("it is shorter than {MIN_HEADER_SECRET} bytes, so that it could be guessed")]
    Short,
}

impl Secret {
    /// The text itself, for the one place that uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Takes what a file holds: UTF-8 text, without the line end that editors add.
    pub(super) fn from_file(mut bytes: Zeroizing<Vec<u8>>) -> Result<Self, SecretError> {
        if bytes.len() > MAX_SECRET {
            return Err(SecretError::TooLarge);
        }
        let mut text = String::from_utf8(std::mem::take(&mut *bytes)).map_err(|error| {
            error.into_bytes().zeroize();
            SecretError::NotText
        })?;
        if text.ends_with('\n') {
            text.pop();
        }
        if text.ends_with('\r') {
            text.pop();
        }
        Ok(Self::from(text))
    }

    /// Whether a guest can be given it as a variable: a NUL would end it, other control characters
    /// have no place in a credential but for the line ends and tabs of a PEM file.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check_variable(&self) -> Result<(), SecretError> {
        self.check_size()?;
        let breaks = |c: char| matches!(c, '\n' | '\r' | '\t');
        if self.expose().chars().any(|c| c.is_control() && !breaks(c)) {
            return Err(SecretError::Control);
        }
        Ok(())
    }

    /// Whether it can be part of a header field: one that every server reads alike.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check_header(&self) -> Result<(), SecretError> {
        self.check_size()?;
        let text = self.expose();
        if text.chars().any(char::is_control) {
            return Err(SecretError::Control);
        }
        if !text.is_ascii() {
            return Err(SecretError::NotAscii);
        }
        if text.starts_with(' ') || text.ends_with(' ') {
            return Err(SecretError::Space);
        }
        if text.len() < MIN_HEADER_SECRET {
            return Err(SecretError::Short);
        }
        Ok(())
    }

    fn check_size(&self) -> Result<(), SecretError> {
        match self.expose().len() {
            0 => Err(SecretError::Empty),
            1..=MAX_SECRET => Ok(()),
            _ => Err(SecretError::TooLarge),
        }
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed check is a failed test")]
    use super::*;

    fn file(bytes: &[u8]) -> Result<Secret, SecretError> {
        Secret::from_file(Zeroizing::new(bytes.to_vec()))
    }

    #[test]
    fn a_secret_is_printed_as_a_fixed_word() {
        let secret = Secret::from("hunter2-hunter2".to_owned());
        assert_eq!(format!("{secret:?} {secret:#?} {:?}", Some(&secret)), "Secret Secret Some(Secret)");
    }

    #[test]
    fn one_line_end_is_not_part_of_a_file() {
        for (bytes, text) in [
            (&b"token"[..], "token"),
            (b"token\n", "token"),
            (b"token\r\n", "token"),
            (b"token\n\n", "token\n"),
        ] {
            assert_eq!(file(bytes).unwrap().expose(), text);
        }
        assert!(matches!(file(b"caf\xe9 hunter2"), Err(SecretError::NotText)));
        assert!(matches!(file(&[b'x'; MAX_SECRET + 1]), Err(SecretError::TooLarge)));
    }

    #[test]
    fn what_a_header_can_not_carry_is_refused_without_quoting_it() {
        let check = |text: &str| Secret::from(text.to_owned()).check_header();
        check("ghp_0123456789").unwrap();
        check("two words+/=").unwrap();
        for text in
            ["hunter2\r\nx-admin: 1", "hunter2\0\0", "hunter2\t2", "hünter2hünter2", " hunter22", "hunter2"]
        {
            let error = check(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("nter2"), "{error}");
        }
        assert!(matches!(check(""), Err(SecretError::Empty)));
        assert!(matches!(check(&"x".repeat(MAX_SECRET + 1)), Err(SecretError::TooLarge)));
    }

    #[test]
    fn a_variable_may_have_lines_and_no_other_control_characters() {
        let check = |text: &str| Secret::from(text.to_owned()).check_variable();
        check("-----BEGIN KEY-----\nAAAA\n-----END KEY-----").unwrap();
        check("pw").unwrap();
        assert!(matches!(check("a\0b"), Err(SecretError::Control)));
        assert!(matches!(check("a\u{1b}b"), Err(SecretError::Control)));
        assert!(matches!(check(""), Err(SecretError::Empty)));
    }
}
