//! JSON-RPC messages as any client could send them.

use serde_json::Value;
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

fn understand(params: Option<&serde_json::value::RawValue>) -> Result<(), Error> {
    let params = Params::parse(params)?;
    era::over_stdio(&params.meta()?).map(drop)
}

fn refuse(fault: &Fault) {
    reply(fault.id.as_ref(), &fault.error);
}

fn reply(id: Option<&Id>, error: &Error) {
    let bytes = respond::error(id, error, respond::wire(error, None).code);
    assert!(bytes.len() <= MAX_REPLY, "a reply of {} bytes", bytes.len());
    let Ok(reply) = serde_json::from_slice::<Value>(&bytes) else {
        panic!("the reply is not JSON: {}", String::from_utf8_lossy(&bytes))
    };
    assert!(reply["error"]["message"].is_string(), "{reply}");
    let expected = id.map(|id| id.json().to_owned());
    assert_eq!(reply.get("id").map(Value::to_string), expected, "the reply has another id");
}
