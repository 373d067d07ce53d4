//! Facts about one call, told to whoever accounts for it while the call runs.
//!
//! The sandbox reports; it never logs by itself, because only the gateway knows the server, the
//! caller and the record that a fact belongs to.

use std::fmt;
use std::time::Duration;

/// The id of one call, unique in the process; ties guest output and denials to the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallId(pub u64);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What ran the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A WASI component in wasmtime.
    Wasm,
    /// A container of a Docker engine.
    Docker,
    /// A server elsewhere.
    Remote,
    /// The gateway itself.
    BuiltIn,
}

impl Backend {
    /// The name used in config, records and `_meta`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wasm => "wasm",
            Self::Docker => "docker",
            Self::Remote => "remote",
            Self::BuiltIn => "builtin",
        }
    }
}

/// What a call consumed. Known for every call, failed and cancelled ones too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Fuel burned; `None` where it is not metered.
    pub fuel: Option<u64>,
    /// Highest sum of bytes over all linear memories and tables; `None` where that is not known of a call.
    pub memory_peak: Option<u64>,
    /// From start of the sandbox to its end.
    pub wall: Duration,
    /// Bytes of JSON arguments.
    pub bytes_in: u64,
    /// Bytes of JSON result.
    pub bytes_out: u64,
    /// What ran it.
    pub backend: Backend,
}

/// Which stream of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdio {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Stdio {
    /// The name used in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Out => "stdout",
            Self::Err => "stderr",
        }
    }
}

/// A use of a capability that no grant covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// `files`, `http`, `tcp`, `udp` or `listen`.
    pub capability: &'static str,
    /// What the guest tried, without secrets: `GET https://api.example.com/v1/x`.
    pub attempt: String,
    /// Why it was refused, for the operator.
    pub reason: String,
    /// The line for `[servers.NAME.grants]` that would allow it; `None` where nothing would.
    pub allow: Option<String>,
}

/// Hears what happens in one call. Implementations must not block.
pub trait Observer: Send + Sync {
    /// A line of guest output, without its newline. Bounded by `limits.stdio`.
    fn stdio(&self, stream: Stdio, line: &[u8]);
    /// Bytes of guest output that were dropped because `limits.stdio` was reached; told once.
    fn stdio_dropped(&self, bytes: u64);
    /// A denied use of a capability. At most [`MAX_DENIALS`] a call.
    fn denied(&self, denial: &Denial);
    /// The end of the call, told exactly once, also when the call is dropped midway.
    fn finished(&self, usage: &Usage);
}

/// Denials told per call. A guest that retries in a loop must not fill the log.
pub const MAX_DENIALS: usize = 32;

/// An observer that ignores everything, for tools that have no record to write.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ignore;

impl Observer for Ignore {
    fn stdio(&self, _: Stdio, _: &[u8]) {}
    fn stdio_dropped(&self, _: u64) {}
    fn denied(&self, _: &Denial) {}
    fn finished(&self, _: &Usage) {}
}
