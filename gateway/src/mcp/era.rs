//! Which revision a request is written in, from the header and `_meta` (spec: versioning,
//! "Backward Compatibility"; streamable HTTP, "Protocol Version Header").
//!
//! A stateless request names its revision in `_meta`; over HTTP the header says the same. Any
//! other request belongs to a session.

use super::params::{Meta, is_object, text};
use super::revision::Revision;
use crate::error::Error;

/// The two ways to carry what a request depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// In the request itself.
    Stateless(Revision),
    /// In a session, whose revision the header repeats if it is there.
    Session(Option<Revision>),
}

/// The era of a request over HTTP.
///
/// # Errors
/// [`Error::HeaderMismatch`], [`Error::UnsupportedVersion`] or [`Error::Malformed`].
pub fn over_http(header: Option<&str>, meta: &Meta<'_>) -> Result<Era, Error> {
    let body = version_of(meta)?;
    match (header, body.as_deref()) {
        (None, None) => Ok(Era::Session(None)),
        (None, Some(_)) => {
            Err(Error::HeaderMismatch("the MCP-Protocol-Version header is missing".to_owned()))
        }
        (Some(header), Some(body)) if header != body => Err(Error::HeaderMismatch(format!(
            "MCP-Protocol-Version is {:?}, but `_meta` says {:?}",
            shown(header),
            shown(body)
        ))),
        (Some(version), _) => match known(version)? {
            revision if revision.is_stateless() => stateless(revision, meta),
            revision => Ok(Era::Session(Some(revision))),
        },
    }
}

/// The era of a request over stdio, where `_meta` is all there is.
///
/// # Errors
/// [`Error::UnsupportedVersion`] or [`Error::Malformed`].
pub fn over_stdio(meta: &Meta<'_>) -> Result<Era, Error> {
    match version_of(meta)? {
        None => Ok(Era::Session(None)),
        Some(version) => match known(&version)? {
            revision if revision.is_stateless() => stateless(revision, meta),
            revision => Ok(Era::Session(Some(revision))),
        },
    }
}

/// The error for a stateless request that lacks its revision.
pub(crate) fn version_missing() -> Error {
    missing("protocolVersion")
}

fn stateless(revision: Revision, meta: &Meta<'_>) -> Result<Era, Error> {
    if meta.protocol_version.is_none() {
        return Err(version_missing());
    }
    match meta.client_capabilities {
        None => Err(missing("clientCapabilities")),
        Some(raw) if !is_object(raw) => Err(Error::Malformed(
            "`_meta` member io.modelcontextprotocol/clientCapabilities must be an object".to_owned(),
        )),
        Some(_) => Ok(Era::Stateless(revision)),
    }
}

fn version_of<'a>(meta: &Meta<'a>) -> Result<Option<std::borrow::Cow<'a, str>>, Error> {
    let Some(raw) = meta.protocol_version else { return Ok(None) };
    text(raw).map(Some).ok_or_else(|| {
        Error::Malformed("`_meta` member io.modelcontextprotocol/protocolVersion must be a string".to_owned())
    })
}

fn known(version: &str) -> Result<Revision, Error> {
    Revision::parse(version).ok_or_else(|| unsupported(version))
}

/// The error for a revision that is not spoken here.
pub(crate) fn unsupported(version: &str) -> Error {
    Error::UnsupportedVersion(shown(version).to_owned())
}

fn missing(field: &str) -> Error {
    Error::Malformed(format!("`_meta` must have io.modelcontextprotocol/{field}"))
}

/// A version to repeat in an error; cut, because anything may stand there.
fn shown(version: &str) -> &str {
    &version[..version.floor_char_boundary(32)]
}
