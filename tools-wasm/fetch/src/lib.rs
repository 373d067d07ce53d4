//! Web pages as a WASI component: one GET, followed through redirects, as markdown, text or raw.
//!
//! Everything but sending is pure and tested on the host: [`url`] and [`follow`] decide what is
//! requested, [`charset`], [`markdown`] and [`page`] what becomes of the answer. Nothing here
//! decides what may be reached; the host judges every request, redirects too. What is bounded
//! here is how much one call reads and answers.

pub mod charset;
pub mod follow;
pub mod markdown;
pub mod page;
pub mod url;

#[cfg(target_family = "wasm")]
mod exchange;
#[cfg(target_family = "wasm")]
mod guest;
