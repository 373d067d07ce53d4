//! Parameters of tools that clients mirror into headers (2026-07-28, streamable HTTP, "Custom Headers from Tool
//! Parameters"): which those are, by the tool's schema.
//!
//! Only what `properties` lead to counts, and only strings, numbers and booleans. What is annotated in another way
//! is not mirrored.

use std::collections::HashSet;

use http::HeaderName;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::json::Members;

/// What marks a parameter; its value names the header.
const ANNOTATION: &str = "x-mcp-header";

/// What begins the header's name.
const PREFIX: &str = "mcp-param-";

/// Mirrored parameters of a tool, and objects around one. Against a schema that makes each call dear.
const MAX_PARAMETERS: usize = 32;
const MAX_DEPTH: usize = 8;

/// A parameter that is mirrored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrored {
    /// The header.
    pub header: HeaderName,
    /// As people write it.
    pub shown: String,
    /// The member of the arguments, and of objects in them.
    pub path: Vec<String>,
}

impl Mirrored {
    /// What the parameter is among these arguments; `None` where it is absent or `null`.
    #[must_use]
    pub fn value<'a>(&self, arguments: &'a RawValue) -> Option<&'a RawValue> {
        let inner = self.path.iter().try_fold(arguments, |object, name| {
            let Members(members) = serde_json::from_str(object.get()).ok()?;
            // Of several with one name, readers take the last.
            members.into_iter().rev().find(|(own, _)| own == name).map(|(_, value)| value)
        })?;
        (inner.get() != "null").then_some(inner)
    }
}

/// The mirrored parameters of a schema.
#[must_use]
pub fn of(schema: &RawValue) -> Vec<Mirrored> {
    // Most schemas have none, and need not be read for that.
    if !schema.get().contains(ANNOTATION) {
        return Vec::new();
    }
    let Ok(Value::Object(schema)) = serde_json::from_str(schema.get()) else { return Vec::new() };
    let mut found = Vec::new();
    collect(&schema, &mut Vec::new(), &mut found);
    let mut names = HashSet::new();
    let twice: HashSet<_> =
        found.iter().filter(|one| !names.insert(one.header.clone())).map(|one| one.header.clone()).collect();
    found.retain(|one| !twice.contains(&one.header));
    found
}

fn collect(schema: &Map<String, Value>, path: &mut Vec<String>, found: &mut Vec<Mirrored>) {
    let Some(Value::Object(properties)) = schema.get("properties") else { return };
    if path.len() >= MAX_DEPTH {
        return;
    }
    for (name, property) in properties {
        let Value::Object(property) = property else { continue };
        path.push(name.clone());
        let kind = property.get("type").and_then(Value::as_str);
        if let (Some(header), Some("string" | "integer" | "number" | "boolean")) = (header(property), kind)
            && found.len() < MAX_PARAMETERS
        {
            let (header, shown) = header;
            found.push(Mirrored { header, shown, path: path.clone() });
        }
        collect(property, path, found);
        path.pop();
    }
}

fn header(property: &Map<String, Value>) -> Option<(HeaderName, String)> {
    let name = property.get(ANNOTATION)?.as_str().filter(|name| !name.is_empty())?;
    let header = HeaderName::from_bytes(format!("{PREFIX}{name}").as_bytes()).ok()?;
    Some((header, format!("Mcp-Param-{name}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn found(schema: &str) -> Vec<(String, String)> {
        let schema = RawValue::from_string(schema.to_owned()).unwrap();
        of(&schema).into_iter().map(|one| (one.shown, one.path.join("."))).collect()
    }

    #[test]
    fn what_properties_lead_to_is_mirrored() {
        let schema = r#"{"properties":{
            "region":{"type":"string","x-mcp-header":"Region"},
            "where":{"type":"object","properties":{"zone":{"type":"integer","x-mcp-header":"Zone"}}},
            "other":{"type":"string"}
        }}"#;
        let pair = |shown: &str, path: &str| (shown.to_owned(), path.to_owned());
        assert_eq!(found(schema), [pair("Mcp-Param-Region", "region"), pair("Mcp-Param-Zone", "where.zone")]);
    }

    #[test]
    fn what_is_annotated_in_another_way_is_not() {
        for schema in [
            r#"{"x-mcp-header":"A"}"#,
            r#"{"properties":{"a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}}}"#,
            r#"{"allOf":[{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}]}"#,
            r#"{"properties":{"a":{"type":"object","x-mcp-header":"A"}}}"#,
            r#"{"properties":{"a":{"type":"string","x-mcp-header":"A b"}}}"#,
            r#"{"properties":{"a":{"type":"string","x-mcp-header":""}}}"#,
            r#"{"properties":{"a":{"type":"string","x-mcp-header":7}}}"#,
            r#"{"properties":{"a":{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"a"}}}"#,
        ] {
            assert_eq!(found(schema), [], "{schema}");
        }
    }
}
