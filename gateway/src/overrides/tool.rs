//! One tool under its override.

use serde_json::value::RawValue;
use toolgate_runtime::sandbox::{Published, Tool};

use super::arguments::Mapping;
use super::schema;
use crate::config::ToolOverride;
use crate::json::{Members, Object, offset, quoted};

/// The tool as callers see it, and how its arguments are mapped, where they are.
///
/// # Errors
/// Why it can't be what it is to be.
pub(super) fn changed(tool: &Tool, changes: &ToolOverride) -> Result<(Tool, Option<Mapping>), String> {
    let schema = match changes.parameters.is_empty() {
        true => tool.input_schema.clone(),
        false => schema::changed(&tool.input_schema, &changes.parameters)?,
    };
    let published = match &tool.published {
        Some(published) => Some(published.json.get().to_owned()),
        // What it has besides, the members of a tool have no place for.
        None if changes.title.is_some() || !changes.annotations.is_empty() || changes.task.is_some() => {
            Some(written(tool))
        }
        None => None,
    };
    let published = published.map(|whole| self::published(&whole, changes, &schema)).transpose()?;
    let mapping = Mapping::of(&changes.parameters, &schema);
    let changed = Tool {
        name: changes.rename.clone().unwrap_or_else(|| tool.name.clone()),
        function: tool.function.clone(),
        description: changes.description.clone().or_else(|| tool.description.clone()),
        input_schema: schema,
        output_schema: tool.output_schema.clone(),
        published,
    };
    Ok((changed, mapping))
}

/// A tool as its server published it, with what is different; all else stays the text that it is.
fn published(whole: &str, changes: &ToolOverride, schema: &RawValue) -> Result<Published, String> {
    let unreadable = || "it is no JSON object".to_owned();
    let mut tool = Object::parse(whole).ok_or_else(unreadable)?;
    if let Some(title) = &changes.title {
        tool.set("title", quoted(title));
    }
    if let Some(description) = &changes.description {
        tool.set("description", quoted(description));
    }
    if !changes.parameters.is_empty() {
        tool.set("inputSchema", schema.get().to_owned());
    }
    if !changes.annotations.is_empty() {
        let there = tool.get("annotations").unwrap_or("{}").to_owned();
        let mut annotations = Object::parse(&there).ok_or("its `annotations` are no object")?;
        changes.annotations.iter().for_each(|(name, value)| annotations.set(name, value.clone()));
        tool.set("annotations", annotations.write());
    }
    if let Some(task) = changes.task {
        let there = tool.get("execution").unwrap_or("{}").to_owned();
        let mut execution = Object::parse(&there).ok_or("its `execution` is no object")?;
        execution.set("taskSupport", quoted(task));
        tool.set("execution", execution.write());
    }
    let json = RawValue::from_string(tool.write()).map_err(|error| error.to_string())?;
    let Members(members) = serde_json::from_str(json.get()).map_err(|error| error.to_string())?;
    let name = members.iter().rev().find(|(name, _)| name == "name").map(|(_, value)| *value);
    let name = name.ok_or("it has no name")?;
    let at = offset(name, json.get());
    let name = at..at + name.get().len();
    Ok(Published { json, name })
}

/// A tool that is a function, as it would be published.
fn written(tool: &Tool) -> String {
    let mut written = format!("{{\"name\":{}", quoted(&tool.name));
    if let Some(description) = &tool.description {
        written += &format!(",\"description\":{}", quoted(description));
    }
    written += &format!(",\"inputSchema\":{}", tool.input_schema);
    if let Some(schema) = &tool.output_schema {
        written += &format!(",\"outputSchema\":{schema}");
    }
    written + "}"
}
