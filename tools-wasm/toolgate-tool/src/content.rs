//! Parts of what a tool or prompt says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// One part: a `ContentBlock` of MCP.
#[derive(Clone, Debug, PartialEq)]
pub struct Content(Value);

impl Content {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self(json!({ "type": "text", "text": text.into() }))
    }

    /// An image, of a type like `image/png`.
    pub fn image(bytes: &[u8], mime_type: &str) -> Self {
        Self(json!({ "type": "image", "data": STANDARD.encode(bytes), "mimeType": mime_type }))
    }

    /// Sound, of a type like `audio/wav`.
    pub fn audio(bytes: &[u8], mime_type: &str) -> Self {
        Self(json!({ "type": "audio", "data": STANDARD.encode(bytes), "mimeType": mime_type }))
    }

    /// A resource of text, whole.
    pub fn resource(uri: &str, mime_type: &str, text: impl Into<String>) -> Self {
        Self(json!({ "type": "resource", "resource": text_of(uri, mime_type, text) }))
    }

    /// A resource of bytes, whole.
    pub fn blob(uri: &str, mime_type: &str, bytes: &[u8]) -> Self {
        Self(json!({ "type": "resource", "resource": blob_of(uri, mime_type, bytes) }))
    }

    /// Where a resource is, for who wants to read it.
    pub fn link(uri: &str, name: &str) -> Self {
        Self(json!({ "type": "resource_link", "uri": uri, "name": name }))
    }

    /// Any part, for what has no function here.
    pub fn raw(json: Value) -> Self {
        Self(json)
    }

    /// The same with one more member: `annotations`, `_meta`, `mimeType` of a link.
    #[must_use]
    pub fn with(mut self, member: &str, value: Value) -> Self {
        self.0[member] = value;
        self
    }

    pub(crate) fn into_json(self) -> Value {
        self.0
    }
}

/// What is in a resource of text.
pub(crate) fn text_of(uri: &str, mime_type: &str, text: impl Into<String>) -> Value {
    json!({ "uri": uri, "mimeType": mime_type, "text": text.into() })
}

/// What is in a resource of bytes.
pub(crate) fn blob_of(uri: &str, mime_type: &str, bytes: &[u8]) -> Value {
    json!({ "uri": uri, "mimeType": mime_type, "blob": STANDARD.encode(bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_the_members_of_its_block() {
        let of = |content: Content| content.into_json();
        assert_eq!(of(Content::text("a")), json!({ "type": "text", "text": "a" }));
        let image = json!({ "type": "image", "data": "AQI=", "mimeType": "image/png" });
        assert_eq!(of(Content::image(&[1, 2], "image/png")), image);
        let blob =
            json!({ "type": "resource", "resource": { "uri": "a:b", "mimeType": "c/d", "blob": "AQ==" } });
        assert_eq!(of(Content::blob("a:b", "c/d", &[1])), blob);
        let link = Content::link("a:b", "b").with("annotations", json!({ "priority": 1 }));
        let expected =
            json!({ "type": "resource_link", "uri": "a:b", "name": "b", "annotations": { "priority": 1 } });
        assert_eq!(of(link), expected);
    }
}
