//! The gateway against what others wrote: the official conformance suite of MCP.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod conformance;
