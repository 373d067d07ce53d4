//! A fresh instance and its call, straight at the sandbox: percentiles, and one thread against two.

use std::time::{Duration, Instant};

use benches::fixture::{self, Guest, HELLO, HELLO_JS, HELLO_PY, Origin, WORDS};
use benches::load::Latency;
use benches::table::{Quantity, Reach, Row};
use hdrhistogram::Histogram;
use tempfile::TempDir;
use tokio::runtime::Builder;
use toolgate_runtime::wasm::{Component, Engine};

use crate::{RUNS, machine};

/// How the first row here begins.
pub(crate) const FRESH: &str = "fresh instance and call, median";

/// Of one run.
const SPAN: Duration = Duration::from_secs(2);

/// Before a run, to fill caches and pools.
const WARMUP: Duration = Duration::from_millis(300);

/// All rows of this part.
pub(crate) async fn rows() -> Vec<Row> {
    let state = TempDir::new().expect("a folder");
    let engine = fixture::engine();
    let mut rows = Vec::new();
    for guest in [HELLO, WORDS, HELLO_JS, HELLO_PY] {
        if let Some(why) = guest.missing() {
            rows.push(Row::missing(format!("{FRESH}, {}", guest.name), why));
            continue;
        }
        let (compile, component) = prepare(&engine, &guest, &state).await;
        rows.extend(calls(&guest, &component));
        if guest.origin == Origin::Rust {
            let (_, other) = prepare(&engine, &guest, &state).await;
            rows.extend(threads(&guest, &component, &other));
        }
        if guest.name != HELLO.name {
            rows.push(Row::runs(named("compile from wasm", &guest), compile));
        }
    }
    rows
}

pub(crate) fn named(what: &str, guest: &Guest) -> String {
    format!("{what}, {} {}", guest.name, guest.size())
}

/// Compiles as often as there are runs; one component stays. Criterion would take minutes for it.
async fn prepare(engine: &Engine, guest: &Guest, state: &TempDir) -> (Vec<Quantity>, Component) {
    let artifact = guest.artifact(state.path()).await;
    let mut times = Vec::new();
    loop {
        let since = Instant::now();
        let component = guest.prepare(engine, &artifact, None).await;
        times.push(Quantity::Time(since.elapsed()));
        if times.len() == RUNS {
            return (times, component);
        }
    }
}

fn calls(guest: &Guest, component: &Component) -> Vec<Row> {
    let latencies: Vec<Latency> = (0..RUNS).map(|_| Latency::of(&measure(guest, component))).collect();
    let row = |what: &str, figure: fn(&Latency) -> f64| {
        Row::runs(named(what, guest), latencies.iter().map(|l| Quantity::micros(figure(l))).collect())
    };
    let (mut p50, mut p99) = (row(FRESH, |l| l.p50), row("fresh instance and call, p99", |l| l.p99));
    let below = |micros| Some(Reach::Below(Quantity::micros(micros)));
    if guest.origin == Origin::Rust {
        (p50.reach, p99.reach) = (below(12.0), below(30.0));
    } else if guest.name == HELLO_PY.name {
        p50.reach = below(1_000.0);
    }
    vec![p50, p99]
}

/// On a thread of its own, since this one runs inside of a runtime already.
pub(crate) fn measure(guest: &Guest, component: &Component) -> Histogram<u64> {
    let mut latencies = Histogram::new_with_bounds(100, 60_000_000_000, 3).expect("valid bounds");
    let tool = guest.index(component);
    let call = async || drop(guest.call(component, tool).await);
    let work = || {
        repeat(call, WARMUP, |_| ());
        repeat(call, SPAN, |nanos| latencies.saturating_record(nanos));
    };
    std::thread::scope(|scope| scope.spawn(work).join().expect("no panic"));
    latencies
}

/// Calls on this thread for a while, tells how long each call took, and returns how many there were.
fn repeat(call: impl AsyncFn(), span: Duration, mut tell: impl FnMut(u64)) -> u64 {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let work = async {
        let (since, mut calls) = (Instant::now(), 0);
        while since.elapsed() < span {
            let before = Instant::now();
            call().await;
            tell(u64::try_from(before.elapsed().as_nanos()).unwrap_or(u64::MAX));
            calls += 1;
        }
        calls
    };
    runtime.block_on(work)
}

/// One thread against two that call one component, and what decides on that: two that share no component,
/// and how far a line of memory is from one core to the other meanwhile.
fn threads(guest: &Guest, component: &Component, other: &Component) -> Vec<Row> {
    let tool = guest.index(component);
    let call = async || drop(guest.call(component, tool).await);
    let call_other = async || drop(guest.call(other, tool).await);
    let (mut one, mut two, mut apart, mut line) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        one.push(rate(throughput(call, 1)));
        line.push(machine::line_of_memory());
        two.push(rate(throughput(call, 2)));
        line.push(machine::line_of_memory());
        apart.push(rate(both(call, call_other)));
        line.push(machine::line_of_memory());
    }
    let row = |what: &str, runs| Row::runs(named(what, guest), runs);
    let (one, two) = (row("calls on one thread", one), row("calls on two threads", two));
    let ratio = Row::ratio(named("two threads over one", guest), &two, &one);
    let apart = row("calls on two threads, a component each", apart);
    let line = row("a line of memory from core to core, by turns with these", line);
    vec![one, two, ratio.reach(Reach::AtLeast(Quantity::Ratio(1.5))), apart, line]
}

/// Calls that two threads made in [`SPAN`], of two kinds.
fn both(one: impl AsyncFn() + Send, two: impl AsyncFn() + Send) -> u64 {
    std::thread::scope(|scope| {
        let one = scope.spawn(|| repeat(one, SPAN, |_| ()));
        let two = scope.spawn(|| repeat(two, SPAN, |_| ()));
        [one, two].into_iter().map(|thread| thread.join().expect("no panic")).sum()
    })
}

/// Calls that so many threads made in [`SPAN`], each its own and all at once.
pub(crate) fn throughput(call: impl AsyncFn() + Copy + Send, threads: usize) -> u64 {
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(move || repeat(call, SPAN, |_| ()))).collect();
        running.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    })
}

/// Of calls in [`SPAN`].
pub(crate) fn rate(calls: u64) -> Quantity {
    Quantity::Rate(calls as f64 / SPAN.as_secs_f64())
}
