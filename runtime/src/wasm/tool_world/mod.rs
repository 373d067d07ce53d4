//! Components that speak MCP themselves, by the world `toolgate:tool/server`.
//!
//! Such a component says at run time what it offers, and its answers are results of MCP, which are passed on as they
//! are. It runs as any other: a fresh instance for each call, with the same limits and grants.
//!
//! `wire` the types of the world · `client` what the component may tell its client · `ask` one request of it

mod ask;
pub(super) mod client;
mod wire;

use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

pub(super) use ask::{Answer, Request};

use super::instances::Export;
use super::surface::{functions, skipped};
use crate::sandbox::Skipped;

/// What begins the names of the world's interfaces, in every version that has the same types.
const PACKAGE: &str = "toolgate:tool/";
const VERSION: &str = "@1.";

/// A function of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Tools,
    Call,
    Prompts,
    Get,
    Resources,
    Templates,
    Read,
    Complete,
}

/// Each with its interface and its name there.
const ENTRIES: [(Entry, &str, &str); 8] = [
    (Entry::Tools, "tools", "list"),
    (Entry::Call, "tools", "call"),
    (Entry::Prompts, "prompts", "list"),
    (Entry::Get, "prompts", "get"),
    (Entry::Resources, "resources", "list"),
    (Entry::Templates, "resources", "templates"),
    (Entry::Read, "resources", "read"),
    (Entry::Complete, "completions", "complete"),
];

/// The part of the world that a component exports.
pub(super) struct World {
    /// Which functions there are; each is at its place here among the exports of the component.
    entries: Vec<Entry>,
    exports: Vec<Export>,
    /// Functions that are no part of it, and so can't be reached.
    pub(super) skipped: Vec<Skipped>,
}

impl World {
    /// That of `component`; `None` where it exports none of it.
    pub(super) fn of(engine: &Engine, component: &Component) -> Option<Self> {
        let mut world = Self { entries: Vec::new(), exports: Vec::new(), skipped: Vec::new() };
        for (name, export) in component.component_type().exports(engine) {
            if let (Some(interface), ComponentItem::ComponentInstance(_)) = (interface(name), export.ty) {
                world.add(interface, name);
            }
        }
        let is_own =
            |function: &str| function.split_once('#').is_some_and(|(name, _)| interface(name).is_some());
        let others = functions(engine, component).into_iter().filter(|function| !is_own(function));
        let why = "the component says what it offers by `toolgate:tool`, and this is no part of it";
        world.skipped = skipped(others, why);
        (!world.entries.is_empty()).then_some(world)
    }

    /// What its functions are exported as, in the order of [`place`](Self::place).
    pub(super) fn exports(&self) -> Vec<Export> {
        self.exports.clone()
    }

    /// Where a function is among the exports; `None` where there is none.
    pub(super) fn place(&self, entry: Entry) -> Option<usize> {
        self.entries.iter().position(|own| *own == entry)
    }

    fn add(&mut self, interface: &str, name: &str) {
        for (entry, _, function) in ENTRIES.iter().filter(|(_, own, _)| *own == interface) {
            self.entries.push(*entry);
            self.exports.push(Export::new(Some(name), function));
        }
    }
}

/// The interface of the world that an export is.
fn interface(export: &str) -> Option<&str> {
    let (name, version) = export.strip_prefix(PACKAGE)?.split_once('@')?;
    let known = ENTRIES.iter().any(|(_, interface, _)| *interface == name);
    (known && version.starts_with(&VERSION[1..])).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_of_any_version_with_the_same_types_is_the_worlds() {
        assert_eq!(interface("toolgate:tool/tools@1.0.0"), Some("tools"));
        assert_eq!(interface("toolgate:tool/completions@1.12.3"), Some("completions"));
        for other in
            ["toolgate:tool/tools@2.0.0", "toolgate:tool/tools", "toolgate:tool/x@1.0.0", "a:b/tools@1.0.0"]
        {
            assert_eq!(interface(other), None, "{other}");
        }
    }
}
