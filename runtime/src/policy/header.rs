//! Header fields that belong to the connection, not to the message.
//!
//! A guest that sets them could address another host than the one that was judged (`Host`), make
//! two servers see different message ends (`Transfer-Encoding`), or speak to a proxy on the way.
//! RFC 9110 section 7.6.1 lists the hop-by-hop ones.

use http::header::{self, HeaderName};

/// Whether a guest may neither set nor see a header field.
pub fn is_forbidden(name: &HeaderName) -> bool {
    FORBIDDEN.contains(name) || name.as_str().starts_with("proxy-")
}

/// Whether no secret may stand in a header field: because of the above, or because the field says
/// how the message is to be read and not who sends it.
pub fn is_unfit_for_secrets(name: &HeaderName) -> bool {
    is_forbidden(name) || FRAMING.contains(name)
}

const FORBIDDEN: [HeaderName; 11] = [
    header::CONNECTION,
    header::EXPECT,
    header::HOST,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    // Read by some servers in place of the method that was judged.
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-method-override"),
];

const FRAMING: [HeaderName; 8] = [
    header::ACCEPT_ENCODING,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::IF_RANGE,
    header::RANGE,
    header::TRAILER,
];
