//! `server/discover` (2026-07-28): what this server speaks and can.

use super::revision::SUPPORTED;
use super::tasks::EXTENSION;
use super::{SERVER_INFO, capabilities};
use crate::gateway::Gateway;

/// The result.
#[must_use]
pub fn result(gateway: &Gateway) -> Vec<u8> {
    let mut capabilities = capabilities(gateway.has_servers_of_mcp()).to_owned();
    if gateway.has_tasks() {
        capabilities.pop();
        capabilities += &format!(r#","extensions":{{"{EXTENSION}":{{}}}}}}"#);
    }
    format!(
        r#"{{"resultType":"complete","supportedVersions":{SUPPORTED},"capabilities":{capabilities},"ttlMs":{},"cacheScope":"public","_meta":{{"io.modelcontextprotocol/serverInfo":{SERVER_INFO}}}}}"#,
        gateway.tools_ttl().as_millis()
    )
    .into_bytes()
}
