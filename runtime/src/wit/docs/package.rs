//! The `package-docs` section: docs of one WIT package, as attached by other publishers' tools.
//!
//! It names worlds and interfaces without the package and types without where they are used, so
//! only function docs can be told apart safely. One version byte, then JSON; a function is its
//! docs, or an object that has them.

use std::collections::BTreeMap;

use serde::Deserialize;

pub(super) const SECTION: &str = "package-docs";

#[derive(Debug, Default, Deserialize)]
pub(super) struct PackageDocs {
    #[serde(default)]
    worlds: BTreeMap<String, World>,
    #[serde(default)]
    interfaces: BTreeMap<String, Interface>,
}

#[derive(Debug, Default, Deserialize)]
struct World {
    #[serde(default)]
    funcs: BTreeMap<String, Function>,
    #[serde(default)]
    func_exports: BTreeMap<String, Function>,
    #[serde(default)]
    interfaces: BTreeMap<String, Interface>,
    #[serde(default)]
    interface_exports: BTreeMap<String, Interface>,
}

#[derive(Debug, Default, Deserialize)]
struct Interface {
    #[serde(default)]
    funcs: BTreeMap<String, Function>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Function {
    Docs(String),
    Object { docs: Option<String> },
}

impl Function {
    fn docs(&self) -> Option<&str> {
        match self {
            Self::Docs(docs) => Some(docs),
            Self::Object { docs } => docs.as_deref(),
        }
    }
}

impl PackageDocs {
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        match data.split_first()? {
            (0 | 1, json) => serde_json::from_slice(json).ok(),
            _ => None,
        }
    }

    /// The docs of a function by its place, the package and its version left aside.
    pub(super) fn function(&self, interface: Option<&str>, export: &str) -> Option<&str> {
        let Some(interface) = interface else {
            let mut worlds = self.worlds.values();
            return worlds.find_map(|world| {
                let found = world.func_exports.get(export).or_else(|| world.funcs.get(export));
                found?.docs()
            });
        };
        let (_, name) = interface.rsplit_once('/').unwrap_or(("", interface));
        let name = name.split('@').next().unwrap_or(name);
        let inline = self
            .worlds
            .values()
            .find_map(|world| world.interface_exports.get(name).or_else(|| world.interfaces.get(name)));
        self.interfaces.get(name).or(inline)?.funcs.get(export)?.docs()
    }
}
