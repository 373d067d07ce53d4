//! What others keep while a component takes all processors to compile, and what the compiler keeps
//! while others do.
//!
//! The compiler, the clients, the measuring and the gateway share the machine's processors. So windows
//! with and without the compiler take turns in one run, and a machine that is busy with something else
//! for a moment gets another try.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use e2e::client::Client;

use super::*;

/// Clients that call another server.
const CLIENTS: usize = 8;

/// Those that a compilation uses.
const THREADS: usize = 4;

/// How long each measurement takes.
const WINDOW: Duration = Duration::from_millis(1500);

/// How long health may take: for one answer in twenty more is let pass, as the measuring side waits
/// for the same processors.
const HEALTH: Duration = Duration::from_millis(50);

/// What others keep at least of their calls, in percent.
const KEPT_CALLS: usize = 50;

/// How often it is measured before what others kept counts as too little.
const TRIES: usize = 3;

/// What was measured in one window.
#[derive(Debug)]
struct Measured {
    /// Calls of another server.
    calls: usize,
    /// How long health took, but for one answer in twenty.
    health: Duration,
}

/// Calls another server as often as it can until it is told to stop; how often.
async fn call_until(client: Client, stop: Arc<AtomicBool>) -> usize {
    let mut calls = 0;
    while !stop.load(Ordering::Relaxed) {
        let answer = client.call("greet", json!({ "name": "Ada" })).await;
        assert_eq!(answer["isError"], false, "{answer}");
        calls += 1;
    }
    calls
}

/// Clients that call as often as they can.
struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<tokio::task::JoinHandle<usize>>,
}

impl Load {
    fn start(gateway: &Gateway) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |_| tokio::spawn(call_until(gateway.client_of("good"), Arc::clone(&stop)));
        Self { clients: (0..CLIENTS).map(client).collect(), stop }
    }

    /// How many calls were answered.
    async fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let mut calls = 0;
        for client in self.clients {
            calls += client.await.unwrap();
        }
        calls
    }
}

/// Lets a compiler go on until it has read the component and has begun on all of its threads.
async fn at_work(compiler: &Compiler) {
    compiler.signal(Signal::CONT);
    let threads = || fs::read_dir(compiler.path("task")).unwrap().count();
    until("a thread for each processor that it may use", || (threads() > THREADS).then_some(())).await;
    compiler.signal(Signal::STOP);
}

/// Threads that take all processors and let go of none, until it is dropped.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..std::thread::available_parallelism().unwrap().get() {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Self(stop)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn measure(gateway: &Gateway) -> Measured {
    let end = Instant::now() + WINDOW;
    let load = Load::start(gateway);
    let http = reqwest::Client::new();
    let mut health = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        let answer = http.get(gateway.url("/health")).send().await.unwrap();
        assert!(answer.status().is_success());
        health.push(start.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    health.sort_unstable();
    Measured { calls: load.end().await, health: health[health.len() * 95 / 100] }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_keep_their_calls_while_a_component_takes_all_processors_to_compile() {
    // More than one function for each thread of the compiler, and minutes of work.
    let site = site_with_good(&[("slow", &long(64, 100_000))]);
    let (gateway, compiler) = tokio::join!(Gateway::start(&site), Compiler::caught(&site));
    at_work(&compiler).await;
    let mut seen = Vec::new();
    for _ in 0..TRIES {
        let alone = measure(&gateway).await;
        let taken = process::processor_time(compiler.pid()).unwrap();
        compiler.signal(Signal::CONT);
        let beside = measure(&gateway).await;
        compiler.signal(Signal::STOP);
        let taken = process::processor_time(compiler.pid()).expect("it compiles still") - taken;
        assert!(!taken.is_zero(), "it was at work");
        let kept = beside.calls * 100 >= alone.calls * KEPT_CALLS;
        // Where health is late without the compiler, something else was measured.
        let well = kept && alone.health <= HEALTH && beside.health <= HEALTH;
        seen.push(format!("{alone:?} alone, {beside:?} beside {taken:?} of compiling"));
        if well {
            return report(&seen);
        }
    }
    panic!("others keep too little:\n{}", seen.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_is_compiled_in_time_while_others_take_all_processors() {
    let site = site_with_good(&[("slow", &long(8, 10_000))]);
    let (gateway, compiler) = tokio::join!(Gateway::start(&site), Compiler::caught(&site));
    let _busy = Busy::start();
    compiler.signal(Signal::CONT);
    let client = gateway.client_of("slow");
    let since = Instant::now();
    loop {
        let answer = client.try_call("f", json!({ "n": 1 })).await;
        if answer["result"]["isError"] == false {
            break;
        }
        assert!(since.elapsed() < PATIENCE, "it is not compiled: {answer}\n{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    report(&[format!("compiled after {:?}", since.elapsed())]);
}

#[allow(clippy::print_stderr, reason = "the numbers are worth reading, also where all is well")]
fn report(lines: &[String]) {
    eprintln!("{}", lines.join("\n"));
}
