//! From what a server that speaks MCP offers to what is described of it, and from what a call is of to what it is
//! asked for: a container, a component or a server elsewhere.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::peer::client::{self, ClientError, Greeting, List, Offered};
use crate::peer::{Besides, Conversation, Reference, RequestError, Wanted};
use crate::sandbox::{
    CallError, Content, Description, Listed, Naming, Outcome, Published, Skipped, Target, Tool,
};
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

/// `rename` names a tool that the server does not offer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`rename` names {function:?}, and the server has no such tool")]
pub struct NoSuchTool {
    /// Its name.
    pub function: String,
}

/// All that a server offers.
#[derive(Debug, Default)]
pub(crate) struct Offers {
    pub(crate) tools: Vec<Offered>,
    pub(crate) prompts: Vec<Offered>,
    pub(crate) resources: Vec<Offered>,
    pub(crate) templates: Vec<Offered>,
}

/// Asks a server for all that it offers, as far as it says that it has such things.
pub(crate) async fn listed(
    server: &impl Conversation,
    can: &Greeting,
    besides: &Besides,
) -> Result<Offers, ClientError> {
    let list = async |is_there: bool, list: List| match is_there {
        true => client::list(server, list, besides).await,
        false => Ok(Vec::new()),
    };
    Ok(Offers {
        tools: list(can.tools, List::Tools).await?,
        prompts: list(can.prompts, List::Prompts).await?,
        resources: list(can.resources, List::Resources).await?,
        // Many who have resources know nothing of templates.
        templates: match list(can.resources, List::Templates).await {
            Err(ClientError::Request { cause: RequestError::Refused(_), .. }) => Vec::new(),
            templates => templates?,
        },
    })
}

