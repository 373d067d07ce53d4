//! What operators learn about calls.
//!
//! One record per call, guest output and denials, as tracing events under the target
//! `toolgate::call`, tied together by the call's id. Where the events go is decided where the
//! process starts; nothing here knows of files or exporters.

mod printable;
mod record;
mod server_log;
#[cfg(test)]
mod tests;

pub use record::{CallRecord, Ending};
pub use server_log::ServerLog;

/// The name of the event that is the record of a call.
pub const RECORD: &str = "call record";

/// The name of events that tell a line of a guest's output.
pub const OUTPUT: &str = "guest output";

/// The target of all events about calls.
pub const TARGET: &str = "toolgate::call";
