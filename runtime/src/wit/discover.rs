//! Which exported functions of a component are tools, under which names, and why others are not.
//!
//! Runs once per server, at load. Names come from the publisher and renames from the operator, so
//! both are checked here and nowhere later.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::{ComponentFunc, ComponentItem};

use super::convert::{Budget, signature};
use super::docs::Docs;
use super::tree::{self, Function};

/// Exported functions of one component, tools or not. Against a component with a million exports.
pub const MAX_FUNCTIONS: usize = 1024;

/// Characters of a tool name: the strictest client's bound, less what a server's name needs is the
/// catalog's to check.
pub const MAX_NAME_LEN: usize = 64;

/// What a component offers.
#[derive(Clone, Debug, Default)]
pub struct Discovery {
    /// Functions that are tools, in the order of the exports.
    pub functions: Vec<Function>,
    /// Exported functions that can't be tools.
    pub skipped: Vec<Skipped>,
}

/// An exported function that is not a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The function's path.
    pub function: String,
    /// Why.
    pub reason: String,
}

/// A component whose functions can't be offered as they are.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// Two functions would be tools of the same name.
    #[error(
        "`{first}` and `{second}` would both be the tool `{name}`; \
         rename one: rename = {{ \"{second}\" = \"other-name\" }}"
    )]
    Clash {
        /// The name of both.
        name: String,
        /// The path of the function exported first.
        first: String,
        /// The path of the other.
        second: String,
    },
    /// A key of `rename` names no function.
    #[error("rename: there is no function `{key}`; the component exports {known}")]
    UnknownFunction {
        /// The key.
        key: String,
        /// The paths of all functions.
        known: String,
    },
    /// A key of `rename` names more than one function.
    #[error("rename: `{key}` is the name of several functions; say which: {candidates}")]
    AmbiguousFunction {
        /// The key.
        key: String,
        /// Their paths.
        candidates: String,
    },
    /// A key of `rename` names a function that is no tool.
    #[error("rename: `{key}` can't be a tool: {reason}")]
    NotATool {
        /// The key.
        key: String,
        /// Why not.
        reason: String,
    },
    /// Two keys of `rename` name the same function.
    #[error("rename: `{first}` and `{second}` are the same function")]
    RenamedTwice {
        /// One key.
        first: String,
        /// The other.
        second: String,
    },
    /// A value of `rename` is no tool name.
    #[error(
        "rename: \"{name}\" for `{key}` is not a tool name: \
         1 to {MAX_NAME_LEN} of A-Z, a-z, 0-9, `_` and `-`"
    )]
    InvalidName {
        /// The key.
        key: String,
        /// The name.
        name: String,
    },
    /// More functions than a component may export.
    #[error("the component exports more than {MAX_FUNCTIONS} functions")]
    TooManyFunctions,
}

/// Finds the functions of `component` and what is said of them in its binary form `bytes`.
///
/// `rename` maps functions to tool names: a key is a path (`acme:clock/clock@1.0.0#now`) or, where
/// no other function has it, a function's name (`now`).
///
/// # Errors
/// A name clash, or a key or value of `rename` that is not right.
pub fn discover(
    engine: &Engine,
    component: &Component,
    bytes: &[u8],
    rename: &BTreeMap<String, String>,
) -> Result<Discovery, DiscoveryError> {
    let exports = exports(engine, component)?;
    let names = renames(&exports, rename)?;
    let docs = Docs::read(bytes);
    let mut budget = Budget::default();
    let mut discovery = Discovery::default();
    for (i, export) in exports.iter().enumerate() {
        let name = names.get(&i).map(|&(_, name)| name);
        match tool(export, name, &docs, &mut budget) {
            Ok(function) => discovery.functions.push(function),
            Err(reason) => match names.get(&i) {
                Some((key, _)) => {
                    return Err(DiscoveryError::NotATool { key: (*key).to_owned(), reason });
                }
                None => discovery.skipped.push(Skipped { function: export.path.clone(), reason }),
            },
        }
    }
    refuse_clashes(&discovery.functions)?;
    Ok(discovery)
}

struct Export {
    interface: Option<Arc<str>>,
    name: String,
    path: String,
    func: ComponentFunc,
}

