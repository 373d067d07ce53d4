//! A process has few file descriptors, and past the last one it takes no connection any more: what all
//! calls together hold of them is bounded, and what one server's do leaves some to others.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::run::QUIET;
use crate::world::World;

/// What the config lets the gateway have.
const DESCRIPTORS: usize = 1024;

/// Calls of one attack; together they ask for 12,800 descriptors.
const CALLS: usize = 64;

/// How long a call holds what it got.
const HELD: Duration = Duration::from_secs(4);

/// How long all calls may take to begin, and to take what there is.
const UNFOLD: Duration = Duration::from_millis(1500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_leave_descriptors_to_clients_and_one_server_leaves_some_to_others() {
    let _alone = QUIET.write().await;
    let mut world = World::start(Path::new("descriptors.toml")).await;
    let milliseconds = u64::try_from(HELD.as_millis()).unwrap();
    let address = format!("127.0.0.1:{}", world.servers.granted);
    for (tool, arguments) in [
        ("hold-files", json!({ "path": "/rw/a.txt", "count": 200, "milliseconds": milliseconds })),
        ("hold-connections", json!({ "address": address, "count": 200, "milliseconds": milliseconds })),
    ] {
        let begin = world.gateway.log().len();
        let attack = attack(&world, "attacker", tool, &arguments);
        let held = withstand(&world, attack).await;
        assert!(held > 0 && held <= DESCRIPTORS / 4, "{tool}: {held} are held at a time");
        let log = world.gateway.log()[begin..].to_owned();
        let told =
            log.contains("no file descriptor is free: tools may hold 512 together and 256 of one server");
        assert!(told, "{tool}:\n{log}");
        world.at_rest(tool).await;
        world.check(tool, "", "").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_are_answered_also_while_two_servers_hold_all_that_calls_may() {
    let _alone = QUIET.write().await;
    let mut world = World::start(Path::new("descriptors.toml")).await;
    let milliseconds = u64::try_from(HELD.as_millis()).unwrap();
    let arguments = json!({ "path": "/rw/a.txt", "count": 200, "milliseconds": milliseconds });
    let attacks =
        ["attacker", "second-attacker"].map(|server| attack(&world, server, "hold-files", &arguments));
    tokio::time::sleep(UNFOLD).await;
    answers(&world).await;
    let mut held = 0;
    for attack in attacks {
        held += gains(attack).await;
    }
    assert!((DESCRIPTORS / 4..=DESCRIPTORS / 2).contains(&held), "{held} are held at a time");
    world.at_rest("hold-files").await;
    world.check("hold-files", "", "").await;
}

fn attack(world: &World, server: &str, tool: &'static str, arguments: &Value) -> Vec<JoinHandle<Value>> {
    let call = |_| {
        let (client, arguments) = (world.client(server), arguments.clone());
        tokio::spawn(async move { client.call(tool, arguments).await })
    };
    (0..CALLS).map(call).collect()
}

/// Others are served while an attack holds what it can; how much that is.
async fn withstand(world: &World, attack: Vec<JoinHandle<Value>>) -> usize {
    tokio::time::sleep(UNFOLD).await;
    answers(world).await;
    let reader = world.client("reader");
    let read = reader.call("read-file", json!({ "path": "/ro/a.txt" })).await;
    assert_eq!(read["structuredContent"], json!({ "result": "inside" }), "{read}");
    let url = format!("http://127.0.0.1:{}/v1/x", world.servers.granted);
    let fetched = reader.call("http-often", json!({ "url": url, "turns": 5 })).await;
    assert_eq!(fetched["isError"], false, "{fetched}");
    gains(attack).await
}

/// Health is answered, on a connection of its own each time, and so is a tool that needs none; and the
/// process has descriptors left.
async fn answers(world: &World) {
    let end = Instant::now() + Duration::from_secs(1);
    while Instant::now() < end {
        let health = reqwest::Client::builder().timeout(Duration::from_secs(1)).build().unwrap();
        let health = health.get(world.gateway.url("/health")).send().await.unwrap();
        assert!(health.status().is_success(), "{health:?}");
        let count = world.client("witness").call("count", json!({})).await;
        assert_eq!(count["structuredContent"], json!({ "result": 1 }), "{count}");
        let open = std::fs::read_dir(format!("/proc/{}/fd", world.gateway.pid())).unwrap().count();
        assert!(open < DESCRIPTORS * 3 / 4, "{open} descriptors are open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How many descriptors the calls of an attack held, all at a time.
async fn gains(attack: Vec<JoinHandle<Value>>) -> usize {
    let mut held = 0;
    for call in attack {
        let result = call.await.unwrap();
        let told = result["structuredContent"]["result"].as_str().unwrap_or_else(|| panic!("{result}"));
        held += told.split(' ').nth(1).unwrap().parse::<usize>().unwrap();
    }
    held
}
