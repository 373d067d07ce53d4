//! The schema of a tool's arguments under the overrides of its parameters. What they do not touch stays the text that it
//! is.
//!
//! A schema can speak of a parameter in more places than `properties` and `required`. Where it does so of one that is to
//! be called otherwise, or is not to be seen, that is told rather than got half right.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use serde_json::value::RawValue;

use crate::config::ParameterOverride;
use crate::json::{Object, quoted};

/// Members that rule over parameters by their names, besides `properties` and `required`.
const RULES: [&str; 12] = [
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "propertyNames",
    "unevaluatedProperties",
];

/// Members by which more could be given than the parameters that are named.
const OPEN: [&str; 3] = ["patternProperties", "minProperties", "maxProperties"];

type Overrides = BTreeMap<String, ParameterOverride>;

/// The schema as callers see it.
///
/// # Errors
/// Why it can't be, which names the parameter.
pub(super) fn changed(schema: &RawValue, overrides: &Overrides) -> Result<Box<RawValue>, String> {
    let no_object = || "the schema of its arguments is no object".to_owned();
    let mut root = Object::parse(schema.get()).ok_or_else(no_object)?;
    let properties = root.get("properties").unwrap_or("{}").to_owned();
    let mut properties = Object::parse(&properties).ok_or("the `properties` of its schema are no object")?;
    check(&root, &properties, overrides)?;
    let required: Vec<String> = match root.get("required") {
        Some(required) => serde_json::from_str(required).map_err(|_| "its `required` is no list of names")?,
        None => Vec::new(),
    };
    for (name, changes) in overrides {
        if changes.hide && changes.value.is_none() && required.contains(name) {
            return Err(format!("the parameter `{name}` is required: give it a `value`"));
        }
        change(&mut properties, name, changes)?;
    }
    let shown = |name: &str| overrides.get(name).and_then(|changes| changes.rename.clone());
    properties.rename(shown);
    root.set("properties", properties.write());
    if required.iter().any(|name| is_moved(overrides, name)) {
        let left =
            required.iter().filter(|name| !overrides.get(*name).is_some_and(ParameterOverride::is_hidden));
        let left: Vec<_> = left.map(|name| shown(name).unwrap_or_else(|| name.clone())).collect();
        match left.is_empty() {
            true => root.remove("required"),
            false => root.set("required", Value::from(left).to_string()),
        }
    }
    if overrides.values().any(ParameterOverride::is_hidden) {
        root.set("additionalProperties", "false".to_owned());
    }
    RawValue::from_string(root.write()).map_err(|error| error.to_string())
}

/// Whether callers do not see a parameter under its name.
fn is_moved(overrides: &Overrides, name: &str) -> bool {
    overrides.get(name).is_some_and(|changes| changes.rename.is_some() || changes.is_hidden())
}

fn change(properties: &mut Object<'_>, name: &str, changes: &ParameterOverride) -> Result<(), String> {
    if changes.is_hidden() {
        properties.remove(name);
    }
    let Some(description) = &changes.description else { return Ok(()) };
    let property = properties.get(name).unwrap_or_default().to_owned();
    let property = if property == "true" { "{}".to_owned() } else { property };
    let mut property = Object::parse(&property)
        .ok_or_else(|| format!("the schema of the parameter `{name}` is no object"))?;
    property.set("description", quoted(description));
    properties.set(name, property.write());
    Ok(())
}

/// What keeps the overrides from being applied.
fn check(root: &Object<'_>, properties: &Object<'_>, overrides: &Overrides) -> Result<(), String> {
    let mut names: BTreeSet<&str> = properties.names().filter(|name| !is_moved(overrides, name)).collect();
    let moved = || overrides.iter().filter(|(name, _)| is_moved(overrides, name));
    for (name, changes) in overrides {
        if !properties.has(name) {
            let known: Vec<_> = properties.names().collect();
            let known = crate::config::nearest(name, &known, "its parameters are");
            return Err(format!("the tool has no parameter `{name}`; {known}"));
        }
        if let Some(shown) = &changes.rename
            && !names.insert(shown)
        {
            return Err(format!("two of its parameters would be called `{shown}`"));
        }
    }
    for rule in RULES {
        let Some(value) = root.get(rule).and_then(|json| serde_json::from_str::<Value>(json).ok()) else {
            continue;
        };
        if let Some((name, _)) = moved().find(|(name, _)| mentions(&value, name)) {
            return Err(format!("its schema speaks of the parameter `{name}` in `{rule}`, too"));
        }
    }
    if let Some(open) = OPEN.into_iter().find(|name| root.has(name))
        && overrides.values().any(ParameterOverride::is_hidden)
    {
        return Err(format!("with `{open}` in its schema, no parameter can be hidden or have a value"));
    }
    let whole: Value = serde_json::from_str(&root.write()).map_err(|error| error.to_string())?;
    match moved().find(|(name, _)| refers(&whole, &pointer(name))) {
        Some((name, _)) => Err(format!("its schema refers to that of the parameter `{name}` by `$ref`")),
        None => Ok(()),
    }
}

/// Whether a name stands anywhere in a value, as a string or as a member's name.
fn mentions(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => text == name,
        Value::Array(values) => values.iter().any(|value| mentions(value, name)),
        Value::Object(members) => members.iter().any(|(own, value)| own == name || mentions(value, name)),
        _ => false,
    }
}

/// Whether a `$ref` in a value leads to a pointer, or to something in what that leads to.
fn refers(value: &Value, pointer: &str) -> bool {
    let leads = |target: &str| {
        target.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match value {
        Value::Array(values) => values.iter().any(|value| refers(value, pointer)),
        Value::Object(members) => members.iter().any(|(name, value)| {
            (name == "$ref" && value.as_str().is_some_and(leads)) || refers(value, pointer)
        }),
        _ => false,
    }
}

/// By which a schema refers to that of one of its own properties (RFC 6901).
fn pointer(name: &str) -> String {
    format!("#/properties/{}", escaped(name))
}

/// A name as a part of a JSON pointer.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
