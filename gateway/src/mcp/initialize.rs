//! `initialize` (2025-03-26 to 2025-11-25): agrees on a revision.

use super::params::{Params, text};
use super::revision::Revision;
use super::{SERVER_INFO, capabilities};
use crate::error::Error;
use crate::gateway::Gateway;
use toolgate_runtime::peer::ClientCapabilities;

/// Revisions from before those that are spoken here. Clients of others may know one that is; of these none does.
const OUTDATED: [&str; 1] = ["2024-11-05"];

/// The revision to speak from now on, what the client can do, and the result.
///
/// # Errors
/// [`Error::InvalidParams`] without the client's wish, [`Error::Outdated`] for one that is from before these revisions.
pub fn result(
    gateway: &Gateway,
    params: &Params<'_>,
) -> Result<(Revision, ClientCapabilities, Vec<u8>), Error> {
    let wish = params
        .protocol_version
        .and_then(text)
        .ok_or_else(|| Error::InvalidParams("initialize needs `protocolVersion`, a string".to_owned()))?;
    if OUTDATED.contains(&&*wish) {
        return Err(Error::Outdated(wish.into_owned()));
    }
    let revision = Revision::negotiate(&wish);
    let capabilities = capabilities(gateway.has_servers_of_mcp());
    let result = format!(
        r#"{{"protocolVersion":"{}","capabilities":{capabilities},"serverInfo":{SERVER_INFO}}}"#,
        revision.as_str()
    );
    let declared = params.capabilities.map(ClientCapabilities::of).unwrap_or_default();
    Ok((revision, declared, result.into_bytes()))
}
