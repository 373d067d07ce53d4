//! Request ids: strings or integers, echoed as they came.

use std::fmt;

use serde_json::value::RawValue;

use crate::error::Error;

/// Bytes of an id's JSON text. Against replies inflated by their ids.
const MAX_ID: usize = 1024;

/// The id of a request, as canonical JSON text; equal texts are equal ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Id(Box<str>);

impl Id {
    /// Reads an id.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for anything but a string or an integer; `null` is no id.
    pub fn parse(raw: &RawValue) -> Result<Self, Error> {
        let text = raw.get();
        if text.len() > MAX_ID {
            return Err(invalid(format!("the id is longer than {MAX_ID} bytes")));
        }
        match text.as_bytes().first() {
            Some(b'"') if !text.contains('\\') => Ok(Self(text.into())),
            Some(b'"') => Self::unescaped(text),
            Some(b'-' | b'0'..=b'9') if !text.contains(['.', 'e', 'E']) => Ok(Self(text.into())),
            _ => Err(invalid("the id must be a string or an integer".to_owned())),
        }
    }

    /// The id that is this text.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        Self(serde_json::Value::from(text).to_string().into())
    }

    /// The JSON text.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.0
    }

    /// Two spellings of one string are one id.
    fn unescaped(text: &str) -> Result<Self, Error> {
        let plain: String = serde_json::from_str(text).map_err(|e| invalid(e.to_string()))?;
        let canonical = serde_json::to_string(&plain).map_err(|e| invalid(e.to_string()))?;
        Ok(Self(canonical.into()))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn invalid(reason: String) -> Error {
    Error::InvalidRequest(reason)
}
