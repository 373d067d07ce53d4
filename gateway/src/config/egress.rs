//! `[egress]`: the limits of connections that guests open, the same for all servers.
//!
//! Where a guest may connect is a matter of its server's grants alone.

use std::path::Path;
use std::time::Duration;

use toolgate_runtime::egress::EgressOptions;

use super::quantity::{duration_up_to, size_up_to};
use super::raw::Section;

/// Upper bound of the timeouts; the deadline of a call ends them all earlier.
const MAX_TIMEOUT: Duration = Duration::from_secs(3600);
/// Upper bound of a body. It streams, so this is about traffic and not memory.
const MAX_BODY: u64 = 1 << 40;

pub(super) fn read(section: Option<Section<'_, '_>>, base: &Path) -> EgressOptions {
    let mut options = EgressOptions::default();
    let Some(section) = section else {
        return options;
    };
    let time = || duration_up_to(MAX_TIMEOUT);
    section.set(&mut options.resolve_timeout, "resolve-timeout", "5s", time());
    section.set(&mut options.connect_timeout, "connect-timeout", "10s", time());
    section.set(&mut options.tls_timeout, "tls-timeout", "10s", time());
    section.set(&mut options.first_byte_timeout, "first-byte-timeout", "30s", time());
    section.set(&mut options.between_bytes_timeout, "between-bytes-timeout", "15s", time());
    section.set(&mut options.max_response_body, "max-response-body", "64MiB", size_up_to(MAX_BODY));
    section.set(&mut options.max_request_body, "max-request-body", "16MiB", size_up_to(MAX_BODY));
    options.extra_ca = section.path("extra-ca", "/etc/ssl/internal.pem", base);
    section.finish();
    options
}
