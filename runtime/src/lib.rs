//! Sandboxes for tools.
//!
//! A *server* is one artifact run under one [`policy::Policy`]; it offers *tools*. A
//! [`sandbox::Sandbox`] describes its tools and runs one call of one of them with nothing but what
//! the policy grants. This crate knows nothing of MCP, of HTTP servers or of who calls.
//!
//! Files use files of their own floor or below, never above:
//!
//! | floor | modules |
//! |---|---|
//! | 1 | [`limits`], [`events`], [`notice`], `capture`, [`host`], [`budget`], [`scheduler`], [`secret`], [`answer`], [`json`], [`artifact`], [`wit`], [`peer`] |
//! | 2 | [`policy`] |
//! | 3 | [`sandbox`], `offers`, `held`, `account`, [`egress`] |
//! | 4 | [`wasm`], [`docker`], [`remote`] |

mod account;
pub mod answer;
pub mod artifact;
pub mod budget;
mod capture;
pub mod docker;
pub mod egress;
pub mod events;
mod held;
pub mod host;
pub mod json;
pub mod limits;
pub mod notice;
mod offers;
pub mod peer;
pub mod policy;
pub mod remote;
pub mod sandbox;
pub mod scheduler;
pub mod secret;
pub mod wasm;
pub mod wit;
