//! What a run found, for people and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::proc::Usage;

/// A run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Calls that were answered; only these have a latency.
    pub answered: u64,
    /// Calls that were not, by kind.
    pub errors: BTreeMap<String, u64>,
    /// What the server said at the first of them.
    pub first_error: Option<String>,
    /// Calls that were due but never sent, since every client was waiting for the server. Theirs would have
    /// been the longest latencies.
    pub unsent: u64,
    /// From the first call to the last answer.
    pub seconds: f64,
    /// Answers a second.
    pub per_second: f64,
    /// From when calls were due to their answers.
    pub latency: Latency,
    /// Share of one core that this program took. Near 100 without a rate means that the client, and
    /// not the server, was the limit; with a rate it is always near 100.
    pub client_cpu_percent: f64,
    /// What the server's process took.
    pub server: Option<ServerCost>,
}

/// Latencies in microseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// Nine of ten were faster.
    pub p90: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1,000.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
}

/// What the server's process took.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ServerCost {
    /// Processor time of one answer in microseconds.
    pub cpu_micros_per_call: f64,
    /// Share of one core.
    pub cpu_percent: f64,
    /// Resident bytes before the run.
    pub resident_before: u64,
    /// Resident bytes after it.
    pub resident_after: u64,
    /// The most since the process began.
    pub resident_peak: u64,
}

impl Report {
    /// Of the calls that counted; `server` is a look before and one after them.
    pub(super) fn new(
        latencies: &Histogram<u64>,
        unsent: u64,
        elapsed: Duration,
        client: Duration,
        server: Option<(Usage, Usage)>,
    ) -> Self {
        let (answered, seconds) = (latencies.len(), elapsed.as_secs_f64());
        Self {
            answered,
            errors: BTreeMap::new(),
            first_error: None,
            unsent,
            seconds,
            per_second: answered as f64 / seconds,
            latency: Latency::of(latencies),
            client_cpu_percent: 100.0 * client.as_secs_f64() / seconds,
            server: server.map(|(before, after)| ServerCost::of(before, after, answered, seconds)),
        }
    }
}

impl Latency {
    /// Of a histogram of nanoseconds.
    pub fn of(latencies: &Histogram<u64>) -> Self {
        let at = |quantile| latencies.value_at_quantile(quantile) as f64 / 1e3;
        let max = latencies.max() as f64 / 1e3;
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max }
    }
}

impl ServerCost {
    fn of(before: Usage, after: Usage, answered: u64, seconds: f64) -> Self {
        let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
        Self {
            cpu_micros_per_call: cpu * 1e6 / answered.max(1) as f64,
            cpu_percent: 100.0 * cpu / seconds,
            resident_before: before.resident,
            resident_after: after.resident,
            resident_peak: after.resident_peak,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "answered   {} in {:.2} s: {:.0} per second",
            self.answered, self.seconds, self.per_second
        )?;
        for (kind, count) in &self.errors {
            writeln!(f, "errors     {count} x {kind}")?;
        }
        if let Some(said) = &self.first_error {
            writeln!(f, "first one  {said:?}")?;
        }
        if self.unsent > 0 {
            writeln!(f, "unsent     {}: the server is slower than the rate", self.unsent)?;
        }
        let Latency { p50, p90, p99, p999, max } = self.latency;
        writeln!(
            f,
            "latency    p50 {p50:.0} µs   p90 {p90:.0}   p99 {p99:.0}   p99.9 {p999:.0}   max {max:.0}"
        )?;
        if let Some(cost) = &self.server {
            writeln!(
                f,
                "server     {:.1} µs CPU per call, {:.0}% of a core; resident {:.1} MB, {:.1} before, {:.1} at most",
                cost.cpu_micros_per_call,
                cost.cpu_percent,
                cost.resident_after as f64 / 1e6,
                cost.resident_before as f64 / 1e6,
                cost.resident_peak as f64 / 1e6
            )?;
        }
        write!(f, "client     {:.0}% of a core", self.client_cpu_percent)
    }
}
