//! An MCP server that we are the client of, over lines of text: what containers, and later servers
//! elsewhere, have in common. Knows no process and no socket.

mod asked;
mod capabilities;
pub mod client;
mod lines;
pub(crate) mod message;
mod notices;
mod session;

pub use asked::{Asked, MAX_WAITING, Questions};
pub use capabilities::ClientCapabilities;
pub use message::{Notification, Refusal};
pub use session::{Ended, Listener, Listening, RequestError, Session};
