//! The two forms of a catalog: a `registry:` of servers by name, in YAML or JSON, and the artifact of OCI
//! registries, a list of servers each with a snapshot of such an entry.

use serde_json::{Map, Value};

/// The artifact type of a catalog in a registry.
pub const ARTIFACT_TYPE: &str = "application/vnd.docker.mcp.catalog.v1+json";

/// Bytes of a catalog. Docker's own has 0.3 MB; against a file that is something else.
pub const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Servers of a catalog. Docker's own has some hundreds.
const MAX_SERVERS: usize = 10_000;

/// Why a text is no catalog.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Neither YAML nor JSON.
    #[error("it is not YAML: {0}")]
    Syntax(String),
    /// Something else.
    #[error("it has neither a `registry` of servers by name nor a list of `servers`")]
    Form,
    /// Too many.
    #[error("it has {0} servers, more than {MAX_SERVERS}")]
    TooMany(usize),
}

/// A catalog, as far as it could be read.
#[derive(Clone, Debug)]
pub struct Catalog {
    pub(super) entries: Vec<Entry>,
}

/// One server of a catalog.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    /// Its members, as they were written.
    pub(super) members: Map<String, Value>,
    /// The tools that it is to offer, where the catalog chooses among them.
    pub(super) tools: Option<Vec<String>>,
}

impl Catalog {
    /// Reads a catalog in either form.
    ///
    /// # Errors
    /// See [`CatalogError`].
    pub fn parse(text: &str) -> Result<Self, CatalogError> {
        let read: Value = read_yaml(text)?;
        let entries: Vec<Entry> = match (read.get("registry"), read.get("servers")) {
            (Some(Value::Object(registry)), _) => registry.iter().map(listed).collect(),
            (None, Some(Value::Array(servers))) => servers.iter().enumerate().map(snapshot).collect(),
            _ => return Err(CatalogError::Form),
        };
        if entries.len() > MAX_SERVERS {
            return Err(CatalogError::TooMany(entries.len()));
        }
        Ok(Self { entries })
    }

    /// Its servers' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }
}

/// Reads YAML, of which JSON is a part.
pub(super) fn read_yaml(text: &str) -> Result<Value, CatalogError> {
    serde_saphyr::from_str(text).map_err(|error| {
        let told = error.to_string();
        CatalogError::Syntax(told.lines().next().unwrap_or_default().to_owned())
    })
}

fn listed((name, members): (&String, &Value)) -> Entry {
    let members = members.as_object().cloned().unwrap_or_default();
    Entry { name: name.clone(), members, tools: None }
}

/// An entry of an artifact: what is outside of the snapshot goes before what is in it.
fn snapshot((index, entry): (usize, &Value)) -> Entry {
    let mut members =
        entry.pointer("/snapshot/server").and_then(Value::as_object).cloned().unwrap_or_default();
    for (outer, inner) in [("image", "image"), ("source", "source"), ("type", "kind")] {
        if let Some(value) = entry.get(outer) {
            members.insert(inner.to_owned(), value.clone());
        }
    }
    if let Some(url) = entry.get("endpoint") {
        members.entry("remote").or_insert_with(|| serde_json::json!({ "url": url }));
    }
    let image = members.get("image").and_then(Value::as_str).map(last_part);
    let name = members.get("name").and_then(Value::as_str).map(str::to_owned).or(image);
    let tools = entry.get("tools").and_then(Value::as_array);
    let tools = tools.map(|tools| tools.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    Entry { name: name.unwrap_or_else(|| format!("server-{}", index + 1)), members, tools }
}

/// `fetch` of `docker.io/mcp/fetch:1.2@sha256:…`.
fn last_part(image: &str) -> String {
    let path = image.split('@').next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    last.split(':').next().unwrap_or_default().to_owned()
}
