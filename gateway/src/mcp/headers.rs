//! The request headers that mirror the body (2026-07-28, streamable HTTP, "Request Metadata").
//!
//! A proxy may route or refuse by these headers, so what they say must be what is executed:
//! a header that is missing, doubled or different refuses the request.

use http::HeaderMap;
use serde_json::value::RawValue;
pub use toolgate_runtime::peer::header::PROTOCOL_VERSION;
use toolgate_runtime::peer::header::{METHOD, NAME, decode};

use super::params::{Params, text};
use crate::catalog::Mirrored;
use crate::error::Error;

/// The session of a request, in revisions that have sessions.
pub const SESSION_ID: &str = "mcp-session-id";
/// The last event that the client of a broken stream has of it, in revisions that have sessions.
pub const LAST_EVENT_ID: &str = "last-event-id";

/// Checks `Mcp-Method` and `Mcp-Name` against the body of a stateless request.
///
/// # Errors
/// [`Error::HeaderMismatch`] says which header is wrong.
pub fn check(headers: &HeaderMap, method: &str, params: &Params<'_>) -> Result<(), Error> {
    let header = required(headers, METHOD, "Mcp-Method")?;
    if header != method {
        return Err(mismatch("Mcp-Method"));
    }
    let named = match method {
        "tools/call" | "prompts/get" => params.name,
        "resources/read" => params.uri,
        "tasks/get" | "tasks/update" | "tasks/cancel" => params.task_id,
        _ => return Ok(()),
    };
    let header = required(headers, NAME, "Mcp-Name")?;
    let header =
        decode(header).ok_or_else(|| Error::HeaderMismatch("Mcp-Name has a broken encoding".to_owned()))?;
    match named.and_then(text) {
        // A missing name is the method's to complain about.
        None => Ok(()),
        Some(name) if name == header => Ok(()),
        Some(_) => Err(mismatch("Mcp-Name")),
    }
}

/// Checks the headers into which parameters are mirrored against the arguments (`Mcp-Param-*`).
///
/// # Errors
/// [`Error::HeaderMismatch`] says which header is wrong.
pub fn check_mirrored(headers: &HeaderMap, mirrored: &[Mirrored], arguments: &RawValue) -> Result<(), Error> {
    for one in mirrored {
        let Mirrored { header, shown, .. } = one;
        let given = single(headers, header.as_str(), shown)?;
        match (given, one.value(arguments)) {
            (None, None) => {}
            (None, Some(_)) => return Err(Error::HeaderMismatch(format!("the {shown} header is missing"))),
            (Some(_), None) => return Err(mismatch(shown)),
            (Some(given), Some(value)) => {
                let broken = || Error::HeaderMismatch(format!("{shown} has a broken encoding"));
                let given = decode(given).ok_or_else(broken)?;
                if !is_same(&given, value) {
                    return Err(mismatch(shown));
                }
            }
        }
    }
    Ok(())
}

/// Whether a header says what an argument is. Numbers are compared as such: 42.0 is 42.
fn is_same(header: &str, argument: &RawValue) -> bool {
    if let Some(text) = text(argument) {
        return text == header;
    }
    let argument = argument.get();
    let integers = (header.parse::<i128>(), argument.parse::<i128>());
    match (integers, header.parse::<f64>(), argument.parse::<f64>()) {
        ((Ok(header), Ok(argument)), ..) => header == argument,
        #[allow(clippy::float_cmp, reason = "two spellings of one number are the same bits")]
        (_, Ok(header), Ok(argument)) => header == argument,
        _ => header == argument,
    }
}

/// The one value of a header; `None` if it is absent.
///
/// # Errors
/// [`Error::HeaderMismatch`] for two values, or one with other than visible ASCII.
pub fn single<'a>(headers: &'a HeaderMap, name: &str, shown: &str) -> Result<Option<&'a str>, Error> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Error::HeaderMismatch(format!("{shown} is given twice")));
    }
    let value =
        value.to_str().map_err(|_| Error::HeaderMismatch(format!("{shown} has invalid characters")))?;
    Ok(Some(value.trim_ascii()))
}

fn required<'a>(headers: &'a HeaderMap, name: &str, shown: &str) -> Result<&'a str, Error> {
    single(headers, name, shown)?
        .ok_or_else(|| Error::HeaderMismatch(format!("the {shown} header is missing")))
}

