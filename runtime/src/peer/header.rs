//! Headers of requests of MCP over HTTP, and the form in which any text can be one (2026-07-28, streamable HTTP, "Value
//! Encoding").

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The protocol revision of a request.
pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// Its method.
pub const METHOD: &str = "mcp-method";
/// What it is asked of: a name, or a URI.
pub const NAME: &str = "mcp-name";

const SENTINEL: (&str, &str) = ("=?base64?", "?=");

/// A header value as the text it stands for; `None` if its Base64 form is broken.
#[must_use]
pub fn decode(value: &str) -> Option<Cow<'_, str>> {
    match encoded(value) {
        None => Some(Cow::Borrowed(value)),
        Some(encoded) => {
            let bytes = STANDARD.decode(encoded).ok()?;
            String::from_utf8(bytes).ok().map(Cow::Owned)
        }
    }
}

/// A text as a header value: as it is where that is one, and arrives as one.
#[must_use]
pub fn encode(text: &str) -> Cow<'_, str> {
    let is_visible = text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    let is_trimmed = !text.is_empty() && text.trim_ascii() == text;
    match is_visible && is_trimmed && encoded(text).is_none() {
        true => Cow::Borrowed(text),
        false => Cow::Owned(format!("{}{}{}", SENTINEL.0, STANDARD.encode(text), SENTINEL.1)),
    }
}

fn encoded(value: &str) -> Option<&str> {
    value.strip_prefix(SENTINEL.0)?.strip_suffix(SENTINEL.1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_encoded_where_it_would_not_arrive_as_it_is() {
        for plain in ["a", "tools/call", "a b", "=?base64?", "?=", "file:///%20x?y=~"] {
            assert_eq!(encode(plain), plain);
        }
        for (text, value) in [
            ("", "=?base64??="),
            (" a", "=?base64?IGE=?="),
            ("a\n", "=?base64?YQo=?="),
            ("\u{e4}", "=?base64?w6Q=?="),
            ("=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?="),
        ] {
            assert_eq!(encode(text), value);
        }
    }

    proptest! {
        #[test]
        fn every_text_is_a_header_and_is_read_as_it_was(text in any::<String>(), ascii in "[ -~\\t]{0,30}") {
            for text in [text, ascii] {
                let value = HeaderValue::from_str(&encode(&text)).unwrap();
                let value = value.to_str().unwrap();
                prop_assert_eq!(value.trim_ascii(), value);
                let decoded = decode(value);
                prop_assert_eq!(decoded.as_deref(), Some(text.as_str()));
            }
        }

        #[test]
        fn no_header_panics(text in ".{0,60}") {
            let _ = decode(&text);
        }
    }
}
