//! The request headers that mirror the body (2026-07-28, streamable HTTP, "Request Metadata").
//!
//! A proxy may route or refuse by these headers, so what they say must be what is executed:
//! a header that is missing, doubled or different refuses the request.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

use super::params::{Params, text};
use crate::error::Error;

/// The protocol revision of a request.
pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// The session of a request, in revisions that have sessions.
pub const SESSION_ID: &str = "mcp-session-id";
const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";

const SENTINEL: (&str, &str) = ("=?base64?", "?=");

/// Checks `Mcp-Method` and `Mcp-Name` against the body of a stateless request.
///
/// # Errors
/// [`Error::HeaderMismatch`] says which header is wrong.
pub fn check(headers: &HeaderMap, method: &str, params: &Params<'_>) -> Result<(), Error> {
    let header = required(headers, METHOD, "Mcp-Method")?;
    if header != method {
        return Err(mismatch("Mcp-Method"));
    }
    let named = match method {
        "tools/call" | "prompts/get" => params.name,
        "resources/read" => params.uri,
        _ => return Ok(()),
    };
    let header = required(headers, NAME, "Mcp-Name")?;
    let header =
        decode(header).ok_or_else(|| Error::HeaderMismatch("Mcp-Name has a broken encoding".to_owned()))?;
    match named.and_then(text) {
        // A missing name is the method's to complain about.
        None => Ok(()),
        Some(name) if name == header => Ok(()),
        Some(_) => Err(mismatch("Mcp-Name")),
    }
}

/// The one value of a header; `None` if it is absent.
///
/// # Errors
/// [`Error::HeaderMismatch`] for two values, or one with other than visible ASCII.
pub fn single<'a>(headers: &'a HeaderMap, name: &str, shown: &str) -> Result<Option<&'a str>, Error> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Error::HeaderMismatch(format!("{shown} is given twice")));
    }
    let value =
        value.to_str().map_err(|_| Error::HeaderMismatch(format!("{shown} has invalid characters")))?;
    Ok(Some(value.trim_ascii()))
}

fn required<'a>(headers: &'a HeaderMap, name: &str, shown: &str) -> Result<&'a str, Error> {
    single(headers, name, shown)?
        .ok_or_else(|| Error::HeaderMismatch(format!("the {shown} header is missing")))
}

fn mismatch(shown: &str) -> Error {
    Error::HeaderMismatch(format!("{shown} differs from the body"))
}

/// A header value as the text it stands for; `None` if its Base64 form is broken.
#[must_use]
pub fn decode(value: &str) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix(SENTINEL.0).and_then(|rest| rest.strip_suffix(SENTINEL.1));
    match inner {
        None => Some(Cow::Borrowed(value)),
        Some(encoded) => {
            let bytes = STANDARD.decode(encoded).ok()?;
            String::from_utf8(bytes).ok().map(Cow::Owned)
        }
    }
}
