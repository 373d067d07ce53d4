//! Cold start, from a component's bytes to its first answer, and what a call costs after that.
//!
//! `cargo xtask bench` builds what this needs and runs it; `compare` puts the medians into the one
//! table of `docs/benchmarks.md`. Here is what can be repeated inside of one process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use benches::connection::{Connection, Expect};
use benches::fixture::{self, Guest, HELLO, HELLO_JS, HELLO_PY, Origin, WORDS};
use benches::live::Live;
use benches::request::tools_call;
use benches::target::Target;
use criterion::Criterion;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use toolgate::transport::http::{HttpSettings, serve};
use toolgate_runtime::wasm::CompiledCache;

fn main() {
    let mut criterion = Criterion::default()
        .configure_from_args()
        .output_directory(&fixture::root().join("target/bench-criterion"))
        .without_plots()
        .measurement_time(Duration::from_secs(5));
    for guest in [HELLO, WORDS, HELLO_JS, HELLO_PY] {
        if guest.missing().is_none() {
            sandbox(&mut criterion, &guest);
        }
    }
    gateway(&mut criterion, &HELLO);
    criterion.final_summary();
}

/// Compile, load from cache, a fresh instance with its call, and a call of a live one.
fn sandbox(criterion: &mut Criterion, guest: &Guest) {
    let (runtime, state) = (runtime(), state());
    let (engine, cache) = (fixture::engine(), cache(state.path()));
    let artifact = runtime.block_on(guest.artifact(state.path()));
    let mut group = criterion.benchmark_group(guest.name);
    group.sample_size(20);
    // An interpreter takes seconds to compile: `compare` does so three times, which is enough.
    if guest.origin == Origin::Rust {
        group.bench_function("compile", |b| {
            b.to_async(&runtime).iter(|| guest.prepare(&engine, &artifact, None));
        });
    }
    let component = runtime.block_on(guest.prepare(&engine, &artifact, Some(&cache)));
    group.bench_function("load", |b| {
        b.to_async(&runtime).iter(|| guest.prepare(&engine, &artifact, Some(&cache)));
    });
    let tool = guest.index(&component);
    group.sample_size(100);
    group.bench_function("call", |b| b.to_async(&runtime).iter(|| guest.call(&component, tool)));
    if guest.tool == HELLO.tool {
        let live = runtime.block_on(Live::start(guest));
        let live = tokio::sync::Mutex::new(live);
        group.bench_function("live", |b| {
            b.to_async(&runtime).iter(|| async { live.lock().await.call().await })
        });
    }
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
    let target = listen(&runtime, Arc::clone(&gateway));
    // The client gets threads of its own, as a client in another process would have.
    let outside = self::runtime();
    let connection = outside.block_on(Connection::open(target.address)).expect("a connection");
    let connection = tokio::sync::Mutex::new(connection);
    let arguments = serde_json::from_str(guest.arguments).expect("JSON");
    let request = tools_call(&target, &guest.public_tool(), &arguments, &[]);
    let call =
        async || connection.lock().await.exchange(&request, Expect::ToolResult).await.expect("an answer");
    group.bench_function("http", |b| b.to_async(&outside).iter(&call));
    group.finish();
}

fn listen(runtime: &Runtime, gateway: Arc<toolgate::Gateway>) -> Target {
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(serve(listener, gateway, HttpSettings::default(), std::future::pending()));
        Target { address, path: "/mcp".to_owned() }
    })
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
