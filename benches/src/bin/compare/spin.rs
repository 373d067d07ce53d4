//! What a guest that spins costs others: latency of calls at a modest rate, alone and beside it.
//!
//! Twice: with the gateway on one core, where the spinning guest and all others share one worker
//! thread, and with nothing pinned, where the load generator needs a core too.

use std::time::Duration;

use benches::fixture::{HELLO, SPIN};
use benches::load::Report;
use benches::process::{Cpu, Policy, Server};
use benches::table::{Quantity, Reach, Row};
use tempfile::TempDir;

use crate::RUNS;
use crate::loading::{LOAD_CPU, Load, SERVER_CPU, at_rate};

/// Calls a second of the others, far below what the gateway can do.
const RATE: f64 = 2_000.0;

/// Their connections.
const CLIENTS: usize = 16;

/// Share of a core, in percent, that the gateway takes at least while a guest spins. The others take less
/// than a third of it.
const SPINNING: f64 = 75.0;

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
    let policy = Policy { limits: "fuel = 1_000_000_000_000\ndeadline = \"30s\"", ..Policy::default() };
    let server = Server::toolgate(site.path(), &[HELLO, SPIN], policy, server).await;
    let others = Load { rate: Some(RATE), cpu: client, ..Load::of(&HELLO, CLIENTS) };
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        alone.push(others.run(&server));
        beside.push(beside_spinner(&others, &server));
    }
    let p99 = |report: &Report| report.latency.p99;
    let alone = at_rate(format!("p99 without a spinning guest, {what}"), &alone, p99);
    let title = format!("p99 beside a spinning guest, {what}");
    let beside = match beside.into_iter().collect::<Result<Vec<_>, _>>() {
        Ok(reports) => at_rate(title, &reports, p99),
        Err(why) => Row::missing(title, why),
    };
    let ratio = Row::ratio(format!("p99 beside a spinning guest over without, {what}"), &beside, &alone);
    vec![alone, beside, ratio.reach(Reach::Below(Quantity::Ratio(2.0)))]
}

/// A run of the others while a guest spins, or why there was none that did.
fn beside_spinner(others: &Load, server: &Server) -> Result<Report, String> {
    let mut spinner = Load {
        seconds: others.seconds + MARGIN,
        cpu: others.cpu,
        more: &["--warmup", "0", "--max-requests", "1"],
        ..Load::of(&SPIN, 1)
    }
    .start(server);
    std::thread::sleep(Duration::from_millis(300));
    let report = others.run(server);
    let waits = matches!(spinner.try_wait(), Ok(None));
    // Its connection closes, so the gateway ends the guest.
    drop(spinner.kill());
    drop(spinner.wait());
    let busy = report.server.map_or(0.0, |cost| cost.cpu_percent);
    match waits {
        false => Err("the guest that was to spin ended before the others".to_owned()),
        true if busy < SPINNING => Err(format!("the gateway took {busy:.0}% of a core, too little to spin")),
        true => Ok(report),
    }
}
