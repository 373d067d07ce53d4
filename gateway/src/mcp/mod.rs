//! The protocol: messages, revisions, methods. Pure but for the call itself.
//!
//! Knows nothing of sockets or HTTP bodies. One file per method; results are written by splicing
//! JSON text, never by modelling it.

pub mod session;
