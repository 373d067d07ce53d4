//! File tools as a WASI component: list, read, search, write.
//!
//! All of it is plain `std::fs`, so it runs and is tested on the host as well. Nothing here checks
//! where a path leads: the host's grant is the wall, and a second one in the guest would only
//! pretend. What is bounded here is how much one call reads, walks and answers; `wit/files.wit`
//! promises the rest.

pub mod fault;
pub mod folder;
pub mod part;
pub mod pattern;
pub mod search;
pub mod write;

#[cfg(target_family = "wasm")]
mod guest;
