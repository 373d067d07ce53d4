//! Adding docs to a component, from the WIT files that it was built from.
//!
//! Runs where components are published, on files of the publisher's own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Function, PackageId, Resolve, Type, TypeDefKind, WorldId, WorldItem};

use super::{FunctionDocs, MAX_DOCS_BYTES, Node, SECTION, Section, VERSION, section};
use crate::wit::convert::MAX_TYPE_DEPTH;

/// Why docs could not be added.
#[derive(Debug, thiserror::Error)]
pub enum InjectError {
    /// The WIT can't be read.
    #[error("the WIT of {wit} can't be read: {reason}")]
    Wit {
        /// Where it is from.
        wit: String,
        /// What is wrong, with the line.
        reason: String,
    },
    /// The bytes are not a component.
    #[error("not a component: {0}")]
    Component(String),
    /// No world has anything that the component exports.
    #[error("no world of the WIT exports what the component does ({exports})")]
    NoWorld {
        /// The component's exports.
        exports: String,
    },
    /// The docs are longer than what is read back.
    #[error("the docs are {size} bytes long, more than the {MAX_DOCS_BYTES} that are read")]
    TooLong {
        /// Their size as JSON.
        size: usize,
    },
}

/// Adds the docs in `wit`, a file or a directory with its `deps/`, to `component`. Docs that were
/// added before are replaced, so the same input gives the same bytes again.
///
/// # Errors
/// See [`InjectError`]. WIT without any docs is none.
pub fn inject(component: &[u8], wit: &Path) -> Result<Vec<u8>, InjectError> {
    let mut resolve = Resolve::default();
    let pushed = resolve.push_path(wit).map(|(package, _)| package);
    let package = pushed
        .map_err(|e| InjectError::Wit { wit: wit.display().to_string(), reason: resolve.render_error(&e) })?;
    inject_resolved(component, &resolve, package)
}

/// Like [`inject`], from the text of one file.
///
/// # Errors
/// See [`InjectError`].
pub fn inject_text(component: &[u8], wit: &str) -> Result<Vec<u8>, InjectError> {
    const NAME: &str = "world.wit";
    let mut resolve = Resolve::default();
    let package = resolve
        .push_str(NAME, wit)
        .map_err(|e| InjectError::Wit { wit: NAME.to_owned(), reason: resolve.render_error(&e) })?;
    inject_resolved(component, &resolve, package)
}

fn inject_resolved(component: &[u8], resolve: &Resolve, package: PackageId) -> Result<Vec<u8>, InjectError> {
    let exports = exports(component)?;
    let world = best_world(resolve, package, &exports).ok_or_else(|| InjectError::NoWorld {
        exports: exports.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
    })?;
    let section = Section { version: VERSION, functions: functions(resolve, world) };
    let json = serde_json::to_vec(&section).map_err(|e| InjectError::Component(e.to_string()))?;
    if json.len() > MAX_DOCS_BYTES {
        return Err(InjectError::TooLong { size: json.len() });
    }
    section::with_custom(component, SECTION, &json)
        .ok_or_else(|| InjectError::Component("its sections are malformed".to_owned()))
}

fn exports(component: &[u8]) -> Result<BTreeSet<String>, InjectError> {
    match decode(component) {
        Ok(DecodedWasm::Component(resolve, world)) => {
            let exports = resolve.worlds[world].exports.keys();
            Ok(exports.map(|key| resolve.name_world_key(key)).collect())
        }
        Ok(DecodedWasm::WitPackage(..)) => {
            Err(InjectError::Component("this is a WIT package in binary form".to_owned()))
        }
        Err(e) => Err(InjectError::Component(format!("{e:#}"))),
    }
}

/// The world that has most of the component's exports. Not all must be in it: a command also
/// exports `wasi:cli/run`, which its author never wrote down.
fn best_world(resolve: &Resolve, package: PackageId, exports: &BTreeSet<String>) -> Option<WorldId> {
    let shared = |world: WorldId| {
        let keys = resolve.worlds[world].exports.keys();
        keys.filter(|key| exports.contains(&resolve.name_world_key(key))).count()
    };
    let worlds = resolve.packages[package].worlds.values();
    // The first of equals: max_by_key would take the last.
    let (_, world) = worlds.rev().map(|&world| (shared(world), world)).max_by_key(|&(n, _)| n)?;
    (shared(world) > 0).then_some(world)
}