/// What a server that completes nothing is taken to answer.
pub(crate) fn nothing_to_complete() -> Result<Box<RawValue>, CallError> {
    let none = RawValue::from_string(r#"{"completion":{"values":[]}}"#.to_owned());
    none.map_err(|error| CallError::Internal(error.to_string()))
}

/// What a call is of, by the server's own names; `None` for an index that it does not have.
pub(crate) fn wanted(description: &Description, target: &Target) -> Option<Wanted> {
    let Description { tools, prompts, templates, .. } = description;
    let prompt = |prompt: usize| Some(prompts.get(prompt)?.key.clone());
    Some(match target {
        Target::Tool(tool) => Wanted::Tool(tools.get(*tool)?.function.clone()),
        Target::Prompt(index) => Wanted::Prompt(prompt(*index)?),
        Target::Resource(uri) => Wanted::Resource(uri.clone()),
        Target::Subscription(uri) => Wanted::Subscription(uri.clone()),
        Target::Completion(Reference::Prompt(index)) => {
            Wanted::Completion(Reference::Prompt(prompt(*index)?))
        }
        Target::Completion(Reference::Template(template)) => {
            Wanted::Completion(Reference::Template(templates.get(*template)?.key.clone()))
        }
    })
}

/// The outcome that a result is, of up to `limit` bytes.
pub(crate) fn outcome(message: Box<RawValue>, limit: u64) -> Result<Outcome, CallError> {
    if message.get().len() as u64 > limit {
        return Err(CallError::Output { limit });
    }
    let is_error = client::is_error(&message)
        .map_err(|why| CallError::Trap(format!("the server's result makes no sense: {why}")))?;
    Ok(Outcome { is_error, content: Content::Message(message) })
}

/// What a server offers, those of its tools that are to be, under the names that they are to have. A tool
/// without a schema is told, and left out.
pub(crate) fn describe(offers: Offers, naming: &Naming) -> Result<Description, NoSuchTool> {
    let rename = &naming.rename;
    let mut description = Description {
        speaks_mcp: true,
        prompts: entries(offers.prompts, "name"),
        resources: entries(offers.resources, "uri"),
        templates: entries(offers.templates, "uriTemplate"),
        ..Description::default()
    };
    let mut renamed = Vec::new();
    for offered in offers.tools {
        renamed.extend(rename.get_key_value(&offered.name).map(|(function, _)| function.as_str()));
        match tool(&offered, rename) {
            Ok(tool) => description.tools.push(tool),
            Err(reason) => description.skipped.push(Skipped { function: offered.name, reason }),
        }
    }
    description.skipped.extend(naming.absent(description.tools.iter().map(|tool| tool.name.as_str())));
    description.tools.retain(|tool| naming.offers(&tool.name));
    match rename.keys().find(|function| !renamed.contains(&function.as_str())) {
        Some(function) => Err(NoSuchTool { function: function.clone() }),
        None => Ok(description),
    }
}

/// Entries by their keys, of which the member `key` is the JSON text.
fn entries(offered: Vec<Offered>, key: &str) -> Vec<Listed> {
    let one = |offered: Offered| {
        let members: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_str(offered.json.get()).ok()?;
        let name = place(members.get(key)?, offered.json.get());
        let published = Published { name, json: offered.json.clone() };
        Some(Listed { key: offered.name, published })
    };
    offered.into_iter().filter_map(one).collect()
}

/// Where a value is in the text that it is a part of.
fn place(value: &RawValue, whole: &str) -> Range<usize> {
    let at = value.get().as_ptr().addr() - whole.as_ptr().addr();
    at..at + value.get().len()
}

fn tool(offered: &Offered, rename: &BTreeMap<String, String>) -> Result<Tool, String> {
    let whole = offered.json.get();
    let read: Read<'_> =
        serde_json::from_str(whole).map_err(|error| format!("it is no tool of MCP: {error}"))?;
    let shown = rename.get(&offered.name).unwrap_or(&offered.name);
    check_tool_name(shown, &offered.name)?;
    let name = place(read.name, whole);
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

    fn tools(tools: Vec<Offered>) -> Offers {
        Offers { tools, ..Offers::default() }
    }

    fn offered(name: &str, json: &str) -> Offered {
        Offered { name: name.to_owned(), json: RawValue::from_string(json.to_owned()).unwrap() }
    }

    #[test]
    fn a_tool_is_published_as_it_is_but_for_its_name() {
        let json = r#"{ "annotations": {"name":"x"}, "name" : "get\u005ftime", "inputSchema":{"type":"object"}, "x":1.0}"#;
        let description = describe(tools(vec![offered("get_time", json)]), &Naming::default()).unwrap();
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
        let description = describe(tools(all), &Naming::default()).unwrap();
        assert_eq!(description.tools.len(), 1);
        let odd = vec![offered("a.b", r#"{"name":"a.b","inputSchema":{}}"#)];
        let odd = describe(tools(odd), &Naming::default()).unwrap();
        assert!(odd.skipped[0].reason.ends_with(r#"rename = { "a.b" = "other-name" }"#), "{odd:?}");
        assert!(
            description.skipped[0].reason.starts_with("it is no tool of MCP: missing field `inputSchema`")
        );
    }

    #[test]
    fn tools_are_renamed_and_a_rename_of_nothing_is_a_fault() {
        let naming = |function: &str, tool: &str| Naming {
            rename: BTreeMap::from([(function.to_owned(), tool.to_owned())]),
            only: None,
        };
        let all = || vec![offered("a.b", r#"{"name":"a.b","inputSchema":{}}"#)];
        assert_eq!(describe(tools(all()), &naming("a.b", "a-b")).unwrap().tools[0].name, "a-b");
        assert_eq!(
            describe(tools(all()), &naming("c", "d")).unwrap_err(),
            NoSuchTool { function: "c".to_owned() }
        );
    }

    #[test]
    fn only_tools_that_are_chosen_are_offered_and_what_is_not_there_is_told() {
        let all = ["a", "b"].map(|name| offered(name, &format!(r#"{{"name":"{name}","inputSchema":{{}}}}"#)));
        let only = ["b", "c"].map(str::to_owned).into_iter().collect();
        let naming = Naming { only: Some(only), ..Naming::default() };
        let description = describe(tools(all.to_vec()), &naming).unwrap();
        assert_eq!(description.tools.iter().map(|tool| &tool.name).collect::<Vec<_>>(), ["b"]);
        assert_eq!(description.skipped.len(), 1);
        assert_eq!(description.skipped[0].function, "c");
    }

    #[test]
    fn a_prompt_and_a_resource_are_published_as_they_are() {
        let prompt = r#"{"x":1.50, "name" : "say\u0041", "arguments":[]}"#;
        let resource = r#"{"uri":"odd://a","name":"b"}"#;
        let offers = Offers {
            prompts: vec![offered("sayA", prompt)],
            resources: vec![offered("odd://a", resource)],
            ..Offers::default()
        };
        let description = describe(offers, &Naming::default()).unwrap();
        let mut out = Vec::new();
        description.prompts[0].published.write(&mut out, b"\"odd__sayA\"");
        assert_eq!(String::from_utf8(out).unwrap(), prompt.replace(r#""say\u0041""#, "\"odd__sayA\""));
        assert_eq!(description.resources[0].key, "odd://a");
    }
}
