//! What operators learn about calls.
//!
//! One record per call, guest output and denials, as tracing events under the target
//! `toolgate::call`, tied together by the call's id. Where the events go is decided where the
//! process starts; nothing here knows of files or exporters.

mod printable;
mod record;
#[cfg(test)]
mod tests;

pub use record::{CallRecord, Ending};

/// The target of all events about calls.
pub const TARGET: &str = "toolgate::call";
