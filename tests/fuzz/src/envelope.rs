//! JSON-RPC messages as any client could send them.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use toolgate::error::Error;
use toolgate::mcp::envelope::{self, Fault, Frame, Message};
use toolgate::mcp::era::{self, Era};
use toolgate::mcp::id::Id;
use toolgate::mcp::params::Params;
use toolgate::respond;

use crate::Reached;

/// Bytes of an error reply: no input may make the gateway send more than it received by far.
const MAX_REPLY: usize = 16 * 1024;

/// Reads one body. Whatever is wrong with it can be told in a JSON-RPC error with the right id.
pub fn envelope(data: &[u8]) -> Reached {
    match envelope::parse(data) {
        Ok(Frame::One(message)) => read(&message),
        Ok(Frame::Batch(messages)) => {
            let each = |message| match message {
                Ok(message) => read(&message),
                Err(fault) => refuse(&fault),
            };
            std::iter::once("batch").chain(messages.into_iter().flat_map(each)).collect()
        }
        Err(fault) => refuse(&fault),
    }
}

fn read(message: &Message<'_>) -> Reached {
    match message {
        Message::Request(request) => {
            reply(Some(&request.id), &Error::MethodNotFound(request.method.to_string()));
            let understood = understand(request.params).unwrap_or_else(|error| {
                reply(Some(&request.id), &error);
                name(&error)
            });
            vec!["request", understood]
        }
        Message::Notification(notification) => {
            let understood = understand(notification.params).unwrap_or_else(|error| name(&error));
            vec!["notification", understood]
        }
        Message::Response(_) => vec!["response"],
    }
}

fn understand(params: Option<&RawValue>) -> Result<&'static str, Error> {
    let params = Params::parse(params)?;
    Ok(match era::over_stdio(params.meta()?)? {
        Era::Stateless(_) => "stateless",
        Era::Session(None) => "session",
        Era::Session(Some(_)) => "session of a revision",
    })
}

fn refuse(fault: &Fault) -> Reached {
    reply(fault.id.as_ref(), &fault.error);
    vec![if fault.id.is_some() { "fault with an id" } else { "fault" }, name(&fault.error)]
}

fn name(error: &Error) -> &'static str {
    match error {
        Error::Parse(_) => "not JSON",
        Error::InvalidRequest(_) => "no message",
        Error::Malformed(_) => "malformed",
        Error::UnsupportedVersion(_) => "unsupported revision",
        _ => "another error",
    }
}

fn reply(id: Option<&Id>, error: &Error) {
    let bytes = respond::error(id, error, respond::wire(error, None).code);
    assert!(bytes.len() <= MAX_REPLY, "a reply of {} bytes", bytes.len());
    // Members as text: an id such as -0 must come back as it was written, not as what it means.
    let Ok(reply) = serde_json::from_slice::<BTreeMap<&str, &RawValue>>(&bytes) else {
        panic!("the reply is not a JSON object: {}", String::from_utf8_lossy(&bytes))
    };
    assert!(reply.contains_key("error"), "no error in the reply");
    assert_eq!(reply.get("id").map(|id| id.get()), id.map(Id::json), "the reply has another id");
}
