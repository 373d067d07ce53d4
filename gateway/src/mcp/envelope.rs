//! The JSON-RPC envelope: bytes to a message, once, without copying what is inside.
//!
//! Total: any bytes give a message or an error, never a panic. Parameters stay the text they are;
//! methods read what they need from it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::id::Id;
use crate::error::Error;

/// Messages in one batch. Against one body that stands for any number of calls.
const MAX_BATCH: usize = 32;
/// Bytes of a method's name. Against errors inflated by the name they repeat.
const MAX_METHOD: usize = 128;

/// What one body or line holds.
#[derive(Debug)]
pub enum Frame<'a> {
    /// One message.
    One(Message<'a>),
    /// Several, which only revision 2025-03-26 has. Each may be faulty on its own.
    Batch(Vec<Result<Message<'a>, Fault>>),
}

/// One message from a client.
#[derive(Debug)]
pub enum Message<'a> {
    /// It wants an answer.
    Request(Request<'a>),
    /// It wants none.
    Notification(Notification<'a>),
    /// An answer to a request of the gateway's.
    Response(Response<'a>),
}

/// A request.
#[derive(Debug)]
pub struct Request<'a> {
    /// Its id.
    pub id: Id,
    /// Its method.
    pub method: Cow<'a, str>,
    /// Its parameters, unread.
    pub params: Option<&'a RawValue>,
}

/// A notification.
#[derive(Debug)]
pub struct Notification<'a> {
    /// Its method.
    pub method: Cow<'a, str>,
    /// Its parameters, unread.
    pub params: Option<&'a RawValue>,
}

/// An answer to a request.
#[derive(Debug)]
pub struct Response<'a> {
    /// The request's id.
    pub id: Option<Id>,
    /// What came of it.
    pub result: Option<&'a RawValue>,
    /// Why nothing came of it; one of both is there.
    pub error: Option<&'a RawValue>,
}

/// What is wrong with a message, and its id if that could be read.
#[derive(Debug)]
pub struct Fault {
    /// The id to answer to.
    pub id: Option<Id>,
    /// What is wrong.
    pub error: Error,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { id: None, error }
    }
}

/// Reads one body or line.
///
/// # Errors
/// [`Error::Parse`] for bytes that are not JSON, [`Error::InvalidRequest`] for JSON that is no
/// message.
pub fn parse(bytes: &[u8]) -> Result<Frame<'_>, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|e| Error::Parse(e.to_string()))?;
    if !text.trim_ascii_start().starts_with('[') {
        return message(text).map(Frame::One);
    }
    let items: Vec<&RawValue> = serde_json::from_str(text).map_err(unreadable)?;
    if items.is_empty() || items.len() > MAX_BATCH {
        let reason = format!("a batch has 1 to {MAX_BATCH} messages, not {}", items.len());
        return Err(Error::InvalidRequest(reason).into());
    }
    Ok(Frame::Batch(items.into_iter().map(|item| message(item.get())).collect()))
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// A member that is there, be it `null`: `"id": null` is not the same as no id.
pub(super) fn present<'de, D>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn message(text: &str) -> Result<Message<'_>, Fault> {
    if !text.trim_ascii_start().starts_with('{') {
        // Tells an array or number from bytes that are no JSON at all.
        serde_json::from_str::<&RawValue>(text).map_err(unreadable)?;
        return Err(Error::InvalidRequest("a message is a JSON object".to_owned()).into());
    }
    let raw: Raw<'_> = serde_json::from_str(text).map_err(unreadable)?;
    let id = raw.id.map(Id::parse).transpose()?;
    classify(&raw, id.clone()).map_err(|error| Fault { id, error })
}

fn classify<'a>(raw: &Raw<'a>, id: Option<Id>) -> Result<Message<'a>, Error> {
    if raw.jsonrpc.is_none_or(|version| version.get() != "\"2.0\"") {
        return Err(Error::InvalidRequest("`jsonrpc` must be \"2.0\"".to_owned()));
    }
    let answer = raw.result.is_some() || raw.error.is_some();
    match (raw.method, id) {
        (Some(_), _) if answer => Err(Error::InvalidRequest("both a request and a response".to_owned())),
        (Some(method), Some(id)) => {
            Ok(Message::Request(Request { id, method: name(method)?, params: raw.params }))
        }
        (Some(method), None) => {
            Ok(Message::Notification(Notification { method: name(method)?, params: raw.params }))
        }
        (None, id) if answer => Ok(Message::Response(Response { id, result: raw.result, error: raw.error })),
        (None, _) => Err(Error::InvalidRequest("`method` is missing".to_owned())),
    }
}

fn name(raw: &RawValue) -> Result<Cow<'_, str>, Error> {
    let name = super::params::text(raw)
        .ok_or_else(|| Error::InvalidRequest("`method` must be a string".to_owned()))?;
    if name.len() > MAX_METHOD {
        let reason = format!("`method` is longer than {MAX_METHOD} bytes");
        return Err(Error::InvalidRequest(reason));
    }
    Ok(name)
}

fn unreadable(error: serde_json::Error) -> Fault {
    match error.classify() {
        Category::Data => Error::InvalidRequest(error.to_string()).into(),
        Category::Syntax | Category::Eof | Category::Io => Error::Parse(error.to_string()).into(),
    }
}
