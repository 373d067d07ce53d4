//! The protocol: messages, revisions, methods.
//!
//! Knows nothing of sockets or HTTP bodies. A message is parsed once, into views of its bytes;
//! results are written by splicing JSON text, never by modelling it. One file per method.

pub mod answer;
pub mod batch;
pub mod calling;
pub mod changes;
pub mod discover;
pub mod envelope;
pub mod era;
pub mod finding;
pub mod flight;
pub mod headers;
pub mod id;
pub mod initialize;
pub mod inquiries;
pub mod lists;
pub mod notices;
pub mod offered;
pub mod params;
mod passed_on;
pub mod place;
pub mod questions;
pub mod revision;
pub mod round;
pub mod session;
pub mod shape;
pub mod subscription;
pub mod tasks;
#[cfg(test)]
mod tests;
pub mod tools_call;
pub mod trace;
pub mod updates;
pub mod watched;

/// This server's name and version, as JSON.
pub(crate) const SERVER_INFO: &str =
    concat!(r#"{"name":"toolgate","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);

/// The capabilities of a revision, as JSON: tools, and what servers that speak MCP themselves may have
/// besides, where there are any. Clients are told when lists change: of sessions on their stream, others as they
/// subscribe.
pub(crate) fn capabilities(servers: bool) -> &'static str {
    match servers {
        false => r#"{"tools":{"listChanged":true}}"#,
        true => {
            r#"{"completions":{},"logging":{},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true},"tools":{"listChanged":true}}"#
        }
    }
}
