//! Cold start, from a component's bytes to its first answer, and what a call costs after that.
//!
//! `cargo xtask bench` builds what this needs and runs it; the table at the end is the one in
//! `docs/benchmarks.md`. Criterion measures what can be repeated inside a process; starts of the
//! process itself are repeated [`STARTS`] times by hand.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::client::Client;
use benches::fixture::{self, Guest, HELLO, TORTURE};
use benches::process;
use benches::table::{Quantity, Row, criterion_row, render, runs_row};
use criterion::Criterion;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use toolgate::transport::http::{HttpSettings, serve};
use toolgate_runtime::wasm::CompiledCache;

/// Starts of the whole process.
const STARTS: usize = 15;

/// Calls before the memory of a warm gateway is read.
const WARM_CALLS: usize = 2_000;

fn main() {
    let home = std::env::temp_dir().join(format!("toolgate-bench-{}", std::process::id()));
    let mut criterion = Criterion::default()
        .configure_from_args()
        .output_directory(&home)
        .without_plots()
        .measurement_time(Duration::from_secs(5));
    for guest in [HELLO, TORTURE] {
        sandbox(&mut criterion, &guest);
    }
    gateway(&mut criterion, &HELLO);
    criterion.final_summary();
    let mut rows = criterion_rows(&home);
    rows.extend(process_rows(&HELLO));
    print(&rows);
    std::fs::remove_dir_all(&home).expect("the measurements");
}

#[allow(clippy::print_stdout, reason = "the table is what this program is for")]
fn print(rows: &[Row]) {
    println!("\n{}", render(rows));
}

fn id(guest: &Guest, what: &str) -> String {
    format!("{}/{what}", guest.name)
}

/// Compile, load from cache, and a fresh instance with its call.
fn sandbox(criterion: &mut Criterion, guest: &Guest) {
    let (runtime, state) = (runtime(), state());
    let (engine, cache) = (fixture::engine(), cache(state.path()));
    let artifact = runtime.block_on(guest.artifact(state.path()));
    let mut group = criterion.benchmark_group(guest.name);
    group.sample_size(20);
    group.bench_function("compile", |b| {
        b.to_async(&runtime).iter(|| guest.prepare(&engine, &artifact, None));
    });
    let component = runtime.block_on(guest.prepare(&engine, &artifact, Some(&cache)));
    group.bench_function("load", |b| {
        b.to_async(&runtime).iter(|| guest.prepare(&engine, &artifact, Some(&cache)));
    });
    let tool = guest.index(&component);
    group.sample_size(100);
    group.bench_function("call", |b| b.to_async(&runtime).iter(|| guest.call(&component, tool)));
    group.finish();
}

/// The whole pipeline in process, and over HTTP by one keep-alive client.
fn gateway(criterion: &mut Criterion, guest: &Guest) {
    let (runtime, state) = (runtime(), state());
    let engine = fixture::engine();
    let component = runtime.block_on(async {
        let artifact = guest.artifact(state.path()).await;
        guest.prepare(&engine, &artifact, None).await
    });
    let gateway = Arc::new(fixture::gateway(guest, component));
    let mut group = criterion.benchmark_group(guest.name);
    group.bench_function("pipeline", |b| {
        b.to_async(&runtime).iter(|| fixture::through_pipeline(&gateway, guest));
    });
    let address = listen(&runtime, Arc::clone(&gateway));
    // The client gets threads of its own, as a client in another process would have.
    let outside = self::runtime();
    let client = outside.block_on(Client::connect(&address, guest)).expect("a connection");
    let client = tokio::sync::Mutex::new(client);
    group.bench_function("http", |b| {
        b.to_async(&outside).iter(|| async { client.lock().await.call().await.expect("an answer") });
    });
    group.finish();
}

fn listen(runtime: &Runtime, gateway: Arc<toolgate::Gateway>) -> String {
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(serve(listener, gateway, HttpSettings::default(), std::future::pending()));
        address
    })
}

fn criterion_rows(home: &Path) -> Vec<Row> {
    let micros = |n| Some(Duration::from_micros(n));
    let mut rows = Vec::new();
    for guest in [HELLO, TORTURE] {
        let size = guest.size();
        let mut row = |what: &str, text: &str, reach| {
            rows.push(criterion_row(home, &id(&guest, what), format!("{text}, {size}"), reach));
        };
        row("compile", "compile from wasm", None);
        row("load", "load from the compiled cache", micros(1_000));
        row("call", "fresh instance and call", micros(50));
    }
    let mut row = |what: &str, text: &str, reach| {
        rows.push(criterion_row(home, &id(&HELLO, what), text.to_owned(), reach));
    };
    row("pipeline", "call through the pipeline in process", None);
    row("http", "call over HTTP, one keep-alive client", micros(150));
    rows
}

fn process_rows(guest: &Guest) -> Vec<Row> {
    let (runtime, site) = (runtime(), TempDir::new().expect("a folder"));
    runtime.block_on(process::start(site.path(), guest));
    let (mut starts, mut idle, mut warm) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let mut started = runtime.block_on(process::start(site.path(), guest));
        starts.push(Quantity::Time(started.first_answer));
        idle.push(Quantity::Bytes(started.gateway.resident()));
        let since = Instant::now();
        for _ in 0..WARM_CALLS {
            assert!(runtime.block_on(started.client.call()).expect("an answer"));
        }
        assert!(since.elapsed() < Duration::from_secs(60), "the gateway hardly answers");
        warm.push(Quantity::Bytes(started.gateway.resident()));
    }
    let reach = Some(Quantity::Time(Duration::from_millis(50)));
    vec![
        runs_row("serve: start to first answer, warm cache", starts, reach),
        runs_row("resident memory, idle", idle, Some(Quantity::Bytes(30_000_000))),
        runs_row("resident memory after 2,000 calls", warm, None),
    ]
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn state() -> TempDir {
    TempDir::new().expect("a folder")
}

fn cache(state: &Path) -> CompiledCache {
    CompiledCache::open(state)
}
