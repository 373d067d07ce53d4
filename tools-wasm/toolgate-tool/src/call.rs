//! What came with a request, and what can be told while it runs.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::export::bindings::toolgate::tool::client;
use crate::export::bindings::toolgate::tool::types::Request;

/// How much a message matters (RFC 5424, section 6.2.1).
pub use client::Level;

/// One request, while it runs.
#[derive(Clone, Debug, Default)]
pub struct Call {
    meta: Map<String, Value>,
    capabilities: Map<String, Value>,
    responses: Option<Map<String, Value>>,
    state: Option<Vec<u8>>,
}

impl Call {
    pub(crate) fn of(request: &mut Request) -> Self {
        // The gateway gives objects; of what is none, nothing is known.
        let object = |text: &str| serde_json::from_str(text).unwrap_or_default();
        Self {
            meta: object(&request.meta),
            capabilities: object(&request.capabilities),
            responses: request.responses.as_deref().map(object),
            state: request.state.take(),
        }
    }

    /// The metadata of the request: its trace context, say.
    pub fn meta(&self) -> &Map<String, Value> {
        &self.meta
    }

    /// Whether the client has a capability: `elicitation`, `sampling`, `roots`. Without it, it can't be asked.
    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.contains_key(capability)
    }

    /// Whether this is a round after questions.
    pub fn is_answered(&self) -> bool {
        self.responses.is_some()
    }

    /// What the client answered to the question of that name, if it did and it is what it should be. It may be
    /// anything: that of a user who declined, too.
    pub fn answered<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let answer = self.responses.as_ref()?.get(name)?;
        serde_json::from_value(answer.clone()).ok()
    }

    /// What a user filled into a form, if it is what it should be: `None` as well where they declined.
    pub fn elicited<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let answer: Map<String, Value> = self.answered(name)?;
        if answer.get("action")? != "accept" {
            return None;
        }
        serde_json::from_value(answer.get("content")?.clone()).ok()
    }

    /// What the last round left.
    pub fn state(&self) -> Option<&[u8]> {
        self.state.as_deref()
    }

    /// Tells how far the request is.
    pub fn progress(&self, progress: f64, total: Option<f64>, message: Option<&str>) {
        client::progress(progress, total, message);
    }

    /// Logs to the client.
    pub fn log(&self, level: Level, data: &Value) {
        client::log(level, None, &data.to_string());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(responses: Value) -> Call {
        let mut request = Request {
            arguments: "{}".to_owned(),
            meta: r#"{"traceparent":"00-1"}"#.to_owned(),
            capabilities: r#"{"elicitation":{}}"#.to_owned(),
            responses: Some(responses.to_string()),
            state: Some(vec![1]),
        };
        Call::of(&mut request)
    }

    #[test]
    fn what_came_with_a_request_can_be_read() {
        let call = call(json!({ "a": { "roots": [] } }));
        assert_eq!(call.meta()["traceparent"], "00-1");
        assert!(call.can("elicitation") && !call.can("sampling"));
        assert_eq!(call.state(), Some(&[1][..]));
        assert_eq!(call.answered("a"), Some(json!({ "roots": [] })));
        assert_eq!(call.answered::<String>("a"), None);
    }

    #[test]
    fn a_form_is_filled_in_only_where_its_user_accepted() {
        let of = |answer: Value| call(json!({ "a": answer })).elicited::<Map<String, Value>>("a");
        assert!(of(json!({ "action": "accept", "content": { "name": "Ann" } })).is_some());
        for none in [
            json!({ "action": "decline", "content": {} }),
            json!({ "action": "accept" }),
            json!({ "action": "accept", "content": 7 }),
            json!(["accept"]),
            json!(null),
        ] {
            assert_eq!(of(none.clone()), None, "{none}");
        }
    }
}
