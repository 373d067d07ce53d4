//! `initialize` (2025-03-26 to 2025-11-25): agrees on a revision.

use super::params::{Params, text};
use super::revision::Revision;
use super::{SERVER_INFO, capabilities};
use crate::error::Error;
use crate::gateway::Gateway;
use toolgate_runtime::peer::ClientCapabilities;

/// The revision to speak from now on, what the client can do, and the result.
///
/// # Errors
/// [`Error::InvalidParams`] without the client's wish.
pub fn result(
    gateway: &Gateway,
    params: &Params<'_>,
) -> Result<(Revision, ClientCapabilities, Vec<u8>), Error> {
    let wish = params
        .protocol_version
        .and_then(text)
        .ok_or_else(|| Error::InvalidParams("initialize needs `protocolVersion`, a string".to_owned()))?;
    let revision = Revision::negotiate(&wish);
    let capabilities = capabilities(gateway.has_servers_of_mcp());
    let result = format!(
        r#"{{"protocolVersion":"{}","capabilities":{capabilities},"serverInfo":{SERVER_INFO}}}"#,
        revision.as_str()
    );
    let declared = params.capabilities.map(ClientCapabilities::of).unwrap_or_default();
    Ok((revision, declared, result.into_bytes()))
}
