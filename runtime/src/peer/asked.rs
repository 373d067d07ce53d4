//! What a server asks its client: which call it is for, and the lines that answer it.
//!
//! A request of a server names no call, so it is taken to be for the one that is under way, where that is one alone
//! that may be asked; of several nobody could tell whose user is meant.

use std::collections::HashMap;

use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::capabilities::ClientCapabilities;
use super::message;
use super::session::Pending;

/// Requests that wait to be answered, of one call. Against a server that asks on and on.
pub const MAX_WAITING: usize = 16;

/// A request of a server to its client.
#[derive(Debug)]
pub struct Asked {
    pub(super) id: Box<RawValue>,
    /// What it wants: of those that reach a call `elicitation/create`, `sampling/createMessage` or `roots/list`.
    pub method: String,
    /// A JSON object, where it is there.
    pub params: Option<Box<RawValue>>,
}

impl Asked {
    /// Its id, JSON text.
    pub(crate) fn id(&self) -> &RawValue {
        &self.id
    }

    /// What a client must be able to do, to be asked that.
    #[must_use]
    pub fn needed(&self) -> ClientCapabilities {
        ClientCapabilities::needed(&self.method, self.params.as_deref()).unwrap_or_default()
    }
}

/// Where what a server asks for a call goes.
pub type Questions = mpsc::Sender<Asked>;

/// Passes a request on to the call that it is for; what comes is the line that answers it where there is none.
pub(super) fn pass_on(pending: &HashMap<u64, Pending>, asked: Asked) -> Option<Vec<u8>> {
    if ClientCapabilities::needed(&asked.method, None).is_none() {
        return Some(message::answer(&asked.id, &asked.method));
    }
    let mut calls = pending.values().filter_map(|pending| pending.questions.as_ref());
    let why = match (calls.next(), calls.next()) {
        (Some(call), None) => match call.try_send(asked) {
            Ok(()) => return None,
            Err(mpsc::error::TrySendError::Full(asked)) => (asked, "too many requests wait for an answer"),
            Err(mpsc::error::TrySendError::Closed(asked)) => (asked, "nobody can be asked"),
        },
        (None, _) => (asked, "no call is under way whose client could be asked"),
        (Some(_), Some(_)) => (asked, "several calls are under way, and it is not known which this is for"),
    };
    Some(message::refusal(&why.0.id, why.1))
}
