//! From what a server offers to what is described of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::StartError;
use crate::peer::client::Offered;
use crate::sandbox::{Description, Published, Skipped, Tool};
use crate::wit::check_tool_name;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read<'a> {
    #[serde(borrow)]
    name: &'a RawValue,
    #[serde(borrow, default)]
    description: Option<Cow<'a, str>>,
    #[serde(borrow)]
    input_schema: &'a RawValue,
    #[serde(borrow, default)]
    output_schema: Option<&'a RawValue>,
}

/// The tools of a server under the names that they are to have. One without a schema is told, and left out.
pub(super) fn describe(
    offered: Vec<Offered>,
    rename: &BTreeMap<String, String>,
) -> Result<Description, StartError> {
    let mut description = Description::default();
    let mut renamed = Vec::new();
    for offered in offered {
        renamed.extend(rename.get_key_value(&offered.name).map(|(function, _)| function.as_str()));
        match tool(&offered, rename) {
            Ok(tool) => description.tools.push(tool),
            Err(reason) => description.skipped.push(Skipped { function: offered.name, reason }),
        }
    }
    match rename.keys().find(|function| !renamed.contains(&function.as_str())) {
        Some(function) => Err(StartError::Rename { function: function.clone() }),
        None => Ok(description),
    }
}

fn tool(offered: &Offered, rename: &BTreeMap<String, String>) -> Result<Tool, String> {
    let whole = offered.json.get();
    let read: Read<'_> =
        serde_json::from_str(whole).map_err(|error| format!("it is no tool of MCP: {error}"))?;
    let shown = rename.get(&offered.name).unwrap_or(&offered.name);
    check_tool_name(shown, &offered.name)?;
    // Both are parts of one text, so the distance of their beginnings is where the name is in it.
    let at = read.name.get().as_ptr().addr() - whole.as_ptr().addr();
    let name = at..at + read.name.get().len();
    Ok(Tool {
        name: shown.clone(),
        function: offered.name.clone(),
        description: read.description.map(Cow::into_owned),
        input_schema: read.input_schema.to_owned(),
        output_schema: read.output_schema.map(ToOwned::to_owned),
        published: Some(Published { json: offered.json.clone(), name }),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    fn offered(name: &str, json: &str) -> Offered {
        Offered { name: name.to_owned(), json: RawValue::from_string(json.to_owned()).unwrap() }
    }

    #[test]
    fn a_tool_is_published_as_it_is_but_for_its_name() {
        let json = r#"{ "annotations": {"name":"x"}, "name" : "get\u005ftime", "inputSchema":{"type":"object"}, "x":1.0}"#;
        let description = describe(vec![offered("get_time", json)], &BTreeMap::new()).unwrap();
        let tool = &description.tools[0];
        assert_eq!((tool.name.as_str(), tool.function.as_str()), ("get_time", "get_time"));
        let mut out = Vec::new();
        tool.published.as_ref().unwrap().write(&mut out, b"\"clock__get_time\"");
        let expected = json.replace(r#""get\u005ftime""#, "\"clock__get_time\"");
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn what_is_no_tool_is_told_and_the_rest_offered() {
        let all =
            vec![offered("bad", r#"{"name":"bad"}"#), offered("good", r#"{"name":"good","inputSchema":{}}"#)];
        let description = describe(all, &BTreeMap::new()).unwrap();
        assert_eq!(description.tools.len(), 1);
        let odd = vec![offered("a.b", r#"{"name":"a.b","inputSchema":{}}"#)];
        let odd = describe(odd, &BTreeMap::new()).unwrap();
        assert!(odd.skipped[0].reason.ends_with(r#"rename = { "a.b" = "other-name" }"#), "{odd:?}");
        assert!(
            description.skipped[0].reason.starts_with("it is no tool of MCP: missing field `inputSchema`")
        );
    }

    #[test]
    fn tools_are_renamed_and_a_rename_of_nothing_is_a_fault() {
        let rename = BTreeMap::from([("a.b".to_owned(), "a-b".to_owned())]);
        let all = || vec![offered("a.b", r#"{"name":"a.b","inputSchema":{}}"#)];
        assert_eq!(describe(all(), &rename).unwrap().tools[0].name, "a-b");
        let rename = BTreeMap::from([("c".to_owned(), "d".to_owned())]);
        assert_eq!(describe(all(), &rename).unwrap_err(), StartError::Rename { function: "c".to_owned() });
    }
}
