//! Time tools as a WASI component: now, convert, difference, zones.
//!
//! The pure part ([`zone`], [`moment`]) takes the current time as an argument, so that it is
//! tested on the host; the guest glue passes the wall clock and does nothing else. What the
//! tools promise is written in `wit/clock.wit`. Zone rules come from the IANA database compiled in:
//! a sandbox has no `/usr/share/zoneinfo`, and an answer must not depend on the host's.

pub mod moment;
pub mod zone;

#[cfg(target_family = "wasm")]
mod guest;
