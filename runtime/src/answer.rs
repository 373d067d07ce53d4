//! The two forms of an answer, structured JSON and text, over one buffer.
//!
//! Most often the text is the JSON or a part of it. Both can be as large as `limits.output`, so
//! they share what they have in common instead of each holding a copy.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use serde_json::value::RawValue;

/// Text that may be a part of a larger one. Cheap to clone.
#[derive(Clone)]
pub struct Text {
    whole: Arc<String>,
    part: Range<usize>,
}

impl Text {
    fn part(&self, part: Range<usize>) -> Self {
        let start = self.part.start;
        Self { whole: Arc::clone(&self.whole), part: start + part.start..start + part.end }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        let part = 0..text.len();
        Self { whole: Arc::new(text), part }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.whole[self.part.clone()]
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: AsRef<str> + ?Sized> PartialEq<T> for Text {
    fn eq(&self, other: &T) -> bool {
        **self == *other.as_ref()
    }
}

/// The text of one JSON value.
#[derive(Clone, Debug)]
pub struct Json(Text);

impl Json {
    /// Takes a text for JSON without looking at it: parsing a large result again to find what its
    /// writer knows would cost as much as writing it.
    pub(crate) fn from_unverified(json: String) -> Self {
        Self(json.into())
    }

    /// The text.
    pub fn get(&self) -> &str {
        &self.0
    }

    /// The value in `part` of the text as people read it: a string without its quotes and escapes,
    /// anything else as JSON.
    pub(crate) fn readable(&self, part: Range<usize>) -> Text {
        let json = self.0.part(part);
        match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            None => json,
            Some(bare) if !bare.contains('\\') => json.part(1..1 + bare.len()),
            Some(_) => serde_json::from_str::<String>(&json).map_or(json, Text::from),
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Box<RawValue>> for Json {
    fn from(json: Box<RawValue>) -> Self {
        Self(String::from(Box::<str>::from(json)).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of a JSON value within a larger one, and whether it is shared.
    fn readable(json: &str) -> (Text, bool) {
        let whole = Json::from_unverified(format!("[{json}]"));
        let text = whole.readable(1..1 + json.len());
        let shared = Arc::ptr_eq(&text.whole, &whole.0.whole);
        (text, shared)
    }

    #[test]
    fn what_reads_as_it_is_written_is_shared() {
        for (json, expected) in
            [(r#"{"a":"b\n"}"#, r#"{"a":"b\n"}"#), (r#""é""#, "é"), (r#""""#, ""), ("1", "1")]
        {
            let (text, shared) = readable(json);
            assert_eq!(text, expected);
            assert!(shared, "{json}");
        }
    }

    #[test]
    fn escapes_are_read_into_a_text_of_their_own() {
        for (json, expected) in [(r#""a\"b""#, "a\"b"), (r#""\\""#, "\\"), (r#""\u0001é""#, "\u{1}é")] {
            let (text, shared) = readable(json);
            assert_eq!(text, expected);
            assert!(!shared, "{json}");
        }
    }

    #[test]
    fn a_part_of_a_part_is_one_of_the_whole() {
        let text = Text::from("abcdef").part(1..5).part(1..3);
        assert_eq!(text, "cd");
        assert_eq!(format!("[{text:>3}] {text:?}"), "[ cd] \"cd\"");
    }
}
