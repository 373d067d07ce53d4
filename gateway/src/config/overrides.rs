//! `[servers.NAME.override.TOOL]`: what a tool and its parameters are called here and said to be, and arguments that are
//! the operator's to give.
//!
//! Which tools and parameters there are is not known before the server is: what names none is told when it is loaded.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;

use super::error::Invalid;
use super::json::json;
use super::raw::Section;
use super::server::check_tool_name;

/// Bytes of a parameter's name. Against a mistake: no model would write it.
const MAX_PARAMETER: usize = 128;

/// The hints of MCP (`ToolAnnotations`), besides the title.
const HINTS: [&str; 4] = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"];

/// By the tool's name, as `tools` of its server has it.
pub type Overrides = BTreeMap<String, ToolOverride>;

/// What is to be different of one tool.
#[derive(Clone, Debug, Default)]
pub struct ToolOverride {
    /// Its name.
    pub rename: Option<String>,
    /// Whether it is not offered.
    pub hide: bool,
    /// Its title.
    pub title: Option<String>,
    /// What it does, in words.
    pub description: Option<String>,
    /// By their names in the server's schema.
    pub parameters: BTreeMap<String, ParameterOverride>,
    /// Members of its annotations, each JSON text.
    pub annotations: BTreeMap<&'static str, String>,
    /// Whether its calls may go on as tasks, `optional`, or are nothing else, `required`.
    pub task: Option<&'static str>,
}

/// What is to be different of one parameter.
#[derive(Clone, Debug, Default)]
pub struct ParameterOverride {
    /// Its name.
    pub rename: Option<String>,
    /// Whether callers can't give it.
    pub hide: bool,
    /// What it is, in words.
    pub description: Option<String>,
    /// What it is in each call. Callers can't give it then.
    pub value: Option<Fixed>,
}

impl ParameterOverride {
    /// Whether callers see it.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.hide || self.value.is_some()
    }
}

/// JSON text of an argument. It may hold what nobody is to read, so it is not printed.
#[derive(Clone)]
pub struct Fixed(pub Box<RawValue>);

impl fmt::Debug for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fixed(..)")
    }
}

pub(super) fn read(section: Option<Section<'_, '_>>) -> Overrides {
    let Some(section) = section else { return Overrides::new() };
    let mut taken = BTreeMap::new();
    let tools = section.sections().into_iter().map(|(name, tool)| {
        let place = tool.place("rename").unwrap_or_default();
        let read = self::tool(tool);
        if let Some(shown) = &read.rename
            && let Some(other) = taken.insert(shown.clone(), name.get_ref().clone())
        {
            let why = Invalid::new(format!("`{other}` is already renamed to `{shown}`"));
            section.reader.invalid(place, "rename", why);
        }
        (name.into_inner(), read)
    });
    tools.collect()
}

fn tool(section: Section<'_, '_>) -> ToolOverride {
    let tool = ToolOverride {
        rename: section.parsed("rename", "get-page", |name| check_tool_name(name).map(|()| name.to_owned())),
        hide: section.flag("hide"),
        title: section.text("title", "Get a page").map(toml::Spanned::into_inner),
        description: section.text("description", "Reads a page.").map(toml::Spanned::into_inner),
        parameters: section.section("parameters").map(parameters).unwrap_or_default(),
        annotations: section.section("annotations").map(annotations).unwrap_or_default(),
        task: section.parsed("task", "optional", task),
    };
    if tool.hide {
        check_hidden(&section, &["rename", "title", "description", "parameters", "annotations", "task"]);
    }
    section.finish();
    tool
}

fn task(text: &str) -> Result<&'static str, Invalid> {
    match text {
        "optional" => Ok("optional"),
        "required" => Ok("required"),
        _ => Err(Invalid::new(format!("`{text}` says nothing of tasks")).hint(
            "write optional for calls that may go on as tasks, or required for such that are nothing else",
        )),
    }
}

fn parameters(section: Section<'_, '_>) -> BTreeMap<String, ParameterOverride> {
    let read = |(name, parameter): (toml::Spanned<String>, Section<'_, '_>)| {
        (name.into_inner(), self::parameter(parameter))
    };
    section.sections().into_iter().map(read).collect()
}

fn parameter(section: Section<'_, '_>) -> ParameterOverride {
    let parameter = ParameterOverride {
        rename: section.parsed("rename", "url", parameter_name),
        hide: section.flag("hide"),
        description: section.text("description", "Where it is.").map(toml::Spanned::into_inner),
        value: json(&section, "value").map(Fixed),
    };
    if parameter.is_hidden() {
        check_hidden(&section, &["rename", "description"]);
    }
    section.finish();
    parameter
}

fn annotations(section: Section<'_, '_>) -> BTreeMap<&'static str, String> {
    let said = HINTS.into_iter().filter(|hint| section.place(hint).is_some());
    let mut read: BTreeMap<_, _> = said.map(|hint| (hint, section.flag(hint).to_string())).collect();
    read.extend(
        section.text("title", "Get a page").map(|title| ("title", crate::json::quoted(title.get_ref()))),
    );
    section.finish();
    read
}

/// What nobody sees has nothing that is to be seen.
fn check_hidden(section: &Section<'_, '_>, keys: &[&'static str]) {
    for (key, place) in keys.iter().filter_map(|key| Some((*key, section.place(key)?))) {
        let why = Invalid::new(format!("callers do not see what {} is of", section.title()));
        section.reader.invalid(place, key, why.hint(format!("remove `{key}`, or what hides it")));
    }
}

fn parameter_name(name: &str) -> Result<String, Invalid> {
    if (1..=MAX_PARAMETER).contains(&name.len()) && !name.chars().any(char::is_control) {
        return Ok(name.to_owned());
    }
    Err(Invalid::new(format!("the name of a parameter has 1 to {MAX_PARAMETER} bytes, all printable")))
}
