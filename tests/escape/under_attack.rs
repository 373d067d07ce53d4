//! The gateway keeps serving while it is attacked: measured, attack by attack.
//!
//! Clients repeat one attack while health is asked and another server's tool is called. The clients,
//! the measuring and the gateway share the machine's cores; so what is compared is the same load with
//! and without the attack, in one run. Health is asked from a thread of its own, or it would wait for
//! the clients and not for the gateway. A machine that is busy with something else for a moment gets
//! another try.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use e2e::client::Client;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::attacks::{ALL, ATTACKS, Attack, FILLS, WITNESSES};
use crate::probe::Probe;
use crate::run::{self, QUIET};
use crate::world::World;

/// How long each measurement takes.
const WINDOW: Duration = Duration::from_secs(1);

/// Time that an attack has to unfold before it is measured.
const UNFOLD: Duration = Duration::from_millis(300);

/// How long health may take.
const HEALTH: Duration = Duration::from_millis(50);

/// Answers of health that a window has at least, or it shows nothing.
const PROBES: usize = 100;

/// What others keep at least of their calls, in percent. 70 to 100 is usual.
const KEPT_CALLS: usize = 50;

/// How often an attack is measured before what others kept counts as too little.
const TRIES: usize = 3;

/// How much more memory the gateway may hold when all is over than when all slots of its pool had been in
/// use: what allocators keep for later.
const KEPT: u64 = 48 << 20;

/// Slots of the pool: calls that may be in flight, `admission.concurrency` in the config.
const SLOTS: u64 = (ALL + WITNESSES) as u64;

/// What a slot keeps for its next call at most: 2 MiB of its memory, the 2 MiB of its stack, and
/// 64 KiB of each of its four tables.
const KEPT_BY_SLOT: u64 = (4 << 20) + (256 << 10);

