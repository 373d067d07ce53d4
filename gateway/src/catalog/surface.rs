//! What an endpoint lists as its tools: all of them, or two with which a model finds and calls them.

use super::pages::{List, Pages};

/// What `tools/list` of an endpoint shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Surface {
    /// All tools.
    #[default]
    All,
    /// [`FIND`] and [`CALL`], for models that drown in tools.
    Search,
}

/// The tool that finds tools.
pub const FIND: &str = "find_tools";

/// The tool that calls one that was found.
pub const CALL: &str = "call_tool";

/// Characters of a query. Against work and memory for what nobody would write.
pub const MAX_QUERY: usize = 500;

/// Tools of an answer, at most, and where it is not said. Against answers that fill a model's context.
pub const MAX_FOUND: usize = 50;
/// See [`MAX_FOUND`].
pub const FOUND: usize = 5;

/// The list of the two.
pub(super) fn pages(page_size: usize) -> Pages {
    let find = format!(
        r#"{{"name":"{FIND}","description":"Finds tools by what they do. Gives the best matches, each with its name, description and input schema; call one by {CALL}.","inputSchema":{{"type":"object","properties":{{"query":{{"type":"string","minLength":1,"maxLength":{MAX_QUERY},"description":"What the tool is to do, in a few words"}},"limit":{{"type":"integer","minimum":1,"maximum":{MAX_FOUND},"default":{FOUND},"description":"How many tools to give at most"}}}},"required":["query"],"additionalProperties":false}},"outputSchema":{{"type":"object","properties":{{"tools":{{"type":"array","items":{{"type":"object","properties":{{"name":{{"type":"string"}},"description":{{"type":"string"}},"inputSchema":{{"type":"object"}}}},"required":["name","inputSchema"]}}}}}},"required":["tools"]}},"annotations":{{"readOnlyHint":true,"openWorldHint":false}}}}"#
    );
    let call = format!(
        r#"{{"name":"{CALL}","description":"Calls a tool that {FIND} has found, and answers as that tool does.","inputSchema":{{"type":"object","properties":{{"name":{{"type":"string","description":"The name of the tool, as {FIND} gave it"}},"arguments":{{"type":"object","description":"The arguments of the tool, as its input schema says"}}}},"required":["name"],"additionalProperties":false}}}}"#
    );
    Pages::write(List::Tools, &[find.into_bytes(), call.into_bytes()], page_size)
}
