//! Parameters of tools that clients mirror into headers (2026-07-28, streamable HTTP, "Custom Headers from Tool
//! Parameters"): which those are, by the tool's schema.
//!
//! Only what `properties` lead to counts, and only strings, numbers and booleans. What is annotated in another way
//! is not mirrored. Pure: who sends such headers, and who checks them, is elsewhere.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

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

/// What stands around the Base64 form of a value that a header can't hold as it is.
pub const SENTINEL: (&str, &str) = ("=?base64?", "?=");

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

/// The headers that say what these parameters are in arguments, a JSON object. One that is absent or `null` has none.
#[must_use]
pub fn headers(mirrored: &[Mirrored], arguments: &RawValue) -> HeaderMap {
    let one = |Mirrored { header, path, .. }: &Mirrored| {
        let value = path.iter().try_fold(Cow::Borrowed(arguments), |object, name| {
            let members: HashMap<String, Box<RawValue>> = serde_json::from_str(object.get()).ok()?;
            members.get(name).map(|value| Cow::Owned(value.clone()))
        })?;
        let text = serde_json::from_str::<String>(value.get());
        let text = text.unwrap_or_else(|_| value.get().to_owned());
        (value.get() != "null").then(|| (header.clone(), encode(&text)))
    };
    mirrored.iter().filter_map(one).collect()
}

/// A text as a header's value: as it is where that can be, else in Base64.
#[must_use]
pub fn encode(text: &str) -> HeaderValue {
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && text.trim_ascii() == text
        && !(text.starts_with(SENTINEL.0) && text.ends_with(SENTINEL.1));
    let plain = is_plain.then(|| HeaderValue::from_str(text).ok()).flatten();
    plain.unwrap_or_else(|| {
        let encoded = format!("{}{}{}", SENTINEL.0, STANDARD.encode(text), SENTINEL.1);
        HeaderValue::from_str(&encoded).unwrap_or(HeaderValue::from_static(""))
    })
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

    #[test]
    fn a_header_holds_what_the_argument_is() {
        let schema = r#"{"properties":{
            "zone":{"type":"string","x-mcp-header":"Zone"},
            "where":{"type":"object","properties":{"floor":{"type":"integer","x-mcp-header":"Floor"}}}
        }}"#;
        let mirrored = of(&RawValue::from_string(schema.to_owned()).unwrap());
        for (arguments, zone, floor) in [
            (
                r#"{"zone":"a b","where":{"floor":18446744073709551616}}"#,
                Some("a b"),
                Some("18446744073709551616"),
            ),
            (r#"{"zone":"\u00e4","where":{}}"#, Some("=?base64?w6Q=?="), None),
            (r#"{"zone":" a","where":7}"#, Some("=?base64?IGE=?="), None),
            (r#"{"zone":"=?base64?YQ==?="}"#, Some("=?base64?PT9iYXNlNjQ/WVE9PT89?="), None),
            (r#"{"zone":null}"#, None, None),
            (r#"{"zone":true}"#, Some("true"), None),
        ] {
            let headers = headers(&mirrored, &RawValue::from_string(arguments.to_owned()).unwrap());
            let of = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            let expected = (zone.map(str::to_owned), floor.map(str::to_owned));
            assert_eq!((of("mcp-param-zone"), of("mcp-param-floor")), expected, "{arguments}");
        }
    }

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
