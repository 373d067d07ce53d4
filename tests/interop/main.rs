//! The gateway against what others wrote: the official conformance suite of MCP, and clients.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clients;
mod conformance;
mod fixtures;
mod installed;
