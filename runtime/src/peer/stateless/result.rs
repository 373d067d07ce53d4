//! What a result says: what a server speaks and has, and whether a call is complete or asks its client.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::REVISION;
use crate::peer::client::{self, Capabilities, ClientError, Greeting};

/// Revisions that are shown of those that a server speaks, and bytes of each.
const MAX_SHOWN: usize = 8;
const MAX_REVISION: usize = 32;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Discovered {
    supported_versions: Vec<String>,
    #[serde(default)]
    capabilities: Capabilities,
}

/// What a server says of itself, of the result of `server/discover`.
///
/// # Errors
/// [`ClientError`] where that is none, or does not name this revision.
pub fn discovered(result: &RawValue) -> Result<Greeting, ClientError> {
    let Discovered { mut supported_versions, capabilities } = client::read("server/discover", result)?;
    if supported_versions.iter().any(|version| version == REVISION) {
        return Ok(capabilities.greeting(REVISION.to_owned()));
    }
    supported_versions.truncate(MAX_SHOWN);
    supported_versions
        .iter_mut()
        .for_each(|version| version.truncate(version.floor_char_boundary(MAX_REVISION)));
    Err(ClientError::Stateless(supported_versions.join(", ")))
}

/// What a result of a call is.
#[derive(Debug)]
pub enum Answered {
    /// The result, and whether it is one of an error.
    Complete {
        /// A JSON object, as its server wrote it.
        result: Box<RawValue>,
        /// Its verdict.
        is_error: bool,
    },
    /// Questions to its client, to be answered in a round of their own.
    InputRequired {
        /// A JSON object of requests by name; of none where the server wants to be asked again and nothing else.
        requests: Box<RawValue>,
        /// What the server kept for the next round.
        state: Option<String>,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read<'a> {
    #[serde(borrow, default)]
    result_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    input_requests: Option<&'a RawValue>,
    #[serde(default)]
    request_state: Option<String>,
}

/// Reads the result of a call. One that does not say so is complete.
///
/// # Errors
/// Why it is no result.
pub fn answered(result: Box<RawValue>) -> Result<Answered, String> {
    let is_error = client::is_error(&result)?;
    let read: Read<'_> = serde_json::from_str(result.get()).map_err(|error| error.to_string())?;
    match read.result_type.as_deref() {
        None | Some("complete") => Ok(Answered::Complete { result, is_error }),
        Some("input_required") => {
            let requests = match (read.input_requests, &read.request_state) {
                (Some(requests), _) if requests.get().starts_with('{') => requests.to_owned(),
                (Some(_), _) => return Err("its `inputRequests` are no object".to_owned()),
                (None, Some(_)) => RawValue::from_string("{}".to_owned()).expect("an empty object is JSON"),
                (None, None) => {
                    return Err("it has neither `inputRequests` nor a `requestState`".to_owned());
                }
            };
            Ok(Answered::InputRequired { requests, state: read.request_state })
        }
        Some(other) => {
            let shown: String = other.chars().take(MAX_REVISION).collect();
            Err(format!("its `resultType` is {shown:?}, which is neither complete nor input_required"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn a_server_says_what_it_has() {
        let said =
            raw(r#"{"supportedVersions":["1","2026-07-28"],"capabilities":{"tools":{},"logging":{}}}"#);
        let expected =
            Greeting { revision: REVISION.to_owned(), tools: true, logging: true, ..Greeting::default() };
        assert_eq!(discovered(&said), Ok(expected));
    }

    #[test]
    fn one_that_speaks_other_revisions_says_which() {
        let error =
            discovered(&raw(r#"{"supportedVersions":["2025-11-25","x"],"capabilities":{}}"#)).unwrap_err();
        assert_eq!(error.to_string(), r#"it speaks revisions "2025-11-25, x" of MCP, and not 2026-07-28"#);
        let error = discovered(&raw("{}")).unwrap_err().to_string();
        assert!(error.starts_with("its answer to server/discover makes no sense: missing field"), "{error}");
    }

    #[test]
    fn a_result_is_complete_or_asks() {
        for (json, error) in [
            (r#"{"content":[]}"#, false),
            (r#"{"resultType":"complete","isError":true}"#, true),
            (r#"{"resultType":"compl\u0065te","requestState":"x"}"#, false),
        ] {
            let Ok(Answered::Complete { result, is_error }) = answered(raw(json)) else { panic!("{json}") };
            assert_eq!((result.get(), is_error), (json, error));
        }
        for (json, expected, kept) in [
            (r#"{"resultType":"input_required","inputRequests":{ "a":{} }}"#, r#"{ "a":{} }"#, None),
            (
                r#"{"resultType":"input_required","inputRequests":{},"requestState":"\u0000"}"#,
                "{}",
                Some("\0"),
            ),
            (r#"{"resultType":"input_required","requestState":""}"#, "{}", Some("")),
        ] {
            let Ok(Answered::InputRequired { requests, state }) = answered(raw(json)) else {
                panic!("{json}")
            };
            assert_eq!((requests.get(), state.as_deref()), (expected, kept));
        }
    }

    #[test]
    fn what_is_neither_is_told() {
        for (json, why) in [
            ("7", "it is no object"),
            (r#"["complete"]"#, "it is no object"),
            (r#"{"resultType":7}"#, "invalid type"),
            (r#"{"resultType":"task"}"#, r#"its `resultType` is "task""#),
            (r#"{"resultType":"input_required"}"#, "it has neither"),
            (r#"{"resultType":"input_required","inputRequests":[]}"#, "its `inputRequests` are no object"),
            (r#"{"resultType":"input_required","requestState":{}}"#, "invalid type"),
        ] {
            let error = answered(raw(json)).unwrap_err();
            assert!(error.starts_with(why), "{json}: {error}");
        }
    }
}
