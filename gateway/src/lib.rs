//! An MCP gateway in which every tool call runs in its own sandbox.
//!
//! Read [`pipeline`] first: it lists the stages of one call. The gateway sees sandboxes only through
//! [`toolgate_runtime::sandbox::Sandbox`]; how they enforce what was granted is not known here.

pub mod admit;
mod allocator;
pub mod assemble;
pub mod audit;
pub mod auth;
pub mod authorize;
pub mod catalog;
pub mod cli;
pub mod config;
mod descriptors;
pub mod error;
#[cfg(test)]
mod fake;
pub mod gateway;
pub mod import;
mod json;
pub mod logging;
pub mod mcp;
pub mod observe;
pub mod overrides;
pub mod pipeline;
pub mod respond;
pub mod transport;

pub use gateway::{Gateway, GatewaySettings};
