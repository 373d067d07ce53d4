//! What a server says outside of any one call, in the log.

use toolgate_runtime::events::{Denial, Observer, Stdio, Usage};

use super::printable::printable;
use super::{OUTPUT, TARGET};

/// Bytes of a line.
const MAX_TEXT: usize = 4096;

/// Logs what one server says.
#[derive(Clone, Debug)]
pub struct ServerLog {
    server: String,
}

impl ServerLog {
    /// Of the server of that name.
    #[must_use]
    pub fn of(server: &str) -> Self {
        Self { server: server.to_owned() }
    }
}

impl Observer for ServerLog {
    fn stdio(&self, stream: Stdio, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        tracing::info!(
            name: OUTPUT,
            target: TARGET,
            server = self.server,
            stream = stream.as_str(),
            line = %printable(&line, MAX_TEXT),
            "server output"
        );
    }

    fn stdio_dropped(&self, bytes: u64) {
        tracing::info!(target: TARGET, server = self.server, bytes, "dropped output of a server");
    }

    fn denied(&self, denial: &Denial) {
        let hint = denial.allow.as_deref().map(|line| format!("[servers.{}.grants] {line}", self.server));
        tracing::warn!(
            target: TARGET,
            server = self.server,
            capability = denial.capability,
            attempt = %printable(&denial.attempt, MAX_TEXT),
            reason = %printable(&denial.reason, MAX_TEXT),
            hint = hint.as_deref().map(|h| tracing::field::display(printable(h, MAX_TEXT))),
            "denied"
        );
    }

    fn finished(&self, _: &Usage) {}
}