/// How long memory may take to be given back; threads that nobody needs any more wait ten seconds.
const SETTLED: Duration = Duration::from_secs(12);

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
    std::os::unix::fs::symlink("../outside", world.site.path("rw/out")).unwrap();
    measure(&world).await;
    let cold = resident(&world);
    let mut none = Vec::new();
    for attack in ATTACKS {
        let ended = Attacker::new(&world, attack).attack().await;
        none.extend((ended != attack.ends).then(|| format!("{} ends as {ended:?}", attack.name())));
    }
    assert!(none.is_empty(), "attacks that are none:\n{}", none.join("\n"));
    warm_up(&world).await;
    let most = cold + KEPT + SLOTS * KEPT_BY_SLOT;
    let warm = settled(&world, most).await;
    assert!(warm <= most, "{SLOTS} slots keep {} MiB", (warm - cold) >> 20);
    let mut faults = Vec::new();
    for attack in ATTACKS {
        faults.extend(withstand(&world, attack).await);
    }
    let after = settled(&world, warm + KEPT).await;
    report(&format!("resident: {} MiB, warm {} MiB, then {} MiB", cold >> 20, warm >> 20, after >> 20));
    if after > warm + KEPT {
        faults.push(format!("resident memory went from {} to {} MiB", warm >> 20, after >> 20));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What an attack did to others, in the last of its tries.
async fn withstand(world: &Arc<World>, attack: &'static Attack) -> Vec<String> {
    let mut faults = Vec::new();
    for _ in 0..TRIES {
        faults = measured(world, attack).await;
        if faults.is_empty() {
            break;
        }
    }
    faults
}

async fn measured(world: &Arc<World>, attack: &'static Attack) -> Vec<String> {
    let before = measure(world).await;
    let attackers = Attackers::start(world, attack);
    tokio::time::sleep(UNFOLD).await;
    let during = measure(world).await;
    let ends = attackers.end().await;
    let mut faults = judge(attack, ends.len(), &before, &during);
    let other = ends.iter().find(|end| **end != attack.ends && *end != attack.or);
    faults.extend(other.map(|end| format!("{}: an attack ended as {end:?}", attack.name())));
    faults
}

/// Has as many calls at a time as there ever will be, each of which fills its memory and its stack, and then
/// each attack for a moment: the slots of the pool keep their part of both for the next call.
async fn warm_up(world: &Arc<World>) {
    let filling = FILLS.each_ref().map(|attack| Attackers::start(world, attack));
    tokio::time::sleep(WINDOW).await;
    for attackers in filling {
        attackers.end().await;
    }
    for attack in ATTACKS {
        let attackers = Attackers::start(world, attack);
        tokio::time::sleep(UNFOLD).await;
        attackers.end().await;
    }
}

/// What is wrong with what was measured.
fn judge(attack: &Attack, attacks: usize, before: &Measured, during: &Measured) -> Vec<String> {
    let name = attack.name();
    let late = during.health.iter().filter(|time| **time > HEALTH).count();
    let share = during.calls * 100 / before.calls.max(1);
    report(&format!(
        "{name:34} {attacks:6} attacks  health {:>8.2?} max {:>8.2?}, {late} of {} late  calls {:5} -> {:5} ({share} %)",
        at(&during.health, 50),
        at(&during.health, 100),
        during.health.len(),
        before.calls,
        during.calls,
    ));
    let mut faults = Vec::new();
    if late > 0 || during.health.len() < PROBES {
        let all = during.health.len();
        faults.push(format!("{name}: of {all} answers of health, {late} took longer than {HEALTH:?}"));
    }
    if share < KEPT_CALLS {
        faults.push(format!("{name}: others keep {share} % of their calls"));
    }
    if attacks == 0 {
        faults.push(format!("{name}: no attack ended"));
    }
    faults
}

async fn measure(world: &Arc<World>) -> Measured {
    let end = Instant::now() + WINDOW;
    let probe = Probe::until(&world.gateway, end);
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
    let mut calls = 0;
    for witness in witnesses {
        calls += witness.await.unwrap();
    }
    let mut health = probe.times().await;
    health.sort_unstable();
    Measured { calls, health }
}

/// All clients of an attack, at work.
struct Attackers {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Attackers {
    fn start(world: &World, attack: &'static Attack) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |_| {
            let (attacker, stop) = (Attacker::new(world, attack), Arc::clone(&stop));
            tokio::spawn(attacker.attack_until(stop))
        };
        let clients = (0..attack.clients).map(client).collect();
        Self { stop, clients }
    }

    /// Has them stop; how each attack ended.
    async fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut ends = Vec::new();
        for client in self.clients {
            ends.extend(client.await.unwrap());
        }
        ends
    }
}

/// A client with its attack, ready to be sent: what making them costs is not the gateway's.
struct Attacker {
    client: Client,
    tool: &'static str,
    arguments: String,
}

impl Attacker {
    fn new(world: &World, attack: &Attack) -> Self {
        let arguments = run::filled(world, attack.arguments);
        Self { client: world.client(attack.server), tool: attack.tool, arguments }
    }

    /// Attacks again and again; how each ended.
    async fn attack_until(self, stop: Arc<AtomicBool>) -> Vec<String> {
        let mut ends = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            ends.push(self.attack().await);
        }
        ends
    }

    /// Attacks once; how that ended.
    async fn attack(&self) -> String {
        ending(&run::post(&self.client, self.tool, &self.arguments).await)
    }
}

/// `ok`, `err` where the guest itself says so, or what the gateway said in its place.
fn ending(reply: &Value) -> String {
    let result = &reply["result"];
    match result["_meta"]["toolgate/error"].as_str() {
        _ if result.is_null() => format!("error {}", reply["error"]["code"]),
        Some(code) => code.to_owned(),
        None if result["isError"] == true => "err".to_owned(),
        None => "ok".to_owned(),
    }
}

/// The resident memory once it is down again, or after a while.
async fn settled(world: &World, most: u64) -> u64 {
    let end = Instant::now() + SETTLED;
    while resident(world) > most && Instant::now() < end {
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
