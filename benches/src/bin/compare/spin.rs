//! What a guest that spins costs others: latency of calls at a modest rate, alone and beside it.
//!
//! Twice: with the gateway on one core, where the spinning guest and all others share one worker
//! thread, and with nothing pinned, where the load generator needs a core too.

use std::time::Duration;

use benches::fixture::{HELLO, SPIN};
use benches::process::{Cpu, Server};
use benches::table::{Quantity, Reach, Row};
use tempfile::TempDir;

use crate::RUNS;
use crate::loading::{LOAD_CPU, Load, SERVER_CPU};

/// Calls a second of the others, far below what the gateway can do.
const RATE: f64 = 2_000.0;

/// Their connections.
const CLIENTS: usize = 16;

/// How much longer the guest spins than the others are measured.
const MARGIN: f64 = 3.0;

/// All rows of this part.
pub(crate) async fn rows() -> Vec<Row> {
    let mut rows = measure("gateway on one core", SERVER_CPU, LOAD_CPU).await;
    rows.extend(measure("nothing pinned", None, None).await);
    rows
}

async fn measure(what: &str, server: Cpu, client: Cpu) -> Vec<Row> {
    let site = TempDir::new().expect("a folder");
    // One call of the guest spins longer than everything that is measured beside it.
    let limits = "fuel = 1_000_000_000_000\ndeadline = \"30s\"";
    let server = Server::toolgate(site.path(), &[HELLO, SPIN], limits, server).await;
    let others = Load { rate: Some(RATE), cpu: client, ..Load::of(&HELLO, CLIENTS) };
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        alone.push(Quantity::micros(others.run(&server).latency.p99));
        let mut spinner = Load {
            seconds: others.seconds + MARGIN,
            cpu: client,
            more: &["--warmup", "0", "--max-requests", "1"],
            ..Load::of(&SPIN, 1)
        }
        .start(&server);
        std::thread::sleep(Duration::from_millis(300));
        beside.push(Quantity::micros(others.run(&server).latency.p99));
        // Its connection closes, so the gateway ends the guest.
        drop(spinner.kill());
        drop(spinner.wait());
    }
    let alone = Row::runs(format!("p99 without a spinning guest, {what}"), alone);
    let beside = Row::runs(format!("p99 beside a spinning guest, {what}"), beside);
    let ratio = Row::ratio(format!("p99 beside a spinning guest over without, {what}"), &beside, &alone);
    vec![alone, beside, ratio.reach(Reach::Below(Quantity::Ratio(2.0)))]
}
