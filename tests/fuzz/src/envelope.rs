//! JSON-RPC messages as any client could send them.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use toolgate::error::Error;
use toolgate::mcp::envelope::{self, Fault, Frame, Message};
use toolgate::mcp::era;
use toolgate::mcp::id::Id;
use toolgate::mcp::params::Params;
use toolgate::respond;

/// Bytes of an error reply: no input may make the gateway send more than it received by far.
const MAX_REPLY: usize = 16 * 1024;

/// Reads one body. Whatever is wrong with it can be told in a JSON-RPC error with the right id.
pub fn envelope(data: &[u8]) {
    match envelope::parse(data) {
        Ok(Frame::One(message)) => read(&message),
        Ok(Frame::Batch(messages)) => messages.iter().for_each(|message| match message {
            Ok(message) => read(message),
            Err(fault) => refuse(fault),
        }),
        Err(fault) => refuse(&fault),
    }
}

fn read(message: &Message<'_>) {
    match message {
        Message::Request(request) => {
            if let Err(error) = understand(request.params) {
                reply(Some(&request.id), &error);
            }
            reply(Some(&request.id), &Error::MethodNotFound(request.method.to_string()));
        }
        Message::Notification(notification) => drop(understand(notification.params)),
        Message::Response => {}
    }
}

fn understand(params: Option<&RawValue>) -> Result<(), Error> {
    let params = Params::parse(params)?;
    era::over_stdio(&params.meta()?).map(drop)
}

fn refuse(fault: &Fault) {
    reply(fault.id.as_ref(), &fault.error);
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
