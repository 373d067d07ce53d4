//! AWS Signature Version 4, for a POST without a query. Pure.
//!
//! Rules and names from AWS's "Create a signed AWS API request"; the test is an example of theirs.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use http::header::{AUTHORIZATION, HeaderName};
use sha2::Sha256;

use crate::artifact::digest::Digest;
use crate::secret::Secret;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
pub(super) const DATE: HeaderName = HeaderName::from_static("x-amz-date");
/// Carries the session token of keys that end.
pub(super) const SESSION: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Who signs.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) secret: Secret,
    /// Of keys that end, as those of a role.
    pub(super) session: Option<Secret>,
}

/// What is signed, besides body and time.
pub(super) struct Signed<'a> {
    pub(super) keys: &'a Keys,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) path: &'a str,
    /// All headers that are sent, `Host` among them.
    pub(super) headers: &'a [(HeaderName, &'a str)],
}

impl Signed<'_> {
    /// The headers to send, with the signature.
    pub(super) fn headers(&self, body: &[u8], now: SystemTime) -> Vec<(HeaderName, String)> {
        let now = DateTime::<Utc>::from(now);
        let (time, day) = (now.format("%Y%m%dT%H%M%SZ").to_string(), now.format("%Y%m%d").to_string());
        let mut headers: Vec<(HeaderName, String)> =
            self.headers.iter().map(|(name, value)| (name.clone(), (*value).to_owned())).collect();
        headers.push((DATE, time.clone()));
        headers.extend(self.keys.session.as_ref().map(|token| (SESSION, token.expose().to_owned())));
        headers.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
        let names = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
        let lines: String =
            headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let canonical = format!("POST\n{}\n\n{lines}\n{names}\n{}", self.path, Digest::of(body).hex());
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let text = format!("{ALGORITHM}\n{time}\n{scope}\n{}", Digest::of(canonical.as_bytes()).hex());
        let signature = hex(&mac(&self.key(&day), text.as_bytes()));
        let id = &self.keys.id;
        let authorization =
            format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}");
        headers.push((AUTHORIZATION, authorization));
        headers
    }

    fn key(&self, day: &str) -> [u8; 32] {
        let first = zeroize::Zeroizing::new(format!("AWS4{}", self.keys.secret.expose()));
        let key = mac(first.as_bytes(), day.as_bytes());
        [self.region, self.service, "aws4_request"].iter().fold(key, |key, part| mac(&key, part.as_bytes()))
    }
}

fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    /// The case `post-vanilla` of AWS's own test suite for this signature.
    #[test]
    fn a_request_is_signed_as_in_the_example_of_aws() {
        let keys = Keys {
            id: "AKIDEXAMPLE".to_owned(),
            secret: Secret::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()),
            session: None,
        };
        let headers = [(http::header::HOST, "example.amazonaws.com")];
        let signed =
            Signed { keys: &keys, region: "us-east-1", service: "service", path: "/", headers: &headers };
        // 2015-08-30T12:36:00Z
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        let headers = signed.headers(b"", now);
        let of =
            |wanted: HeaderName| headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| &**value);
        assert_eq!(of(DATE), Some("20150830T123600Z"));
        assert_eq!(
            of(AUTHORIZATION),
            Some(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders=host;x-amz-date, \
                 Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
            )
        );
    }

    #[test]
    fn a_session_token_is_sent_and_signed() {
        let keys = Keys {
            id: "ASIA".to_owned(),
            secret: Secret::from("secret-of-the-role".to_owned()),
            session: Some(Secret::from("token-of-the-session".to_owned())),
        };
        let headers = [(http::header::HOST, "h")];
        let signed = Signed { keys: &keys, region: "r", service: "ecr", path: "/", headers: &headers };
        let headers = signed.headers(b"{}", SystemTime::now());
        assert!(headers.contains(&(SESSION, "token-of-the-session".to_owned())));
        let (_, authorization) = headers.last().expect("the signature comes last");
        assert!(authorization.contains("SignedHeaders=host;x-amz-date;x-amz-security-token,"));
        assert!(!format!("{keys:?}").contains("secret-of-the-role"));
    }
}
