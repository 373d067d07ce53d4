//! Hides secrets in a response, where the server repeats what it was sent: error pages do that, and
//! so do servers made for debugging.
//!
//! Only a text that is there as it is can be searched, so a response that is compressed although
//! that was not asked for is refused.

use http::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use http::{Response, response};
use hyper::body::Body;

use super::EgressError;
use crate::policy::BoundSecret;
use crate::secret::Mask;

/// Characters of a server's text in an error. Against a log filled by one header.
const SHOWN: usize = 64;

/// Hides `secrets` in the headers of a response, and gives the mask for its body.
///
/// # Errors
/// If the body is encoded.
pub(super) fn in_head<B: Body>(
    response: Response<B>,
    secrets: &[BoundSecret],
) -> Result<(Response<B>, Option<Mask>), EgressError> {
    let Some(mut mask) = Mask::new(secrets.iter().map(|bound| bound.secret().clone())) else {
        return Ok((response, None));
    };
    let (mut head, body) = response.into_parts();
    if !body.is_end_stream() {
        check_coding(&head)?;
    }
    head.headers = in_headers(&mut mask, head.headers);
    Ok((Response::from_parts(head, body), Some(mask)))
}

fn check_coding(head: &response::Parts) -> Result<(), EgressError> {
    let codings = head.headers.get_all(CONTENT_ENCODING).iter();
    let mut others = codings.filter(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    match others.next() {
        None => Ok(()),
        Some(coding) => {
            let coding = String::from_utf8_lossy(coding.as_bytes()).chars().take(SHOWN).collect();
            Err(EgressError::Encoded { coding })
        }
    }
}

/// Hides the secrets in the values of header fields.
pub(super) fn in_headers(mask: &mut Mask, mut headers: HeaderMap) -> HeaderMap {
    for value in headers.values_mut() {
        let masked = mask.whole(value.as_bytes());
        if masked != value.as_bytes() {
            // Asterisks are allowed wherever a secret was; what can't be is not repeated.
            *value = HeaderValue::from_bytes(&masked).unwrap_or(HeaderValue::from_static(""));
        }
    }
    headers
}
