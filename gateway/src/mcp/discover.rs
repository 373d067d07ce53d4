//! `server/discover` (2026-07-28): what this server speaks and can.

use super::revision::SUPPORTED;
use super::{CAPABILITIES, SERVER_INFO};
use crate::gateway::Gateway;

/// The result.
#[must_use]
pub fn result(gateway: &Gateway) -> Vec<u8> {
    format!(
        r#"{{"resultType":"complete","supportedVersions":{SUPPORTED},"capabilities":{CAPABILITIES},"ttlMs":{},"cacheScope":"public","_meta":{{"io.modelcontextprotocol/serverInfo":{SERVER_INFO}}}}}"#,
        gateway.tools_ttl().as_millis()
    )
    .into_bytes()
}
