//! The wasm backend: tools that are WASI components, run in wasmtime.
//!
//! Work is done at the stage where it belongs: `engine` once per process, `component` once per
//! server, `state` once per call. `load` and `compiled` make compiled code from untrusted bytes
//! and keep it; `link` says what components may import; `capability` holds one file per kind of
//! grant; `hostcall` bounds what a
//! guest makes the host do; `meter` counts what a call uses; `trap` says why it failed. Nothing here knows MCP.

mod capability;
mod compiled;
mod component;
mod engine;
mod hostcall;
mod inspect;
mod link;
mod load;
mod meter;
mod state;
mod trap;

pub use compiled::CompiledCache;
pub use component::{Component, PrepareOptions};
pub use engine::{Engine, EngineError, EngineOptions};
pub use inspect::{Inspection, inspect};
pub use load::LoadError;

#[cfg(test)]
mod tests;
