//! The header section of a request as it goes out: the guest's fields without those that belong to
//! the connection, and the secrets that are bound to its destination.
//!
//! A request that carries a secret may ask for nothing that would hide the secret from the search
//! in the response: no compression, no part of a body, no trailers in place of headers.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::{EgressError, EgressOptions};
use crate::policy::BoundSecret;
use crate::policy::header::is_forbidden;

/// Fields that make a server answer with something other than the whole plain text.
const EVASIVE: [HeaderName; 4] = [header::ACCEPT_ENCODING, header::IF_RANGE, header::RANGE, header::TRAILER];

/// What goes on the wire: our `Host` first, the guest's fields without the forbidden ones, and the
/// secrets, each in place of whatever the guest wrote into its field.
pub(super) fn outgoing(
    theirs: &HeaderMap,
    authority: &str,
    secrets: &[BoundSecret],
    options: &EgressOptions,
) -> Result<HeaderMap, EgressError> {
    let host = HeaderValue::from_str(authority)
        .map_err(|_| EgressError::Request("the host can't be in a header"))?;
    let mut ours = HeaderMap::with_capacity(theirs.len() + secrets.len() + 2);
    ours.insert(header::HOST, host);
    let evasive = |name: &HeaderName| !secrets.is_empty() && EVASIVE.contains(name);
    let replaced = |name: &HeaderName| secrets.iter().any(|secret| secret.replaces(name));
    for (name, value) in theirs {
        if !is_forbidden(name) && !evasive(name) && !replaced(name) {
            ours.append(name, value.clone());
        }
    }
    if !secrets.is_empty() {
        ours.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    for secret in secrets {
        ours.insert(secret.name().clone(), secret.value().clone());
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

    use crate::policy::{Origin, SecretHeader, Template};
    use crate::secret::Secret;

    fn send(fields: &[(&'static str, &'static str)]) -> Result<HeaderMap, EgressError> {
        send_with(fields, &[])
    }

    fn send_with(
        fields: &[(&'static str, &'static str)],
        secrets: &[BoundSecret],
    ) -> Result<HeaderMap, EgressError> {
        let fields = fields.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)));
        let mut theirs = HeaderMap::new();
        fields.for_each(|(n, v)| {
            theirs.append(n, v);
        });
        outgoing(&theirs, "api.example.com", secrets, &EgressOptions::default())
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
    fn bound(name: &str, secret: &str) -> BoundSecret {
        let header = SecretHeader {
            name: SecretHeader::parse_name(name).unwrap(),
            template: Template::default(),
            to: Origin::parse("https://api.example.com").unwrap(),
        };
        header.bind(Secret::from(secret.to_owned())).unwrap()
    }

    #[test]
    fn a_secret_stands_alone_in_its_header() {
        let guests = [
            ("x-api-key", "guess"),
            ("x-api-key", "guess-again"),
            ("x_api_key", "guess"),
            ("x_api-key", "guess"),
            ("x-api-key2", "kept"),
        ];
        let sent = send_with(&guests, &[bound("x-api-key", "hunter2-hunter2")]).unwrap();
        let names: Vec<_> = sent.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["host", "x-api-key2", "accept-encoding", "x-api-key"]);
        let values: Vec<_> = sent.get_all("x-api-key").iter().collect();
        assert_eq!(values, ["hunter2-hunter2"]);
        assert!(!format!("{sent:?}").contains("hunter2"));
    }

    #[test]
    fn a_request_with_a_secret_asks_for_all_of_a_plain_body() {
        let evasive = [
            ("accept-encoding", "gzip"),
            ("range", "bytes=0-3"),
            ("if-range", "\"x\""),
            ("trailer", "x-api-key"),
            ("accept", "text/html"),
        ];
        let sent = send_with(&evasive, &[bound("x-api-key", "hunter2-hunter2")]).unwrap();
        let names: Vec<_> = sent.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["host", "accept", "accept-encoding", "x-api-key"]);
        assert_eq!(sent["accept-encoding"], "identity");
        assert_eq!(send(&evasive).unwrap()["range"], "bytes=0-3");
    }

    #[test]
    fn a_secret_counts_against_the_size_of_the_head() {
        let secrets: Vec<_> = (0..5).map(|i| bound(&format!("x-{i}"), &"x".repeat(15_000))).collect();
        assert!(matches!(send_with(&[], &secrets), Err(EgressError::RequestHeaders { .. })));
    }
}
