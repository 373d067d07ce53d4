//! Servers elsewhere, spoken to over Streamable HTTP in the revisions with sessions and in the one without.
//!
//! `server` the sandbox · `line` the conversation, `handshake` how its session begins and `exchange` one request
//! and its answer · `sessions` which conversation a call has · `watch` what the server tells unasked ·
//! `link` HTTP to one place, with `breaker` · `place` where that is · `error` what goes wrong

mod breaker;
mod error;
mod exchange;
mod handshake;
mod line;
mod link;
mod place;
mod server;
mod sessions;
#[cfg(test)]
mod tests;
mod watch;

pub use error::RemoteError;
pub use place::{Place, PlaceError};
pub use server::{RemoteOptions, RemoteServer, Surroundings};
