//! JSON-RPC messages of an MCP server, and those to it. Results and parameters stay the text they are.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::asked::Asked;

/// What a server sent.
#[derive(Debug)]
pub(super) enum Message {
    /// The answer to a request of ours.
    Response(u64, Result<Box<RawValue>, Refusal>),
    /// A request to us.
    Request(Asked),
    /// It only tells.
    Notification(Notification),
}

/// What a server tells unasked.
#[derive(Debug)]
pub struct Notification {
    /// Of what kind.
    pub method: String,
    /// What.
    pub params: Option<Box<RawValue>>,
}

/// A JSON-RPC error that a server answered with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("the server answered with error {code}: {message}")]
pub struct Refusal {
    /// Its code.
    #[serde(default)]
    pub code: i64,
    /// Its text, of which the first bytes are kept.
    #[serde(default, deserialize_with = "short")]
    pub message: String,
    /// What else it says, JSON text; nothing where that is too long.
    #[serde(default, deserialize_with = "small")]
    pub data: Option<Box<str>>,
}

/// Bytes of a server's own words that are kept. Against logs and replies filled by one error.
const MAX_WORDS: usize = 1024;

/// Bytes of what else it says. Against the same.
pub(crate) const MAX_DATA: usize = 64 * 1024;

fn small<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Box<str>>, D::Error> {
    let data = <&RawValue>::deserialize(deserializer)?.get();
    Ok((data.len() <= MAX_DATA).then(|| data.into()))
}

fn short<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let mut text = String::deserialize(deserializer)?;
    text.truncate(text.floor_char_boundary(MAX_WORDS));
    Ok(text)
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// A member that is there, also if it is `null`.
fn present<'de: 'a, 'a, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads one line; `None` where it is no message.
pub(super) fn parse(line: &[u8]) -> Option<Message> {
    // An array in its place would be read as one, member by member.
    if !line.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let raw: Raw<'_> = serde_json::from_slice(line).ok()?;
    let owned = |raw: &RawValue| raw.to_owned();
    match (raw.method, raw.id) {
        (Some(method), Some(id)) => {
            let (method, params) = (method.into_owned(), raw.params.map(owned));
            Some(Message::Request(Asked { id: owned(id), method, params }))
        }
        (Some(method), None) => {
            let (method, params) = (method.into_owned(), raw.params.map(owned));
            Some(Message::Notification(Notification { method, params }))
        }
        (None, Some(id)) => {
            let id = id.get().parse().ok()?;
            let result = match (raw.result, raw.error) {
                (Some(result), _) => Ok(owned(result)),
                (None, Some(error)) => Err(serde_json::from_str(error.get()).ok()?),
                (None, None) => return None,
            };
            Some(Message::Response(id, result))
        }
        (None, None) => None,
    }
}

/// The error of a message that answers with one and names no request, as whoever could not read it does.
pub(crate) fn refused(message: &[u8]) -> Option<Refusal> {
    #[derive(Deserialize)]
    struct Refused {
        #[serde(default)]
        id: Option<serde::de::IgnoredAny>,
        error: Refusal,
    }
    let is_object = message.trim_ascii_start().starts_with(b"{");
    let Refused { id, error } = serde_json::from_slice(message).ok().filter(|_| is_object)?;
    id.is_none().then_some(error)
}

/// The line of a request.
pub(crate) fn request(id: u64, method: &str, params: &str) -> Vec<u8> {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\",\"params\":{}}}\n",
        on_one_line(params)
    )
    .into()
}

/// The line of a notification.
pub(crate) fn notification(method: &str, params: &str) -> Vec<u8> {
    format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\",\"params\":{}}}\n", on_one_line(params)).into()
}

/// The line that answers a request of the server.
pub(super) fn answer(id: &RawValue, method: &str) -> Vec<u8> {
    let id = on_one_line(id.get());
    match method {
        "ping" => format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{}}}}\n").into(),
        _ => format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\":-32601,\"message\":\"not offered here\"}}}}\n"
        )
        .into(),
    }
}

/// The line that answers a request of the server by a result, a JSON object.
pub(crate) fn result(id: &RawValue, result: &RawValue) -> Vec<u8> {
    let (id, result) = (on_one_line(id.get()), on_one_line(result.get()));
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}\n").into()
}

/// The line that refuses one.
pub(crate) fn refusal(id: &RawValue, why: &str) -> Vec<u8> {
    let (id, why) = (on_one_line(id.get()), serde_json::Value::from(why));
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\":-32603,\"message\":{why}}}}}\n").into()
}

/// JSON text as a line can hold it: outside of strings a line's end is white space, inside there is none.
fn on_one_line(json: &str) -> Cow<'_, str> {
    if json.contains(['\n', '\r']) { json.replace(['\n', '\r'], " ").into() } else { json.into() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    #[test]
    fn a_result_stays_the_text_that_it_is() {
        let text = r#"{"b":1,  "a":18446744073709551616.0, "b":[1e400]}"#;
        let line = format!(r#"{{"jsonrpc":"2.0","result":{text},"id":7}}"#);
        let Some(Message::Response(7, Ok(result))) = parse(line.as_bytes()) else { panic!("{line}") };
        assert_eq!(result.get(), text);
    }

    #[test]
    fn a_result_that_is_null_is_one() {
        let Some(Message::Response(7, Ok(result))) = parse(br#"{"id":7,"result":null}"#) else { panic!() };
        assert_eq!(result.get(), "null");
    }

    #[test]
    fn what_is_no_message_is_none() {
        for line in
            ["", "hello", "[]", "{}", r#"{"id":"x","result":1}"#, r#"{"id":1}"#, "\u{1f600}", "{\"id\":-1}"]
        {
            assert!(parse(line.as_bytes()).is_none(), "{line}");
        }
        assert!(parse(&[0xff, 0xfe]).is_none());
    }

    #[test]
    fn an_error_keeps_code_and_the_beginning_of_its_text() {
        let long = "é".repeat(4000);
        let line = format!(r#"{{"id":1,"error":{{"code":-32000,"message":"{long}","data":[1]}}}}"#);
        let Some(Message::Response(1, Err(refusal))) = parse(line.as_bytes()) else { panic!("{line}") };
        assert_eq!((refusal.code, refusal.message.len()), (-32000, MAX_WORDS));
    }

    #[test]
    fn a_message_is_one_line_whatever_its_parameters_look_like() {
        let line = request(1, "tools/call", "{\n\"a\":\r\n\"\\n\"}");
        assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1);
        assert!(matches!(parse(&line), Some(Message::Request(asked)) if asked.method == "tools/call"));
    }
}
