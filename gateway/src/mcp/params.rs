//! The parameters of a request: the members that any method here reads, found in one pass.

use std::borrow::Cow;
use std::cell::OnceCell;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::envelope::present;
use crate::error::Error;

/// Members of `params`, each as its JSON text; `None` where absent.
#[derive(Debug, Default, Deserialize)]
pub struct Params<'a> {
    /// `tools/call`, `prompts/get`: the tool, the prompt.
    #[serde(borrow, default, deserialize_with = "present")]
    pub name: Option<&'a RawValue>,
    /// The same: its arguments.
    #[serde(borrow, default, deserialize_with = "present")]
    arguments: Option<&'a RawValue>,
    /// Lists: where to go on.
    #[serde(borrow, default, deserialize_with = "present")]
    pub cursor: Option<&'a RawValue>,
    /// `initialize`: the revision that the client would speak.
    #[serde(borrow, default, deserialize_with = "present", rename = "protocolVersion")]
    pub protocol_version: Option<&'a RawValue>,
    /// `notifications/cancelled`: the request that is withdrawn.
    #[serde(borrow, default, deserialize_with = "present", rename = "requestId")]
    pub request_id: Option<&'a RawValue>,
    /// `resources/read`: the resource.
    #[serde(borrow, default, deserialize_with = "present")]
    pub uri: Option<&'a RawValue>,
    /// `logging/setLevel`: from which level on.
    #[serde(borrow, default, deserialize_with = "present")]
    pub level: Option<&'a RawValue>,
    /// `completion/complete`: the prompt or the template.
    #[serde(borrow, default, deserialize_with = "present", rename = "ref")]
    pub reference: Option<&'a RawValue>,
    /// The same: its argument, and the part of it that is there.
    #[serde(borrow, default, deserialize_with = "present")]
    pub argument: Option<&'a RawValue>,
    /// The same: what other arguments are.
    #[serde(borrow, default, deserialize_with = "present")]
    pub context: Option<&'a RawValue>,
    /// `subscriptions/listen`: what to tell of.
    #[serde(borrow, default, deserialize_with = "present")]
    pub notifications: Option<&'a RawValue>,
    /// `initialize`: what the client can do.
    #[serde(borrow, default, deserialize_with = "present")]
    pub capabilities: Option<&'a RawValue>,
    /// A request that comes again: what the client answered to the questions of the last round.
    #[serde(borrow, default, deserialize_with = "present", rename = "inputResponses")]
    pub input_responses: Option<&'a RawValue>,
    /// The same: what came along with the questions.
    #[serde(borrow, default, deserialize_with = "present", rename = "requestState")]
    pub request_state: Option<&'a RawValue>,
    /// `tasks/get`, `tasks/update`, `tasks/cancel`: the task.
    #[serde(borrow, default, deserialize_with = "present", rename = "taskId")]
    pub task_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present", rename = "_meta")]
    meta: Option<&'a RawValue>,
    /// Read once, as both the era and the call ask for it.
    #[serde(skip)]
    meta_read: OnceCell<Meta<'a>>,
}

/// The members of `_meta` by which a request says what it wants to hear, and a stateless one what a session
/// would know.
#[derive(Debug, Default, Deserialize)]
pub struct Meta<'a> {
    /// The revision that the request is written in.
    #[serde(
        borrow,
        default,
        deserialize_with = "present",
        rename = "io.modelcontextprotocol/protocolVersion"
    )]
    pub protocol_version: Option<&'a RawValue>,
    /// What the client can do.
    #[serde(
        borrow,
        default,
        deserialize_with = "present",
        rename = "io.modelcontextprotocol/clientCapabilities"
    )]
    pub client_capabilities: Option<&'a RawValue>,
    /// By which name the client wants to hear how far the request is.
    #[serde(borrow, default, deserialize_with = "present", rename = "progressToken")]
    pub progress_token: Option<&'a RawValue>,
    /// Of which trace the request is a part.
    #[serde(borrow, default, deserialize_with = "present")]
    pub traceparent: Option<&'a RawValue>,
    /// From which level on it wants to hear what is logged.
    #[serde(borrow, default, deserialize_with = "present", rename = "io.modelcontextprotocol/logLevel")]
    pub log_level: Option<&'a RawValue>,
}

impl<'a> Params<'a> {
    /// Reads the parameters of a message; absent ones are empty.
    ///
    /// # Errors
    /// [`Error::Malformed`] for anything but an object.
    pub fn parse(raw: Option<&'a RawValue>) -> Result<Self, Error> {
        let Some(raw) = raw else { return Ok(Self::default()) };
        if !is_object(raw) {
            return Err(Error::Malformed("`params` must be an object".to_owned()));
        }
        serde_json::from_str(raw.get()).map_err(|e| Error::Malformed(format!("`params`: {e}")))
    }

    /// The arguments of a tool or prompt; absent, or `null`, they are empty.
    ///
    /// # Errors
    /// [`Error::InvalidParams`] for anything but an object.
    pub fn arguments(&self) -> Result<Box<RawValue>, Error> {
        match self.arguments.filter(|raw| raw.get() != "null") {
            None => Ok(empty_object()),
            Some(arguments) if is_object(arguments) => Ok(arguments.to_owned()),
            Some(_) => Err(Error::InvalidParams("`arguments` must be an object".to_owned())),
        }
    }

    /// The whole of `_meta`, where it is there and an object.
    #[must_use]
    pub fn raw_meta(&self) -> Option<&'a RawValue> {
        self.meta.filter(|raw| is_object(raw))
    }

    /// The members of `_meta`; absent, it is empty.
    ///
    /// # Errors
    /// [`Error::Malformed`] for anything but an object.
    pub fn meta(&self) -> Result<&Meta<'a>, Error> {
        if let Some(read) = self.meta_read.get() {
            return Ok(read);
        }
        let read = match self.meta {
            None => Meta::default(),
            Some(raw) if is_object(raw) => {
                serde_json::from_str(raw.get()).map_err(|e| Error::Malformed(format!("`_meta`: {e}")))?
            }
            Some(_) => return Err(Error::Malformed("`_meta` must be an object".to_owned())),
        };
        Ok(self.meta_read.get_or_init(|| read))
    }
}

/// The arguments of whoever gives none.
pub(super) fn empty_object() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")
}

/// Whether a JSON text is an object.
pub(super) fn is_object(raw: &RawValue) -> bool {
    raw.get().starts_with('{')
}

/// The string that a JSON text is; `None` for any other value.
pub(crate) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str(raw.get()).ok().map(|Text(text)| text)
}
