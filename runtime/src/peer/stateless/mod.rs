//! Requests of the revision without sessions (2026-07-28), as its client sends them over HTTP, and what comes back.
//!
//! Pure: knows no socket and no component, but what a request is in bytes, and how an answer is read as it comes.
//!
//! `request` what is sent · `reply` the response, to one message · `result` what that says

mod reply;
mod request;
mod result;

pub use reply::{Reply, ReplyError, Response};
pub(crate) use request::meta;
pub use request::{Ask, Request, Terms, TooLarge};
pub use result::{Answered, answered, discovered};

/// The revision.
pub const REVISION: &str = "2026-07-28";
