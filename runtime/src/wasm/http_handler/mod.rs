//! Components that handle HTTP requests, by `wasi:http/incoming-handler`, and speak MCP without sessions (2026-07-28).
//!
//! Each request has an instance of its own, also one that asks what the component offers, with the same limits and
//! grants as any call. There is no socket: the request is handed to the component, and its response read as it writes.
//!
//! `exchange` one request and its response · `ask` a call as a request, and what its response means

mod ask;
mod exchange;

use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

pub(super) use ask::{outcome, result};
pub(super) use exchange::{Exchange, Replied};

use super::instances::Export;
use super::surface::{functions, skipped};
use crate::peer::mirrored::{self, Mirrored};
use crate::sandbox::{Description, Skipped};

/// The interface, in every version that has the same types.
const INTERFACE: &str = "wasi:http/incoming-handler@0.2.";
const FUNCTION: &str = "handle";

/// What a component that handles HTTP is called by.
pub(super) struct Handler {
    export: Export,
    /// Bytes that a result may have.
    limit: u64,
    /// The parameters of its tools that are mirrored into headers, in the order of the tools.
    mirrored: Vec<Vec<Mirrored>>,
    /// Functions besides, which can't be reached.
    pub(super) skipped: Vec<Skipped>,
}

impl Handler {
    /// That of `component`, whose results have up to `limit` bytes; `None` where it handles no HTTP.
    pub(super) fn of(engine: &Engine, component: &Component, limit: u64) -> Option<Self> {
        let ty = component.component_type();
        let is_handler = |name: &str, item: &ComponentItem| {
            name.starts_with(INTERFACE) && matches!(item, ComponentItem::ComponentInstance(_))
        };
        let (name, _) = ty.exports(engine).find(|(name, export)| is_handler(name, &export.ty))?;
        let own = format!("{name}#{FUNCTION}");
        let others = functions(engine, component).into_iter().filter(|function| *function != own);
        let why =
            "the component says what it offers by `wasi:http/incoming-handler`, and this is no part of it";
        Some(Self {
            export: Export::new(Some(name), FUNCTION),
            limit,
            mirrored: Vec::new(),
            skipped: skipped(others, why),
        })
    }

    /// What it is exported as.
    pub(super) fn exports(&self) -> Vec<Export> {
        vec![self.export.clone()]
    }

    /// Learns what it offers, as that decides which headers its requests have.
    pub(super) fn learn(&mut self, description: &Description) {
        self.mirrored = description.tools.iter().map(|tool| mirrored::of(&tool.input_schema)).collect();
    }

    fn mirrored(&self, tool: usize) -> &[Mirrored] {
        self.mirrored.get(tool).map_or(&[], Vec::as_slice)
    }
}
