//! An MCP server that we are the client of: what containers and servers elsewhere have in common. Knows no process, no
//! socket and no component.
//!
//! `conversation` what one is to whoever asks · `request` what is asked for · `client` what every server is asked ·
//! `session` over lines of text, `single` a request with a stream of its own, which `sse` reads, with `lines`, `message`, and whom `notices` and what is `asked` are for ·
//! `news` what a server offers has changed · `capabilities` of clients · `header` and `mirrored` what requests say again
//! in headers · `stateless` requests of the revision without sessions, and their responses

mod asked;
mod capabilities;
pub mod client;
mod conversation;
pub mod header;
mod lines;
pub(crate) mod message;
pub mod mirrored;
mod news;
mod notices;
pub(crate) mod request;
mod session;
pub(crate) mod single;
pub mod sse;
pub mod stateless;

pub use asked::{Asked, MAX_WAITING, Questions};
pub use capabilities::ClientCapabilities;
pub use conversation::Conversation;
pub use message::{Notification, Refusal};
pub(crate) use news::{MAX_URI, News};
pub use request::{Besides, Reference, Request, Wanted};
pub use session::{Ended, Listener, Listening, RequestError, Session};
