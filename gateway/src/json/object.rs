//! A JSON object that is edited member by member. What is not edited stays the text that it was: order, numbers, white
//! space and names that are there twice.

use std::borrow::Cow;

use super::{Members, offset, raw, string};

/// An object as it is written, in parts.
#[derive(Clone, Debug)]
pub(crate) struct Object<'a> {
    members: Vec<Member<'a>>,
    /// What is between the braces of an empty one.
    blank: &'a str,
}

#[derive(Clone, Debug)]
struct Member<'a> {
    name: Cow<'a, str>,
    /// White space around the member and its colon, and the name as it is written.
    before: &'a str,
    key: Cow<'a, str>,
    colon: &'a str,
    value: Cow<'a, str>,
    after: &'a str,
}

impl<'a> Object<'a> {
    /// The parts of an object; `None` for any other JSON.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let Members(read) = serde_json::from_str(text).ok()?;
        let (mut at, mut members) = (text.find('{')? + 1, Vec::with_capacity(read.len()));
        let blank = text[at..].split('}').next().filter(|_| read.is_empty()).unwrap_or_default();
        for (name, value) in read {
            let start = offset(value, text);
            let end = start + value.get().len();
            let head = &text[at..start];
            let (open, close) = (head.find('"')?, string_end(head)?);
            let rest = &text[end..];
            let after = &rest[..rest.find([',', '}'])?];
            members.push(Member {
                name,
                before: &head[..open],
                key: head[open..close].into(),
                colon: &head[close..],
                value: value.get().into(),
                after,
            });
            at = end + after.len() + 1;
        }
        Some(Self { members, blank })
    }

    /// The names of its members.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| &*member.name)
    }

    /// The value of a member. Of several with one name, readers take the last.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.members.iter().rev().find(|member| member.name == name).map(|member| &*member.value)
    }

    /// Whether it has a member of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names().any(|own| own == name)
    }

    /// Sets a member to JSON text: where it is, or else at the end.
    pub(crate) fn set(&mut self, name: &str, value: String) {
        if let Some(member) = self.members.iter_mut().rev().find(|member| member.name == name) {
            member.value = value.into();
            return;
        }
        let after = self.members.last_mut().map_or("", |last| std::mem::take(&mut last.after));
        let (name, key) = (name.to_owned().into(), quoted(name).into());
        self.members.push(Member { name, before: "", key, colon: ":", value: value.into(), after });
    }

    /// Takes out each member of that name.
    pub(crate) fn remove(&mut self, name: &str) {
        self.members.retain(|member| member.name != name);
    }

    /// Gives each member the name that `names` has for it, if it has one.
    pub(crate) fn rename(&mut self, names: impl Fn(&str) -> Option<String>) {
        for member in &mut self.members {
            if let Some(name) = names(&member.name) {
                member.key = quoted(&name).into();
                member.name = name.into();
            }
        }
    }

    /// The text.
    pub(crate) fn write(&self) -> String {
        let mut out = b"{".to_vec();
        for (index, member) in self.members.iter().enumerate() {
            raw(&mut out, if index > 0 { "," } else { "" });
            for part in [member.before, &member.key, member.colon, &member.value, member.after] {
                raw(&mut out, part);
            }
        }
        raw(&mut out, if self.members.is_empty() { self.blank } else { "" });
        out.push(b'}');
        // Each part is text.
        String::from_utf8(out).unwrap_or_default()
    }
}

/// A text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    string(&mut out, text);
    String::from_utf8(out).unwrap_or_default()
}

/// Where the first JSON string of a text ends.
fn string_end(text: &str) -> Option<usize> {
    let open = text.find('"')?;
    let mut escaped = false;
    let close = text[open + 1..].bytes().position(|byte| {
        let is_end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        is_end
    })?;
    Some(open + 1 + close + 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    const ODD: &str =
        "{ \"a\\\"b\" : 1.50 ,\n\t\"c\":{\"x\":[1E400,\"}\"]}, \"\\u0063\":18446744073709551616\n}";

    #[test]
    fn what_is_not_edited_is_written_as_it_was() {
        for text in [ODD, "{}", "{ \n}", r#"{"":{}}"#, r#"{"a":1,"a":2}"#, r#"{"a" :"\\" , "b": ",}"}"#] {
            assert_eq!(Object::parse(text).unwrap().write(), text);
        }
        for other in ["", "[]", "7", "{", "null", r#"{"a"}"#] {
            assert!(Object::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn members_are_set_where_they_are_or_at_the_end() {
        let mut object = Object::parse(ODD).unwrap();
        assert_eq!((object.get("c"), object.has("a\"b")), (Some("18446744073709551616"), true));
        object.set("c", "7".to_owned());
        object.set("d", "8".to_owned());
        let expected = ODD.replace("18446744073709551616\n}", "7,\"d\":8\n}");
        assert_eq!(object.write(), expected);
        let mut empty = Object::parse("{ }").unwrap();
        empty.set("é\"", "[]".to_owned());
        assert_eq!(empty.write(), "{\"é\\\"\":[]}");
    }

    #[test]
    fn members_are_taken_out_and_renamed() {
        let mut object = Object::parse(ODD).unwrap();
        object.rename(|name| (name == "a\"b").then(|| "z".to_owned()));
        object.remove("c");
        assert_eq!(object.write(), "{ \"z\" : 1.50 }");
        object.remove("z");
        assert_eq!(object.write(), "{}");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_is_written(text in ".{0,40}", name in ".{0,8}") {
            drop(Object::parse(&text));
            let object = format!("{{ {} : {}\t}}", quoted(&name), quoted(&text));
            prop_assert_eq!(Object::parse(&object).unwrap().write(), object);
        }
    }
}
