//! The limits of one call, and of one server, with their defaults.
//!
//! Every resource that a guest, a caller, a registry or a publisher could exhaust has a limit here
//! or a named constant beside its enforcer. Limits only come from the operator's config.

use std::time::Duration;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Limits of every call to one server. All are enforced per call except `concurrency`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fuel units that a call may burn; about one per wasm instruction. Against endless loops.
    pub fuel: u64,
    /// Bytes over all linear memories and tables of the call together.
    pub memory: u64,
    /// Wall time from admission to result, host calls and waiting included.
    pub deadline: Duration,
    /// Bytes of the JSON result.
    pub output: u64,
    /// Bytes of stdout and stderr together that are kept, short lines counted as 64; what exceeds
    /// them is dropped and counted.
    pub stdio: u64,
    /// Bytes that the call may write to files. Against a guest that fills the disk.
    pub disk: u64,
    /// Core instances that a call may create.
    pub instances: u32,
    /// Tables that a call may create.
    pub tables: u32,
    /// Linear memories that a call may create.
    pub memories: u32,
    /// Handles (files, sockets, requests, streams) that a call may hold at a time.
    pub handles: u32,
    /// Calls of this server in flight at a time.
    pub concurrency: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 5_000_000_000,
            memory: 64 * MIB,
            deadline: Duration::from_secs(30),
            output: 4 * MIB,
            stdio: 64 * KIB,
            disk: 64 * MIB,
            instances: 64,
            tables: 64,
            memories: 16,
            handles: 256,
            concurrency: 64,
        }
    }
}