fn functions(resolve: &Resolve, world: WorldId) -> BTreeMap<String, FunctionDocs> {
    let mut found = BTreeMap::new();
    let mut add = |interface: Option<&str>, function: &Function| {
        let path = crate::wit::tree::path(interface, &function.name);
        found.insert(path, function_docs(resolve, function));
    };
    for (key, item) in &resolve.worlds[world].exports {
        match item {
            WorldItem::Function(function) => add(None, function),
            WorldItem::Interface { id, .. } => {
                let name = resolve.name_world_key(key);
                for function in resolve.interfaces[*id].functions.values() {
                    add(Some(&name), function);
                }
            }
            WorldItem::Type { .. } => {}
        }
    }
    found.retain(|_, docs| *docs != FunctionDocs::default());
    found
}

fn function_docs(resolve: &Resolve, function: &Function) -> FunctionDocs {
    let nodes = function.params.iter().map(|param| (param.name.clone(), node(resolve, param.ty, 0)));
    FunctionDocs {
        docs: function.docs.contents.clone(),
        params: nodes.filter(|(_, node)| !node.is_empty()).collect(),
        result: function.result.map(|ty| node(resolve, ty, 0)).unwrap_or_default(),
    }
}

/// The docs of a type and of all below it. Where an alias has docs, they win over its target's.
fn node(resolve: &Resolve, ty: Type, depth: usize) -> Node {
    let Type::Id(id) = ty else { return Node::default() };
    if depth > MAX_TYPE_DEPTH {
        return Node::default();
    }
    let ty = &resolve.types[id];
    let mut found = Node { docs: ty.docs.contents.clone(), ..Node::default() };
    if let TypeDefKind::Type(target) = ty.kind {
        let target = node(resolve, target, depth);
        found.docs = found.docs.or(target.docs);
        found.of = target.of;
        return found;
    }
    let mut add = |label: &str, docs: Option<&String>, ty: Option<Type>| {
        let mut below = ty.map(|ty| node(resolve, ty, depth + 1)).unwrap_or_default();
        if let Some(docs) = docs {
            below.docs = Some(docs.clone());
        }
        if !below.is_empty() {
            found.of.insert(label.to_owned(), below);
        }
    };
    match &ty.kind {
        TypeDefKind::Record(record) => {
            record.fields.iter().for_each(|f| add(&f.name, f.docs.contents.as_ref(), Some(f.ty)));
        }
        TypeDefKind::Variant(variant) => {
            variant.cases.iter().for_each(|c| add(&c.name, c.docs.contents.as_ref(), c.ty));
        }
        TypeDefKind::Enum(labels) => {
            labels.cases.iter().for_each(|c| add(&c.name, c.docs.contents.as_ref(), None));
        }
        TypeDefKind::Flags(labels) => {
            labels.flags.iter().for_each(|f| add(&f.name, f.docs.contents.as_ref(), None));
        }
        TypeDefKind::Tuple(tuple) => {
            tuple.types.iter().enumerate().for_each(|(i, &ty)| add(&i.to_string(), None, Some(ty)));
        }
        TypeDefKind::Option(ty) | TypeDefKind::List(ty) | TypeDefKind::FixedLengthList(ty, _) => {
            add("item", None, Some(*ty));
        }
        TypeDefKind::Result(result) => {
            add("ok", None, result.ok);
            add("err", None, result.err);
        }
        TypeDefKind::Map(key, value) => {
            add("key", None, Some(*key));
            add("value", None, Some(*value));
        }
        // Functions with these are no tools; aliases were followed above.
        TypeDefKind::Resource
        | TypeDefKind::Handle(_)
        | TypeDefKind::Future(_)
        | TypeDefKind::Stream(_)
        | TypeDefKind::Type(_)
        | TypeDefKind::Unknown => {}
    }
    found
}
