//! Every end-to-end suite, one module each. What a test shows is its name.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod capacity;
mod clients;
mod compiler;
mod containers;
mod crowd;
mod extremes;
mod fetch;
mod fixtures;
mod grants;
mod http_handler;
mod import;
mod keys;
mod lifecycle;
mod limits;
mod panics;
mod registry;
mod registry_faults;
mod remote;
mod secrets;
mod security_page;
mod shared_code;
mod slow_readers;
mod state;
mod surface;
mod tasks;
mod tool_world;
mod tools;
mod types;
