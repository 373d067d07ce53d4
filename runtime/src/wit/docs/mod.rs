//! Doc comments of WIT files, carried inside components.
//!
//! The binary form of a component has types but neither their names nor any docs, and toolchains
//! drop the comments when they encode one. So publishing adds a custom section with the docs of
//! every exported function ([`inject`]), laid out by where they apply in its signature, and
//! loading reads it back without decoding the component a second time. The `package-docs` section
//! that some publishers attach instead is understood as far as functions go.
//!
//! Docs are the publisher's words and end up in front of a model: they are bounded and stripped of
//! characters that people can't see. They never decide anything.

pub(super) mod comment;
mod inject;
mod package;
mod section;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use inject::{InjectError, inject, inject_text};

/// The custom section: JSON of [`Section`].
const SECTION: &str = "toolgate-docs";

/// Version of the section's form. Another version is not read.
const VERSION: u32 = 1;

/// Bytes of docs that a component may carry; more are ignored at load and refused at publishing.
/// Against a publisher who makes the gateway hold and send megabytes of prose.
pub const MAX_DOCS_BYTES: usize = 1024 * 1024;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Section {
    version: u32,
    functions: BTreeMap<String, FunctionDocs>,
}

/// What is said of one function.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct FunctionDocs {
    /// The function's own doc comment, verbatim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
    /// Docs of the parameters' types.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Node>,
    /// Docs of the result's type.
    #[serde(default, skip_serializing_if = "Node::is_empty")]
    pub result: Node,
}

/// What is said of one place in a signature, and of the places below it.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Node {
    /// Docs of the field or case here, otherwise of the type here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
    /// By field, case or label; `item`, `ok`, `err`, `key`, `value` or an index elsewhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub of: BTreeMap<String, Self>,
}

impl Node {
    fn is_empty(&self) -> bool {
        self.docs.is_none() && self.of.is_empty()
    }
}

/// The docs that a component carries, by function.
#[derive(Debug, Default)]
pub(super) struct Docs {
    functions: BTreeMap<String, FunctionDocs>,
    package: Option<package::PackageDocs>,
}

impl Docs {
    /// Reads what there is. A component without docs, or with unreadable ones, has none: they are
    /// not worth refusing a tool for.
    pub(super) fn read(component: &[u8]) -> Self {
        let own = section::custom(component, SECTION)
            .filter(|data| data.len() <= MAX_DOCS_BYTES)
            .and_then(|data| serde_json::from_slice::<Section>(data).ok())
            .filter(|section| section.version == VERSION);
        let package = section::custom(component, package::SECTION)
            .filter(|data| data.len() <= MAX_DOCS_BYTES)
            .and_then(package::PackageDocs::parse);
        Self { functions: own.unwrap_or_default().functions, package }
    }

    /// The docs of a function, types included, if the component carries them.
    pub(super) fn function(&self, path: &str) -> Option<&FunctionDocs> {
        self.functions.get(path)
    }

    /// The function's doc comment, whichever section it is in.
    pub(super) fn comment(&self, interface: Option<&str>, export: &str, path: &str) -> Option<&str> {
        let own = self.function(path).and_then(|docs| docs.docs.as_deref());
        own.or_else(|| self.package.as_ref()?.function(interface, export))
    }
}
