//! Resident memory of the gateway: idle, and for each call in flight.

use benches::fixture::{HELLO, PAUSE};
use benches::process::Server;
use benches::table::{Quantity, Reach, Row};
use tempfile::TempDir;

use crate::RUNS;
use crate::loading::{LOAD_CPU, Load};

/// Calls in flight at once, each on a connection of its own and each asleep in a host call.
const IN_FLIGHT: usize = 1_000;

/// Room for all of them, at a memory limit that suits a small guest.
const LIMITS: &str = "concurrency = 1000\nmemory = \"4MiB\"";

/// All rows of this part.
pub(crate) async fn rows() -> Vec<Row> {
    let (mut idle, mut in_flight, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let site = TempDir::new().expect("a folder");
        // The first start compiles, which takes memory that later starts don't.
        drop(Server::toolgate(site.path(), &[HELLO, PAUSE], LIMITS, None).await);
        let server = Server::toolgate(site.path(), &[HELLO, PAUSE], LIMITS, None).await;
        idle.push(Quantity::Bytes(server.usage().resident));
        let load = Load {
            cpu: LOAD_CPU,
            seconds: 20.0,
            more: &["--max-requests", "1000", "--warmup", "0"],
            ..Load::of(&PAUSE, IN_FLIGHT)
        };
        let cost = load.run(&server).server.expect("the server's process was named");
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
