//! The record of one call, written exactly once, when the last holder lets go of it.
//!
//! The pipeline holds it, and so does the sandbox, as its observer. Whoever is last writes: so a
//! call that the client abandoned is still recorded, with the usage that its sandbox tells on the
//! way out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use toolgate_runtime::events::{CallId, Denial, Observer, Stdio, Usage};
use toolgate_runtime::sandbox::{CallError, Outcome, Target};

use super::printable::printable;
use super::{OUTPUT, RECORD, TARGET};
use crate::auth::Principal;
use crate::catalog::{Resolved, View};
use crate::error::Error;
use crate::mcp::trace::TraceId;
use crate::pipeline::Call;

/// Bytes of a caller's or guest's text in one event. Against logs filled by one call.
const MAX_TEXT: usize = 4096;

/// What nearly all calls are of, which is why the record says only what else one is of.
const TOOLS_CALL: &str = "tools/call";

/// The open record of a call.
#[derive(Debug)]
pub struct CallRecord {
    shared: Arc<Shared>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub enum Ending<'a> {
    /// The tool answered.
    Ok,
    /// The tool answered with an error of its own.
    ToolError,
    /// The sandbox ended it.
    Failed(&'a CallError),
    /// It never reached a sandbox.
    Refused(&'a Error),
}

impl<'a> Ending<'a> {
    /// The ending of a call that reached its sandbox.
    #[must_use]
    pub fn of(result: &'a Result<Outcome, CallError>) -> Self {
        match result {
            Ok(outcome) if outcome.is_error => Self::ToolError,
            Ok(_) => Self::Ok,
            Err(error) => Self::Failed(error),
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ToolError => "tool-error",
            Self::Failed(error) => error.code(),
            Self::Refused(error) => error.code(),
        }
    }

    fn cause(self) -> Option<String> {
        match self {
            Self::Ok | Self::ToolError => None,
            Self::Failed(error) => Some(error.to_string()),
            Self::Refused(error) => Some(error.to_string()),
        }
    }
}

impl CallRecord {
    /// Opens the record of a call, under a fresh id.
    #[must_use]
    pub fn begin(principal: &Principal, call: &Call) -> Self {
        let server = match &call.view {
            View::All | View::Profile(_) => String::new(),
            View::One(server) => server.to_string(),
        };
        let tool = call.wanted.name().to_owned();
        let facts = Facts { server, tool, method: call.wanted.method(), ..Facts::default() };
        let shared = Shared {
            id: next_id(),
            principal: principal.clone(),
            trace: call.trace.clone(),
            since: Instant::now(),
            facts: Mutex::new(facts),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The call's id.
    #[must_use]
    pub fn id(&self) -> CallId {
        self.shared.id
    }

    /// Notes which server and tool the name stood for.
    pub fn resolved(&self, resolved: &Resolved) {
        let server = resolved.server();
        let mut facts = self.shared.facts();
        facts.server = server.name().to_owned();
        if let Target::Tool(tool) = resolved.target()
            && let Some(tool) = server.tools().get(*tool)
        {
            facts.tool = tool.name.clone();
        }
    }

    /// Hears the sandbox.
    #[must_use]
    pub fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.shared) as Arc<dyn Observer>
    }

    /// What the sandbox said the call consumed.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.shared.facts().usage.clone()
    }

    /// Notes how the call ended. Without it, the record says `cancelled`.
    pub fn end(self, ending: Ending<'_>) {
        let mut facts = self.shared.facts();
        facts.outcome = ending.code();
        facts.cause = ending.cause();
    }
}

/// Ids count up from a random start, so that those of two processes in one log rarely meet.
fn next_id() -> CallId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static START: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    let start = START.get_or_init(|| getrandom::u64().unwrap_or_default());
    CallId(start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)))
}

#[derive(Debug)]
struct Shared {
    id: CallId,
    principal: Principal,
    trace: Option<TraceId>,
    since: Instant,
    facts: Mutex<Facts>,
}

#[derive(Debug)]
struct Facts {
    server: String,
    /// The name of the tool, or of what else was asked for.
    tool: String,
    method: &'static str,
    outcome: &'static str,
    cause: Option<String>,
    usage: Option<Usage>,
    denials: u32,
    stdio_dropped: u64,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            server: String::new(),
            tool: String::new(),
            method: "",
            outcome: "cancelled",
            cause: None,
            usage: None,
            denials: 0,
            stdio_dropped: 0,
        }
    }
}

impl Shared {
    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let facts = self.facts.get_mut().unwrap_or_else(PoisonError::into_inner);
        let usage = facts.usage.as_ref();
        tracing::info!(
            name: RECORD,
            target: TARGET,
            call = %self.id,
            principal = %self.principal,
            server = %printable(&facts.server, MAX_TEXT),
            tool = %printable(&facts.tool, MAX_TEXT),
            trace = self.trace.as_ref().map(TraceId::as_str),
            method = (facts.method != TOOLS_CALL).then_some(facts.method),
            outcome = facts.outcome,
            cause = facts.cause.as_deref().map(|c| tracing::field::display(printable(c, MAX_TEXT))),
            micros = micros(self.since.elapsed()),
            fuel = usage.and_then(|u| u.fuel),
            memory_peak = usage.and_then(|u| u.memory_peak),
            wall_micros = usage.map(|u| micros(u.wall)),
            bytes_in = usage.map(|u| u.bytes_in),
            bytes_out = usage.map(|u| u.bytes_out),
            backend = usage.map(|u| u.backend.as_str()),
            denials = facts.denials,
            stdio_dropped = facts.stdio_dropped,
            "call"
        );
    }
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Observer for Shared {
    fn stdio(&self, stream: Stdio, line: &[u8]) {
        let server = self.facts().server.clone();
        let line = String::from_utf8_lossy(line);
        tracing::info!(
            name: OUTPUT,
            target: TARGET,
            call = %self.id,
            server,
            stream = stream.as_str(),
            line = %printable(&line, MAX_TEXT),
            "guest output"
        );
    }

    fn stdio_dropped(&self, bytes: u64) {
        let mut facts = self.facts();
        facts.stdio_dropped = facts.stdio_dropped.saturating_add(bytes);
    }

    fn denied(&self, denial: &Denial) {
        let server = {
            let mut facts = self.facts();
            facts.denials = facts.denials.saturating_add(1);
            facts.server.clone()
        };
        let hint = denial.allow.as_deref().map(|line| format!("[servers.{server}.grants] {line}"));
        tracing::warn!(
            target: TARGET,
            call = %self.id,
            server,
            capability = denial.capability,
            attempt = %printable(&denial.attempt, MAX_TEXT),
            reason = %printable(&denial.reason, MAX_TEXT),
            hint = hint.as_deref().map(|h| tracing::field::display(printable(h, MAX_TEXT))),
            "denied"
        );
    }

    fn finished(&self, usage: &Usage) {
        self.facts().usage = Some(usage.clone());
    }
}
