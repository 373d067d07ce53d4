//! Exported functions as tools: WIT types to JSON Schema, JSON to component values and back.
//!
//! [`discover`] reads a component's exports once, at load, into immutable [`Function`]s with all
//! that a call needs precomputed. [`schema`] publishes their arguments and results;
//! [`value::parse_arguments`] and [`value::render`] accept and produce exactly what the schemas
//! say. [`docs`] carries the doc comments of WIT files, which compilers drop, inside components.
//!
//! Nothing here calls a guest or knows a policy.

mod convert;
mod density;
mod discover;
pub mod docs;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
pub mod schema;
#[cfg(test)]
mod tests;
mod tree;
pub mod value;

pub use convert::{MAX_COMPONENT_NODES, MAX_TYPE_DEPTH, MAX_TYPE_NODES};
pub use density::{argument_density, density};
pub(crate) use discover::check_tool_name;
pub use discover::{Discovery, DiscoveryError, MAX_FUNCTIONS, MAX_NAME_LEN, Skipped, discover};
pub use tree::{Case, Cases, Field, Fields, Function, Label, Labels, Returns, Type};
