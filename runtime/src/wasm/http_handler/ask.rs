//! A call as a request of MCP, and what the response to it means.

use serde_json::value::RawValue;

use super::Handler;
use super::exchange::{Exchange, Fault, Replied};
use crate::notice::Notices;
use crate::peer::Reference;
use crate::peer::stateless::{Answered, Ask, ReplyError, Request, Terms, answered};
use crate::sandbox::{CallError, Content, Description, Dialogue, MAX_STATE, Outcome, Questions, Target};
use crate::wasm::surface::nonsense;

/// The id of each request: an instance has no other.
const ID: u64 = 1;

impl Handler {
    /// The request that a call is.
    ///
    /// # Errors
    /// [`CallError::Arguments`] for what no request can say.
    pub(in crate::wasm) fn request(
        &self,
        description: &Description,
        target: &Target,
        arguments: &RawValue,
        dialogue: &Dialogue,
        notices: Option<&Notices>,
    ) -> Result<Exchange, CallError> {
        let missing = || CallError::Internal(format!("the component has nothing for {target:?}"));
        let name = description.key(target).ok_or_else(missing)?;
        let ask = match target {
            Target::Tool(tool) => Ask::Tool(name, arguments, self.mirrored(*tool)),
            Target::Prompt(_) => Ask::Prompt(name, arguments),
            Target::Resource(_) | Target::Subscription(_) => Ask::Resource(name),
            Target::Completion(Reference::Prompt(_)) => Ask::Completion(Reference::Prompt(name), arguments),
            Target::Completion(Reference::Template(_)) => {
                Ask::Completion(Reference::Template(name), arguments)
            }
        };
        let state = dialogue.state.as_deref().map(std::str::from_utf8).transpose();
        let terms = Terms {
            meta: dialogue.meta.as_deref(),
            capabilities: dialogue.capabilities.as_deref(),
            responses: dialogue.responses.as_deref(),
            state: state.map_err(|_| CallError::Internal("a state that is no text".to_owned()))?,
            progress: notices.is_some_and(Notices::progress),
            level: notices.and_then(Notices::level),
        };
        self.exchange(&ask, &terms)
    }

    /// The request that asks for a part of what it offers.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub(in crate::wasm) fn question(&self, ask: &Ask<'_>) -> Result<Exchange, CallError> {
        self.exchange(ask, &Terms::default())
    }

    fn exchange(&self, ask: &Ask<'_>, terms: &Terms<'_>) -> Result<Exchange, CallError> {
        let request = Request::of(ID, ask, terms).map_err(|error| CallError::Arguments(error.to_string()))?;
        Ok(Exchange::new(request, self.limit))
    }
}

/// What a response says of a call: an outcome of which the result has up to `limit` bytes.
///
/// # Errors
/// [`CallError::Refused`] by the component's own word, [`CallError::Trap`] for a response that is none.
pub(in crate::wasm) fn outcome(replied: Replied, limit: u64) -> Result<Outcome, CallError> {
    let result = result(replied, limit)?;
    match answered(result).map_err(|why| nonsense("result", &why))? {
        Answered::Complete { result, is_error } => {
            Ok(Outcome { is_error, content: Content::Message(result) })
        }
        Answered::InputRequired { requests, state } => {
            let bytes = state.as_ref().map_or(0, String::len);
            if bytes > MAX_STATE {
                return Err(nonsense("state", &format!("it has {bytes} bytes of at most {MAX_STATE}")));
            }
            let state = state.map(String::into_bytes);
            let content = Content::Questions(Questions { requests, state, waiting: None });
            Ok(Outcome { is_error: false, content })
        }
    }
}

/// The result of a response, of up to `limit` bytes.
///
/// # Errors
/// As [`outcome`].
pub(in crate::wasm) fn result(replied: Replied, limit: u64) -> Result<Box<RawValue>, CallError> {
    match replied {
        Ok(Ok(result)) if result.get().len() as u64 > limit => Err(CallError::Output { limit }),
        Ok(Ok(result)) => Ok(result),
        Ok(Err(refusal)) => {
            Err(CallError::Refused { code: refusal.code, message: refusal.message, data: refusal.data })
        }
        Err(Fault::Reply(ReplyError::TooLong { .. })) => Err(CallError::Output { limit }),
        Err(why) => Err(nonsense("response", &why.to_string())),
    }
}
