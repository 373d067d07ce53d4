//! Every end-to-end suite, one module each. What a test shows is its name.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod clients;
mod grants;
mod lifecycle;
mod limits;
mod registry;
mod secrets;
mod state;
mod types;
