//! The wasm backend: tools that are WASI components, run in wasmtime.
//!
//! Work is done at the stage where it belongs: `engine` once per process, `component` once per
//! server, `state` and `call` once per call. `load`, `compiler`, `compiled` and `code` make native code from
//! untrusted bytes and keep it; `link` says what components may import; `pool`, `room` and `instances`
//! say where a call's instance comes from; `capability` holds one file per kind of grant; `hostcall`
//! bounds what a guest makes the host do; `meter` counts what a call uses, `ticker` makes guests
//! yield where nothing is counted; `trap` says why a call failed; `surface` says what a component is called
//! by. Nothing but its three kinds knows MCP: `tool_world`, `http_handler`, and `offered`, which asks both.

mod call;
mod capability;
mod code;
mod compiled;
mod compiler;
mod component;
mod descriptors;
mod engine;
mod hostcall;
mod http_handler;
mod inspect;
mod instances;
mod link;
mod load;
mod meter;
mod offered;
mod pool;
mod room;
mod state;
mod surface;
mod ticker;
mod tool_world;
mod trap;

pub use compiled::CompiledCache;
pub use compiler::{Compiler, compile};
pub use component::{Component, PrepareOptions};
pub use engine::{Engine, EngineError, EngineOptions, Metering};
pub use inspect::{Inspection, inspect};
pub use load::LoadError;
pub use pool::{PoolPlan, Reset};

#[cfg(test)]
mod tests;
