//! Header fields that belong to the connection, not to the message.
//!
//! A guest that sets them could address another host than the one that was judged (`Host`), make
//! two servers see different message ends (`Transfer-Encoding`), or speak to a proxy on the way.
//! RFC 9110 section 7.6.1 lists the hop-by-hop ones.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::{EgressError, EgressOptions};

/// Whether a guest may neither set nor see a header field.
pub fn is_forbidden(name: &HeaderName) -> bool {
    FORBIDDEN.contains(name) || name.as_str().starts_with("proxy-")
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

/// What goes on the wire: the guest's fields without the forbidden ones, and our `Host` first.
pub(super) fn outgoing(
    theirs: &HeaderMap,
    authority: &str,
    options: &EgressOptions,
) -> Result<HeaderMap, EgressError> {
    let host = HeaderValue::from_str(authority)
        .map_err(|_| EgressError::Request("the host can't be in a header"))?;
    let mut ours = HeaderMap::with_capacity(theirs.len() + 1);
    ours.insert(header::HOST, host);
    for (name, value) in theirs {
        if !is_forbidden(name) {
            ours.append(name, value.clone());
        }
    }
    check_size(&ours, options)?;
    let mut lengths = ours.get_all(header::CONTENT_LENGTH).iter();
    if lengths.next().is_some() && lengths.next().is_some() {
        return Err(EgressError::Request("more than one content-length"));
    }
    Ok(ours)
}

fn check_size(headers: &HeaderMap, options: &EgressOptions) -> Result<(), EgressError> {
    let limit = options.max_headers;
    if headers.len() > limit {
        return Err(EgressError::RequestHeaders { limit });
    }
    // Each field takes `: ` and a line end besides its name and value.
    let bytes: usize = headers.iter().map(|(n, v)| n.as_str().len() + v.len() + 4).sum();
    let limit = options.max_header_bytes;
    if bytes > limit {
        return Err(EgressError::RequestHeaders { limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed parse is a failed test")]
    use super::*;

    fn send(fields: &[(&'static str, &'static str)]) -> Result<HeaderMap, EgressError> {
        let fields = fields.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)));
        let mut theirs = HeaderMap::new();
        fields.for_each(|(n, v)| {
            theirs.append(n, v);
        });
        outgoing(&theirs, "api.example.com", &EgressOptions::default())
    }

    #[test]
    fn a_guest_never_sets_what_belongs_to_the_connection() {
        let sent = send(&[
            ("host", "evil.org"),
            ("connection", "close, x-secret"),
            ("transfer-encoding", "chunked"),
            ("proxy-authorization", "Basic eA=="),
            ("proxy-anything", "1"),
            ("upgrade", "h2c"),
            ("accept", "text/html"),
        ])
        .unwrap();
        let names: Vec<_> = sent.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["host", "accept"]);
        assert_eq!(sent[header::HOST], "api.example.com");
    }

    #[test]
    fn a_request_has_one_length_and_a_bounded_head() {
        assert!(send(&[("content-length", "1"), ("content-length", "2")]).is_err());
        assert!(matches!(send(&[("x-a", "1"); 200]), Err(EgressError::RequestHeaders { .. })));
        let big: &'static str = "x".repeat(70_000).leak();
        assert!(matches!(send(&[("x-a", big)]), Err(EgressError::RequestHeaders { .. })));
    }
}
