//! The load generator: one thread, many keep-alive connections, one request.
//!
//! With a rate it is an open loop: calls are due at fixed times, whatever the server does, and
//! latency counts from when a call was *due*. A server that stalls makes all calls late that were due
//! meanwhile, and each counts: no omission coordinated with the server. Without a rate every
//! connection sends its next call when it has its answer, which finds the highest throughput.

mod pace;
mod report;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::connection::{Connection, Expect, Fault};
use crate::proc;
use crate::target::Target;
use pace::Pacer;
pub use report::{Latency, Report, ServerCost};

/// Latencies that the histogram tells apart: from a microsecond to a minute, to three digits.
const LATENCIES: (u64, u64, u8) = (1_000, 60_000_000_000, 3);

/// After a refused connection. Against burning the core while the server is down.
const RECONNECT: Duration = Duration::from_millis(10);

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whom to call.
    pub target: Target,
    /// What to send, see [`crate::request::tools_call`].
    pub request: Bytes,
    /// What counts as an answer.
    pub expect: Expect,
    /// Connections, and so the most calls in flight.
    pub clients: usize,
    /// Calls a second; `None` for as many as the clients get answered.
    pub rate: Option<f64>,
    /// Calls before counting begins.
    pub warmup: Duration,
    /// Calls that count.
    pub duration: Duration,
    /// The most calls that count.
    pub max_requests: u64,
    /// Of one call.
    pub timeout: Duration,
    /// The server's process, to tell what it costs.
    pub pid: Option<u32>,
}

/// What the workers share. The runtime has one thread, so no lock is ever waited for but the
/// pacer's, which hands out the calls in the order of asking.
struct Run {
    plan: Plan,
    pacer: AsyncMutex<Pacer>,
    tally: Mutex<Tally>,
}

struct Tally {
    answered: Histogram<u64>,
    errors: BTreeMap<String, u64>,
    /// What the server said at the first error.
    example: Option<String>,
}

/// Connects, warms up, and measures. To be run on a runtime of one thread.
///
/// # Errors
/// When the server's process can't be looked at.
pub async fn run(plan: Plan) -> std::io::Result<Report> {
    let pid = plan.pid.map(|pid| pid.to_string());
    let look = || pid.as_deref().map(proc::usage).transpose();
    let mut connections: Vec<Option<Connection>> = Vec::new();
    for _ in 0..plan.clients {
        // One that fails here is tried again, and counted, when it is needed.
        connections.push(Connection::open(plan.target.address).await.ok());
    }
    let warmup = Plan { duration: plan.warmup, max_requests: u64::MAX, ..plan.clone() };
    (connections, _) = phase(warmup, connections).await;
    let (server, client) = (look()?, proc::usage("self")?);
    let since = Instant::now();
    let (_, run) = phase(plan, connections).await;
    let elapsed = since.elapsed();
    let client = proc::usage("self")?.cpu.saturating_sub(client.cpu);
    let server = server.zip(look()?);
    let unsent = run.pacer.lock().await.unsent();
    let tally = run.tally.lock().unwrap_or_else(PoisonError::into_inner);
    let measured = Report::new(&tally.answered, unsent, elapsed, client, server);
    Ok(Report { errors: tally.errors.clone(), first_error: tally.example.clone(), ..measured })
}

async fn phase(plan: Plan, connections: Vec<Option<Connection>>) -> (Vec<Option<Connection>>, Arc<Run>) {
    let (low, high, digits) = LATENCIES;
    let answered = Histogram::new_with_bounds(low, high, digits).expect("valid bounds");
    let run = Arc::new(Run {
        pacer: AsyncMutex::new(Pacer::new(plan.rate, plan.duration, plan.max_requests)),
        tally: Mutex::new(Tally { answered, errors: BTreeMap::new(), example: None }),
        plan,
    });
    let mut workers = JoinSet::new();
    for connection in connections {
        workers.spawn(worker(Arc::clone(&run), connection));
    }
    (workers.join_all().await, run)
}

async fn worker(run: Arc<Run>, mut connection: Option<Connection>) -> Option<Connection> {
    loop {
        // In a statement of its own, so that the pacer is free for others during the call.
        let due = run.pacer.lock().await.next().await;
        let Some(due) = due else { return connection };
        let call = call(&run.plan, &mut connection);
        let outcome = timeout(run.plan.timeout, call).await.unwrap_or(Err(Fault::Timeout));
        let latency = due.elapsed();
        let broken = matches!(&outcome, Err(fault) if !fault.spares_connection());
        let refused = matches!(outcome, Err(Fault::Connect(_)));
        let received = || connection.as_ref().map(Connection::received);
        run.tally.lock().unwrap_or_else(PoisonError::into_inner).count(latency, outcome, received);
        if broken || connection.as_ref().is_some_and(Connection::closing) {
            connection = None;
        }
        if refused {
            tokio::time::sleep(RECONNECT).await;
        }
    }
}

async fn call(plan: &Plan, connection: &mut Option<Connection>) -> Result<(), Fault> {
    let open = match connection {
        Some(open) => open,
        None => connection.insert(Connection::open(plan.target.address).await?),
    };
    open.exchange(&plan.request, plan.expect).await
}

impl Tally {
    fn count(
        &mut self,
        latency: Duration,
        outcome: Result<(), Fault>,
        received: impl FnOnce() -> Option<String>,
    ) {
        match outcome {
            Ok(()) => self.answered.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX)),
            Err(fault) => {
                if self.errors.is_empty() {
                    self.example = received().filter(|text| !text.is_empty());
                }
                *self.errors.entry(fault.to_string()).or_default() += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