fn mismatch(shown: &str) -> Error {
    Error::HeaderMismatch(format!("{shown} differs from the body"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use http::HeaderValue;
    use proptest::prelude::*;
    use toolgate_runtime::peer::header::encode;

    use super::*;

    fn argument(text: &str) -> String {
        format!("\"zone\":{}", serde_json::Value::from(text))
    }

    fn named(value: &HeaderValue, name: &str) -> Result<(), Error> {
        let mut headers = HeaderMap::new();
        headers.insert(METHOD, HeaderValue::from_static("tools/call"));
        headers.insert(NAME, value.clone());
        let params = format!("{{\"name\":{}}}", serde_json::Value::from(name));
        let params = RawValue::from_string(params).unwrap();
        check(&headers, "tools/call", &Params::parse(Some(&params)).unwrap())
    }

    /// Any text, and such as could be taken for an encoded one, or be trimmed.
    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "=?\\?(base64|BASE64)?\\?[A-Za-z0-9+/]{0,8}={0,2}\\?=?",
            "[ \\t]{0,2}[ -~]{0,10}[ \\t]{0,2}",
        ]
    }

    proptest! {
        #[test]
        fn any_text_that_is_encoded_is_itself_again_and_no_other(text in texts(), other in texts()) {
            let header = encode(&text);
            prop_assert_eq!(checked(Some(&header), &argument(&text)), Ok(()));
            prop_assert_eq!(checked(Some(&header), &argument(&other)).is_ok(), text == other);
            let header = HeaderValue::from_str(&header).unwrap();
            prop_assert!(named(&header, &text).is_ok());
            prop_assert_eq!(named(&header, &other).is_ok(), text == other);
        }

        #[test]
        fn any_bytes_of_a_header_are_a_text_or_an_error(
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
            is_framed: bool,
            zone in texts(),
        ) {
            let bytes = match is_framed {
                true => [b"=?base64?", &bytes[..], b"?="].concat(),
                false => bytes,
            };
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                // Either is well, but for a panic, and for what is no text.
                let is_name = named(&value, &zone).is_ok();
                prop_assert!(!is_name || value.to_str().is_ok());
            }
        }
    }

    fn checked(header: Option<&str>, arguments: &str) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert("mcp-param-zone", HeaderValue::from_str(header).unwrap());
        }
        let mirrored = Mirrored {
            header: "mcp-param-zone".parse().unwrap(),
            shown: "Mcp-Param-Zone".to_owned(),
            path: vec!["where".to_owned(), "zone".to_owned()],
        };
        let arguments = RawValue::from_string(format!("{{\"where\":{{{arguments}}}}}")).unwrap();
        check_mirrored(&headers, &[mirrored], &arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn a_header_says_what_its_parameter_is() {
        for (header, arguments) in [
            (Some("a"), r#""zone":"a""#),
            (Some("=?base64?w6Q=?="), r#""zone":"\u00e4""#),
            (Some("=?base64?YQ=="), r#""zone":"=?base64?YQ==""#),
            (Some("42"), r#""zone":42.0"#),
            (Some("42.0"), r#""zone":42"#),
            (Some("18446744073709551616"), r#""zone":18446744073709551616"#),
            (Some("true"), r#""zone":true"#),
            (Some("b"), r#""zone":"a","zone":"b""#),
            (None, r#""zone":null"#),
            (None, ""),
        ] {
            assert_eq!(checked(header, arguments), Ok(()), "{header:?} {arguments}");
        }
    }

    #[test]
    fn one_that_does_not_refuses_the_request() {
        for (header, arguments, why) in [
            (Some("b"), r#""zone":"a""#, "differs from the body"),
            (Some("A"), r#""zone":"a""#, "differs from the body"),
            (Some("a"), "", "differs from the body"),
            (Some("18446744073709551617"), r#""zone":18446744073709551616"#, "differs from the body"),
            (Some("TRUE"), r#""zone":true"#, "differs from the body"),
            (Some("=?base64?YQ?="), r#""zone":"a""#, "has a broken encoding"),
            (Some("=?base64?Y!==?="), r#""zone":"a""#, "has a broken encoding"),
            (None, r#""zone":"a""#, "header is missing"),
            (None, r#""zone":"""#, "header is missing"),
        ] {
            let error = checked(header, arguments).unwrap_err();
            assert!(
                error.contains("Mcp-Param-Zone") && error.ends_with(why),
                "{header:?} {arguments}: {error}"
            );
        }
    }
}
