//! `compare`: everything that is measured, side by side in one run, as one table.
//!
//! Criterion's benches measure what repeats inside one process and leave their medians behind; this
//! program reads those, measures the rest, and prints all of it. Every figure is the median of
//! [`RUNS`] runs, and what is compared takes turns, so that a noisy minute hits all alike.
//!
//! `compare [PART…]` measures parts only: `start`, `sandbox`, `pipeline`, `metering`, `docker`,
//! `http`, `memory`, `spin`, `task`.

mod containers;
mod docker;
mod http;
mod loading;
mod machine;
mod memory;
mod metering;
mod pipeline;
mod sandbox;
mod spin;
mod start;
mod task;

use std::process::ExitCode;

use benches::fixture::root;
use benches::table::{Row, render};

/// Runs of everything.
const RUNS: usize = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some((pipeline::RUN, run)) = wanted.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return pipeline::run(run).await;
    }
    let mut table = Table { wanted, ..Table::default() };
    table.measure("start", start::rows(root().join("target/bench-criterion"))).await;
    table.measure("sandbox", sandbox::rows()).await;
    let fresh = fresh(&table.rows);
    table.measure("pipeline", pipeline::rows()).await;
    table.measure("metering", metering::rows()).await;
    table.measure("docker", async move { docker::rows(&fresh) }).await;
    table.measure("docker", containers::rows()).await;
    table.measure("http", async { machine::rows() }).await;
    table.measure("http", http::rows()).await;
    table.measure("memory", memory::rows()).await;
    table.measure("spin", spin::rows()).await;
    table.measure("task", task::rows()).await;
    print(&table.rows);
    if table.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[derive(Default)]
struct Table {
    wanted: Vec<String>,
    rows: Vec<Row>,
    failed: bool,
}

impl Table {
    /// Measures a part if it is wanted. One that panics costs its own rows and not the others'.
    async fn measure(&mut self, part: &str, rows: impl Future<Output = Vec<Row>> + Send + 'static) {
        if !self.wanted.is_empty() && !self.wanted.iter().any(|wanted| wanted == part) {
            return;
        }
        tell(part);
        match tokio::spawn(rows).await {
            Ok(rows) => self.rows.extend(rows),
            // The panic has told why on stderr.
            Err(_) => {
                self.failed = true;
                self.rows.push(Row::missing(part, "failed: see above the table"));
            }
        }
    }
}

/// The row of a fresh instance and call, which `docker run` is compared with.
fn fresh(rows: &[Row]) -> Row {
    let found = rows.iter().find(|row| row.what.starts_with(sandbox::FRESH)).cloned();
    found.unwrap_or_else(|| Row::missing(sandbox::FRESH, "not measured in this run"))
}

#[allow(clippy::print_stdout, reason = "the table is what this program is for")]
fn print(rows: &[Row]) {
    println!("\n{}", render(rows));
}

#[allow(clippy::print_stderr, reason = "a long silence must not look like a hang")]
fn tell(part: &str) {
    eprintln!("measuring: {part}");
}
