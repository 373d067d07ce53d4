//! An MCP server that we are the client of, over lines of text: what containers, and later servers
//! elsewhere, have in common. Knows no process and no socket.

pub mod client;
mod lines;
pub(crate) mod message;
mod notices;
mod session;

pub use message::{Notification, Refusal};
pub use session::{Ended, Listener, RequestError, Session};
