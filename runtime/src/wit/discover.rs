//! Which exported functions of a component are tools, under which names, and why others are not.
//!
//! Runs once per server, at load. Names come from the publisher and renames from the operator, so
//! both are checked here and nowhere later.

use std::collections::BTreeMap;

use wasmtime::Engine;
use wasmtime::component::Component;

use super::tree::Function;

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
        "`{first}` and `{second}` would both be the tool `{name}`; rename one: rename = {{ \"{second}\" = \"...\" }}"
    )]
    Clash {
        /// The name of both.
        name: String,
        /// The path of the function exported first.
        first: String,
        /// The path of the other.
        second: String,
    },
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
    let _ = (engine, component, bytes, rename);
    Ok(Discovery::default())
}
