//! What a meter costs: the same work counted by fuel and by epochs, where code is mostly calls and where
//! it is mostly memory.

use benches::fixture::{self, Guest, HELLO, RECURSE, SWEEP};
use benches::load::Latency;
use benches::table::{Quantity, Row};
use tempfile::TempDir;
use toolgate_runtime::wasm::Metering;

use crate::RUNS;
use crate::sandbox::measure;

/// All rows of this part.
pub(crate) async fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (work, guest) in [("small", HELLO), ("call-heavy", RECURSE), ("memory-heavy", SWEEP)] {
        rows.extend(compared(work, &guest).await);
    }
    rows
}

async fn compared(work: &str, guest: &Guest) -> Vec<Row> {
    let state = TempDir::new().expect("a folder");
    let mut sides = Vec::new();
    for metering in [Metering::Fuel, Metering::Epoch] {
        let engine = fixture::metered(metering);
        let artifact = guest.artifact(state.path()).await;
        sides.push((guest.prepare(&engine, &artifact, None).await, Vec::new()));
    }
    for _ in 0..RUNS {
        for (component, medians) in &mut sides {
            let latency = Latency::of(&measure(guest, component));
            medians.push(Quantity::micros(latency.p50));
        }
    }
    let row = |metering: Metering, medians: Vec<Quantity>| {
        Row::runs(format!("{work} guest, metering by {}, median", metering.as_str()), medians)
    };
    let [fuel, epoch] = sides.try_into().unwrap_or_else(|_| unreachable!("there are two"));
    let (fuel, epoch) = (row(Metering::Fuel, fuel.1), row(Metering::Epoch, epoch.1));
    let ratio = Row::ratio(format!("{work} guest, fuel over epoch"), &fuel, &epoch);
    vec![fuel, epoch, ratio]
}
