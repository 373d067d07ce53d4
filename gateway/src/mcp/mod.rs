//! The protocol: messages, revisions, methods.
//!
//! Knows nothing of sockets or HTTP bodies. A message is parsed once, into views of its bytes;
//! results are written by splicing JSON text, never by modelling it. One file per method.

pub mod answer;
pub mod batch;
pub mod discover;
pub mod envelope;
pub mod era;
pub mod flight;
pub mod headers;
pub mod id;
pub mod initialize;
pub mod lists;
pub mod notices;
pub mod offered;
pub mod params;
mod passed_on;
pub mod revision;
pub mod session;
#[cfg(test)]
mod tests;
pub mod tools_call;

/// This server's name and version, as JSON.
pub(crate) const SERVER_INFO: &str =
    concat!(r#"{"name":"toolgate","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);

/// The capabilities of every revision, as JSON: tools, whose list never changes under a client without its
/// asking again; and what servers that speak MCP themselves may have besides, where there are any.
pub(crate) fn capabilities(servers: bool) -> &'static str {
    if servers { r#"{"logging":{},"prompts":{},"resources":{},"tools":{}}"# } else { r#"{"tools":{}}"# }
}
