//! Who calls.
//!
//! The first gate of a request: what it presents becomes a [`Principal`], or it goes no further. A
//! gateway without keys knows one principal, the local one. Knows nothing of tools, and of servers
//! no more than their names.

mod callers;
mod key;
mod principal;

pub use callers::{Callers, Key};
pub use key::{ApiKey, KeyHash};
pub use principal::{Principal, Servers, is_reserved};
