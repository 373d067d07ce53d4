//! Resident memory of the gateway: idle, and for each call in flight.

use benches::fixture::{HELLO, PAUSE};
use benches::process::{Policy, Server};
use benches::table::{Quantity, Reach, Row};
use tempfile::TempDir;

use crate::RUNS;
use crate::loading::{LOAD_CPU, Load};

/// Calls in flight at once, each on a connection of its own and each asleep in a host call.
const IN_FLIGHT: usize = 1_000;

/// Room for all of them, at limits that suit a small guest: with 7 MB set aside for each, all run at a time
/// where calls may take 7 GB together, which is by default so on a machine of 12.
const LIMITS: &str = "concurrency = 1000\nmemory = \"4MiB\"\noutput = \"64KiB\"";

/// How long each is asleep, as [`PAUSE`] asks for.
const ASLEEP: f64 = 3.0;

/// All rows of this part.
pub(crate) async fn rows() -> Vec<Row> {
    let (mut idle, mut in_flight, mut after) = (Vec::new(), Vec::new(), Vec::new());
    let policy = Policy { limits: LIMITS, ..Policy::default() };
    for _ in 0..RUNS {
        let site = TempDir::new().expect("a folder");
        // The first start compiles, which takes memory that later starts don't.
        drop(Server::toolgate(site.path(), &[HELLO, PAUSE], policy, None).await);
        let server = Server::toolgate(site.path(), &[HELLO, PAUSE], policy, None).await;
        idle.push(Quantity::Bytes(server.usage().resident));
        let load = Load {
            cpu: LOAD_CPU,
            seconds: 20.0,
            more: &["--max-requests", "1000", "--warmup", "0"],
            ..Load::of(&PAUSE, IN_FLIGHT)
        };
        let report = load.run(&server);
        assert_eq!(report.answered, IN_FLIGHT as u64);
        // Else some began only when others had ended.
        assert!(report.seconds < 2.0 * ASLEEP, "they were not all in flight at a time: {report:?}");
        let cost = report.server.expect("the server's process was named");
        let taken = cost.resident_peak.saturating_sub(cost.resident_before);
        in_flight.push(Quantity::Bytes(taken / IN_FLIGHT as u64));
        after.push(Quantity::Bytes(cost.resident_after));
    }
    vec![
        Row::runs("resident memory, idle", idle).reach(Reach::Below(Quantity::Bytes(25_000_000))),
        Row::runs("resident memory per call in flight, of 1,000, with its connection", in_flight)
            .reach(Reach::Below(Quantity::Bytes(100_000))),
        Row::runs("resident memory after these calls", after),
    ]
}
