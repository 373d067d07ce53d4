//! The harness of the end-to-end suites: real processes, real registry, real guests; and a server
//! that injects faults.
//!
//! A suite makes a [`site::Site`] (a temporary folder with a config and a state directory), starts
//! [`gateway::Gateway`] on it and talks to it as a client would. Nothing here is skipped: a missing
//! part (the binary, a guest, the registry) is a panic that names the command that brings it.

pub mod boxed;
pub mod canary;
pub mod cgroup;
pub mod client;
pub mod engine;
pub mod gateway;
pub mod guests;
pub mod official;
pub mod process;
pub mod registry;
pub mod server;
pub mod site;
pub mod upstream;
