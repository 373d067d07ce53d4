//! What an operator has chosen for a catalog's servers: values by the name of a config, and within it, as in
//! `{{git.paths}}`.

use serde_json::{Map, Value};

use super::catalog::{CatalogError, read_yaml};

/// Values by name.
#[derive(Clone, Debug, Default)]
pub struct Values(Map<String, Value>);

impl Values {
    /// Reads a map of maps, in YAML or JSON.
    ///
    /// # Errors
    /// If it is something else.
    pub fn parse(text: &str) -> Result<Self, CatalogError> {
        match read_yaml(text)? {
            Value::Object(values) => Ok(Self(values)),
            Value::Null => Ok(Self::default()),
            _ => Err(CatalogError::Syntax("it is no map of values by the name of their server".to_owned())),
        }
    }

    /// These, and where they say nothing, the defaults of an entry's `config`.
    pub(super) fn or_defaults(&self, config: &[Value]) -> Self {
        let mut all = Map::new();
        for object in config {
            let Some(name) = object.get("name").and_then(Value::as_str) else { continue };
            if let Some(default) = default(object) {
                all.insert(name.to_owned(), default);
            }
        }
        let mut all = Value::Object(all);
        merge(&mut all, &Value::Object(self.0.clone()));
        match all {
            Value::Object(all) => Self(all),
            _ => Self::default(),
        }
    }

    /// What a path leads to; `None` for nothing, and for null.
    pub(super) fn get(&self, path: &str) -> Option<&Value> {
        let mut segments = path.split('.').map(str::trim);
        let mut found = self.0.get(segments.next()?)?;
        for segment in segments {
            found = found.get(segment)?;
        }
        Some(found).filter(|found| !found.is_null())
    }
}

/// The default of a schema, put together from those of its properties.
fn default(schema: &Value) -> Option<Value> {
    if let Some(default) = schema.get("default") {
        return Some(default.clone());
    }
    let properties = schema.get("properties")?.as_object()?;
    let defaults = properties.iter().filter_map(|(name, schema)| Some((name.clone(), default(schema)?)));
    let defaults: Map<String, Value> = defaults.collect();
    (!defaults.is_empty()).then_some(Value::Object(defaults))
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
