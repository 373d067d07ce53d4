//! What comes of a request: a reply, questions, or a refusal.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::content::{Content, blob_of, text_of};

/// JSON-RPC 2.0, section 5.1.
const INVALID_PARAMS: i32 = -32602;
const INTERNAL: i32 = -32603;

/// What comes of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Its result.
    Reply(Reply),
    /// It can't be answered before its client has answered these.
    Questions(Questions),
}

/// A request that is refused by an error of the protocol. What a tool finds wrong with its arguments is better
/// said by [`Reply::error`], of which a model reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub(crate) code: i32,
    pub(crate) message: String,
    pub(crate) data: Option<Value>,
}

impl Failure {
    /// An error of any code.
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// Parameters that make no sense.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(INVALID_PARAMS, message)
    }

    /// A fault of the server.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(INTERNAL, message)
    }

    /// The same with more about it.
    #[must_use]
    pub fn with(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }
}

/// A result.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    content: Vec<Value>,
    messages: Vec<Value>,
    resources: Vec<Value>,
    members: Map<String, Value>,
}

impl Reply {
    /// One that says nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a tool found wrong, in words that help a model to do better.
    pub fn error(text: impl Into<String>) -> Self {
        Self::from(Content::text(text)).with("isError", Value::Bool(true))
    }

    /// A value that satisfies the tool's output schema, and the same as text for who reads that alone.
    ///
    /// # Errors
    /// Where it is no JSON, as a map whose keys are no strings.
    pub fn structured(value: &impl Serialize) -> Result<Self, Failure> {
        let value = serde_json::to_value(value).map_err(|error| Failure::internal(error.to_string()))?;
        Ok(Self::from(Content::text(value.to_string())).with("structuredContent", value))
    }

    /// One more part.
    #[must_use]
    pub fn and(mut self, content: Content) -> Self {
        self.content.push(content.into_json());
        self
    }

    /// Of a prompt: one more message, of the `user` or the `assistant`.
    #[must_use]
    pub fn message(mut self, role: &str, content: Content) -> Self {
        self.messages.push(json!({ "role": role, "content": content.into_json() }));
        self
    }

    /// Of a resource: what is in it.
    #[must_use]
    pub fn text(mut self, uri: &str, mime_type: &str, text: impl Into<String>) -> Self {
        self.resources.push(text_of(uri, mime_type, text));
        self
    }

    /// The same of bytes.
    #[must_use]
    pub fn blob(mut self, uri: &str, mime_type: &str, bytes: &[u8]) -> Self {
        self.resources.push(blob_of(uri, mime_type, bytes));
        self
    }

    /// The same with one more member: `_meta`, `description`, `ttlMs`.
    #[must_use]
    pub fn with(mut self, member: &str, value: Value) -> Self {
        self.members.insert(member.to_owned(), value);
        self
    }

    pub(crate) fn into_json(self, kind: Kind) -> Value {
        let (member, parts) = match kind {
            Kind::Tool => ("content", self.content),
            Kind::Prompt => ("messages", self.messages),
            Kind::Resource => ("contents", self.resources),
        };
        let mut object = Map::new();
        object.insert(member.to_owned(), Value::Array(parts));
        object.extend(self.members);
        Value::Object(object)
    }
}

/// Of what a reply is the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tool,
    Prompt,
    Resource,
}

impl From<Content> for Reply {
    fn from(content: Content) -> Self {
        Self::new().and(content)
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

impl From<Content> for Answer {
    fn from(content: Content) -> Self {
        Self::Reply(content.into())
    }
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Content::text(text).into()
    }
}

impl From<&str> for Answer {
    fn from(text: &str) -> Self {
        Content::text(text).into()
    }
}

impl From<Questions> for Answer {
    fn from(questions: Questions) -> Self {
        Self::Questions(questions)
    }
}

/// Questions to the client, each under a name by which its answer comes back, see
/// [`Call::answered`](crate::Call::answered).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Questions {
    pub(crate) requests: Map<String, Value>,
    pub(crate) state: Option<Vec<u8>>,
}

impl Questions {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the user to fill in a form: `schema` is that of an object of plain values.
    #[must_use]
    pub fn elicit(self, name: &str, message: &str, schema: Value) -> Self {
        let params = json!({ "message": message, "requestedSchema": schema });
        self.ask(name, "elicitation/create", params)
    }

    /// Asks the client's model to go on with a text, in up to so many tokens.
    #[must_use]
    pub fn sample(self, name: &str, text: &str, max_tokens: u32) -> Self {
        let message = json!({ "role": "user", "content": { "type": "text", "text": text } });
        self.ask(name, "sampling/createMessage", json!({ "messages": [message], "maxTokens": max_tokens }))
    }

    /// Asks where the client works.
    #[must_use]
    pub fn roots(self, name: &str) -> Self {
        self.ask(name, "roots/list", json!({}))
    }

    /// Asks anything that a client can be asked.
    #[must_use]
    pub fn ask(mut self, name: &str, method: &str, params: Value) -> Self {
        self.requests.insert(name.to_owned(), json!({ "method": method, "params": params }));
        self
    }

    /// What the next round needs to know. Nobody else can read or change it.
    #[must_use]
    pub fn state(mut self, state: impl Into<Vec<u8>>) -> Self {
        self.state = Some(state.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_the_result_of_what_was_asked_for() {
        let reply = Reply::from(Content::text("a")).with("_meta", json!({ "b": 1 }));
        let tool = json!({ "content": [{ "type": "text", "text": "a" }], "_meta": { "b": 1 } });
        assert_eq!(reply.into_json(Kind::Tool), tool);
        let prompt = Reply::new().message("user", Content::text("a"));
        let expected =
            json!({ "messages": [{ "role": "user", "content": { "type": "text", "text": "a" } }] });
        assert_eq!(prompt.into_json(Kind::Prompt), expected);
        let resource = Reply::new().text("a:b", "text/plain", "c");
        let expected = json!({ "contents": [{ "uri": "a:b", "mimeType": "text/plain", "text": "c" }] });
        assert_eq!(resource.into_json(Kind::Resource), expected);
    }

    #[test]
    fn what_is_structured_is_told_twice() {
        let reply = Reply::structured(&json!({ "a": 1 })).map(|reply| reply.into_json(Kind::Tool));
        let expected =
            json!({ "content": [{ "type": "text", "text": "{\"a\":1}" }], "structuredContent": { "a": 1 } });
        assert_eq!(reply, Ok(expected));
    }
}
