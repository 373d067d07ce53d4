//! The gateway keeps serving while it is attacked: measured, attack by attack.
//!
//! Four clients repeat one attack while health is asked and another server's tool is called. The
//! clients, the measuring and the gateway share the machine's cores; so what is compared is the
//! same load with and without the attack, in one run. What others keep is told for each attack; a
//! machine that is busy with something else for a moment gets another try.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use e2e::client::Client;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::run::QUIET;
use crate::world::World;

/// Clients that attack at a time.
const ATTACKERS: usize = 4;

/// Clients of the other tool.
const WITNESSES: usize = 8;

/// How long each measurement takes.
const WINDOW: Duration = Duration::from_millis(1500);

/// Time that an attack has to unfold before it is measured.
const UNFOLD: Duration = Duration::from_millis(300);

/// How long health may take: for one answer in twenty more is let pass, as the measuring side waits
/// for the same cores.
const HEALTH: Duration = Duration::from_millis(50);

/// What others keep at least of their calls, in percent. 70 to 100 is usual.
const KEPT_CALLS: usize = 50;

/// How often an attack is measured before what others kept counts as too little.
const TRIES: usize = 3;

/// How much more memory the gateway may hold when all is over: what allocators keep for later.
const KEPT: u64 = 48 << 20;

/// Every way to use something up, as server, tool and arguments.
const ATTACKS: &[(&str, &str, &str)] = &[
    ("attacker", "spin", "{}"),
    ("attacker", "spin-in-host-calls", "{}"),
    ("attacker", "sleep-for", r#"{"milliseconds":60000}"#),
    ("attacker", "poll-many", r#"{"count":200,"milliseconds":60000}"#),
    ("attacker", "allocate-or-die", "{}"),
    ("attacker", "overflow-stack", "{}"),
    ("attacker", "hoard-pollables", r#"{"count":100000}"#),
    ("attacker", "hoard-files", r#"{"path":"/rw/a.txt","count":100000}"#),
    ("attacker", "random-bytes", r#"{"count":1000000}"#),
    ("attacker", "huge-string", r#"{"bytes":30000000}"#),
    ("attacker", "print-lines", r#"{"to-stderr":true,"line":"spam","count":100000}"#),
    ("attacker", "fill-file", r#"{"path":"/rw/full","bytes":100000000}"#),
    ("attacker", "read-often", r#"{"path":"/etc/passwd","turns":100000}"#),
    ("attacker", "http-many", r#"{"url":"http://127.0.0.1:${GRANTED}/v1/silent","count":100}"#),
    (
        "attacker",
        "http",
        r#"{"method":"GET","url":"http://127.0.0.1:${GRANTED}/v1/endless","headers":[],"body":null}"#,
    ),
    ("grow-table", "grow", r#"{"by":7000000}"#),
    ("recursion", "run", "{}"),
    ("result-huge-list", "run", "{}"),
];

/// What was measured in one window.
struct Measured {
    /// Calls of the other tool.
    calls: usize,
    /// Times of health, sorted.
    health: Vec<Duration>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_keeps_serving_while_it_is_attacked() {
    let _alone = QUIET.write().await;
    let world = Arc::new(World::start(Path::new("under-attack.toml")).await);
    for attack in ATTACKS {
        attempt(&world, &world.client(attack.0), *attack).await;
    }
    measure(&world).await;
    let resident = resident(&world);
    let mut faults = Vec::new();
    for attack in ATTACKS {
        faults.extend(withstand(&world, *attack).await);
    }
    let after = settled(&world, resident).await;
    report(&format!("resident: {} MiB before, {} MiB after", resident >> 20, after >> 20));
    if after > resident + KEPT {
        faults.push(format!("resident memory went from {} to {} MiB", resident >> 20, after >> 20));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What an attack did to others, in the last of its tries.
async fn withstand(world: &Arc<World>, attack: (&'static str, &'static str, &'static str)) -> Vec<String> {
    let mut faults = Vec::new();
    for _ in 0..TRIES {
        faults = measured(world, attack).await;
        if faults.is_empty() {
            break;
        }
    }
    faults
}

async fn measured(world: &Arc<World>, attack: (&'static str, &'static str, &'static str)) -> Vec<String> {
    let before = measure(world).await;
    let stop = Arc::new(AtomicBool::new(false));
    let attackers: Vec<_> = (0..ATTACKERS).map(|_| attack_until(world, attack, &stop)).collect();
    tokio::time::sleep(UNFOLD).await;
    let during = measure(world).await;
    stop.store(true, Ordering::Relaxed);
    let mut attacks = 0;
    for attacker in attackers {
        attacks += attacker.await.unwrap();
    }
    judge(attack, attacks, &before, &during)
}

/// What is wrong with what was measured.
fn judge(attack: (&str, &str, &str), attacks: usize, before: &Measured, during: &Measured) -> Vec<String> {
    let name = format!("{} {}", attack.0, attack.1);
    let (median, late) = (at(&during.health, 50), at(&during.health, 95));
    let share = during.calls * 100 / before.calls.max(1);
    report(&format!(
        "{name:34} {attacks:6} attacks  health {:>8.2?} {:>8.2?} max {:>8.2?}  calls {:5} -> {:5} ({share} %)",
        median,
        late,
        at(&during.health, 100),
        before.calls,
        during.calls,
    ));
    let mut faults = Vec::new();
    if late > HEALTH {
        faults.push(format!("{name}: health took {late:?} at the 95th percentile"));
    }
    if share < KEPT_CALLS {
        faults.push(format!("{name}: others keep {share} % of their calls"));
    }
    faults
}

async fn measure(world: &Arc<World>) -> Measured {
    let end = Instant::now() + WINDOW;
    let witnesses: Vec<_> = (0..WITNESSES)
        .map(|_| {
            let client = world.client("witness");
            tokio::spawn(async move {
                let mut calls = 0;
                while Instant::now() < end {
                    let result = client.call("count", json!({})).await;
                    assert_eq!(result["structuredContent"]["result"], 1, "{result}");
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let http = reqwest::Client::new();
    let mut health = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        let answer = http.get(world.gateway.url("/health")).send().await.unwrap();
        assert!(answer.status().is_success());
        health.push(start.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut calls = 0;
    for witness in witnesses {
        calls += witness.await.unwrap();
    }
    health.sort_unstable();
    Measured { calls, health }
}

/// Repeats an attack until it is told to stop; how often.
fn attack_until(
    world: &Arc<World>,
    attack: (&'static str, &'static str, &'static str),
    stop: &Arc<AtomicBool>,
) -> JoinHandle<usize> {
    let (world, stop) = (Arc::clone(world), Arc::clone(stop));
    tokio::spawn(async move {
        let client = world.client(attack.0);
        let mut attacks = 0;
        while !stop.load(Ordering::Relaxed) {
            attempt(&world, &client, attack).await;
            attacks += 1;
        }
        attacks
    })
}

async fn attempt(world: &World, client: &Client, (_, tool, arguments): (&str, &str, &str)) {
    let arguments = arguments.replace("${GRANTED}", &world.servers.granted.to_string());
    client.call_unread(tool, serde_json::from_str(&arguments).unwrap()).await;
}

/// The resident memory once it is down again, or after a while.
async fn settled(world: &World, before: u64) -> u64 {
    let end = Instant::now() + Duration::from_secs(5);
    while resident(world) > before + KEPT && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    resident(world)
}

fn resident(world: &World) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", world.gateway.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn at(sorted: &[Duration], percent: usize) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * percent / 100).copied().unwrap_or_default()
}

#[allow(clippy::print_stderr, reason = "the numbers are worth reading, also where all is well")]
fn report(line: &str) {
    eprintln!("{line}");
}