/// Functions at world level and in exported interfaces. An instance within an instance is nothing
/// that WIT can say, and not looked into.
fn exports(engine: &Engine, component: &Component) -> Result<Vec<Export>, DiscoveryError> {
    let mut found = Vec::new();
    let mut add = |interface: Option<&Arc<str>>, name: &str, func: ComponentFunc| {
        if found.len() == MAX_FUNCTIONS {
            return Err(DiscoveryError::TooManyFunctions);
        }
        let path = tree::path(interface.map(|interface| &**interface), name);
        found.push(Export { interface: interface.cloned(), name: name.to_owned(), path, func });
        Ok(())
    };
    for (name, export) in component.component_type().exports(engine) {
        match export.ty {
            ComponentItem::ComponentFunc(func) => add(None, name, func)?,
            ComponentItem::ComponentInstance(instance) => {
                let interface = Arc::from(name);
                for (name, export) in instance.exports(engine) {
                    if let ComponentItem::ComponentFunc(func) = export.ty {
                        add(Some(&interface), name, func)?;
                    }
                }
            }
            ComponentItem::CoreFunc(_)
            | ComponentItem::Module(_)
            | ComponentItem::Component(_)
            | ComponentItem::Type(_)
            | ComponentItem::Resource(_) => {}
        }
    }
    Ok(found)
}

/// The new names, with their keys, by the position of the function.
fn renames<'r>(
    exports: &[Export],
    rename: &'r BTreeMap<String, String>,
) -> Result<HashMap<usize, (&'r str, &'r str)>, DiscoveryError> {
    let mut names = HashMap::new();
    for (key, name) in rename {
        let i = find(exports, key)?;
        if !is_tool_name(name) {
            return Err(DiscoveryError::InvalidName { key: key.clone(), name: name.clone() });
        }
        if let Some((first, _)) = names.insert(i, (key.as_str(), name.as_str())) {
            return Err(DiscoveryError::RenamedTwice { first: first.to_owned(), second: key.clone() });
        }
    }
    Ok(names)
}

fn find(exports: &[Export], key: &str) -> Result<usize, DiscoveryError> {
    let indices = || exports.iter().enumerate();
    if let Some((i, _)) = indices().find(|(_, export)| export.path == key) {
        return Ok(i);
    }
    let named: Vec<_> = indices().filter(|(_, export)| export.name == key).collect();
    let list = |exports: &mut dyn Iterator<Item = &Export>| {
        exports.map(|export| format!("`{}`", export.path)).collect::<Vec<_>>().join(", ")
    };
    match named[..] {
        [(i, _)] => Ok(i),
        [] => Err(DiscoveryError::UnknownFunction { key: key.to_owned(), known: list(&mut exports.iter()) }),
        _ => Err(DiscoveryError::AmbiguousFunction {
            key: key.to_owned(),
            candidates: list(&mut named.iter().map(|(_, export)| *export)),
        }),
    }
}

fn tool(export: &Export, name: Option<&str>, docs: &Docs, budget: &mut Budget) -> Result<Function, String> {
    let interface = export.interface.as_deref();
    let comment = docs.comment(interface, &export.name, &export.path);
    let signature = signature(&export.func, comment, docs.function(&export.path), budget)?;
    let name = name.unwrap_or(&export.name);
    check_tool_name(name, &export.path)?;
    Ok(Function {
        name: name.into(),
        interface: export.interface.clone(),
        export: export.name.as_str().into(),
        docs: signature.docs,
        params: Arc::new(signature.params),
        returns: signature.returns,
    })
}

/// Whether the strictest client takes a name for a tool; else what is wrong with that of `function`.
pub(crate) fn check_tool_name(name: &str, function: &str) -> Result<(), String> {
    if is_tool_name(name) {
        return Ok(());
    }
    Err(format!(
        "its name is not 1 to {MAX_NAME_LEN} of A-Z, a-z, 0-9, `_` and `-`; \
         give it another: rename = {{ \"{function}\" = \"other-name\" }}"
    ))
}

fn is_tool_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=MAX_NAME_LEN).contains(&name.len()) && name.bytes().all(allowed)
}

fn refuse_clashes(functions: &[Function]) -> Result<(), DiscoveryError> {
    let mut seen: HashMap<&str, &Function> = HashMap::new();
    for function in functions {
        if let Some(first) = seen.insert(&function.name, function) {
            return Err(DiscoveryError::Clash {
                name: function.name.to_string(),
                first: first.path(),
                second: function.path(),
            });
        }
    }
    Ok(())
}
