//! Streamable HTTP: connections to messages, and answers back.
//!
//! `listen` accepts and drains, `stream` puts time limits on a connection, `route` sends a request
//! to `status` or, past `hosts` and `cors`, to `post`, which reads the `body` and speaks MCP, also in a `batch`. `run`
//! runs what was asked; its `reply` may be a stream of `events`, in a session one that is `resumable`. Nothing here knows
//! what a tool is.

mod accept;
mod batch;
mod body;
mod cors;
mod events;
mod hosts;
mod listen;
mod listening;
mod post;
mod reply;
mod resumable;
mod route;
mod run;
mod status;
mod stream;
#[cfg(test)]
mod tests;
mod turn;

use std::time::Duration;

pub use listen::serve;

use crate::auth::Callers;
use crate::transport::budget;

const MIB: usize = 1024 * 1024;

/// Limits and names of the HTTP side.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Who may call.
    pub callers: Callers,
    /// Hosts besides the loopback ones by which clients may call this gateway: `host` (any port)
    /// or `host:port`.
    pub hosts: Vec<String>,
    /// Origins besides its own whose pages may call it: `https://app.example.com`.
    pub origins: Vec<String>,
    /// Bytes of a request body. Against memory filled by one request.
    pub body: usize,
    /// Bytes of all request bodies held at a time. Against memory filled by many requests.
    pub bodies: usize,
    /// Bytes of all answers that are not yet with their clients. Against many clients that ask much
    /// and read slowly.
    pub answers: usize,
    /// Time for a request's head to arrive. Against connections held open by sending slowly.
    pub header_timeout: Duration,
    /// Time for a request's body to arrive. Against the same.
    pub body_timeout: Duration,
    /// Time without progress while writing, and time that an answer may take besides what its size
    /// allows for. Against clients that stop reading, or almost.
    pub write_timeout: Duration,
    /// Time that a connection may be idle between requests. Above the 60 s after which common
    /// load balancers drop theirs, or they would send into a closed one.
    pub idle_timeout: Duration,
    /// How long a stream of a session is kept for its client to go on with after its connection broke, and the
    /// call with it. Against calls that run on for nobody.
    pub resume: Duration,
    /// Time after which the answer to a request of a session is a stream, where its revision lets a stream begin
    /// with nothing: so that an answer which takes long is not lost with a connection.
    pub primed_after: Duration,
    /// Connections at a time. Against descriptors running out.
    pub connections: usize,
    /// Time in which a gateway that stops says so to probes and serves on, for load balancers to notice.
    pub drain_delay: Duration,
    /// Time for calls in flight to end after that.
    pub drain: Duration,
}

impl HttpSettings {
    /// Takes no more for bodies and answers than the process can spare of its `memory`, of which the
    /// largest answer takes `answer`.
    #[must_use]
    pub fn within(mut self, memory: u64, answer: u64) -> Self {
        self.bodies = budget::within(self.bodies, memory, self.body as u64);
        self.answers = budget::within(self.answers, memory, answer);
        self
    }
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            callers: Callers::default(),
            hosts: Vec::new(),
            origins: Vec::new(),
            body: 4 * MIB,
            bodies: 128 * MIB,
            answers: 128 * MIB,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            resume: Duration::from_secs(30),
            primed_after: Duration::from_secs(5),
            connections: 1024,
            drain_delay: Duration::ZERO,
            drain: Duration::from_secs(30),
        }
    }
}
