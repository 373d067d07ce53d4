//! No container outlives its gateway, however either ends.

use std::time::Duration;

use e2e::engine::{Engine, ODD};
use e2e::gateway::{Gateway, command};
use e2e::process;
use e2e::site::Site;
use serde_json::json;

use super::support::{Docked, failed_with, label, networks, volumes, went_well};

#[tokio::test]
async fn five_hundred_calls_with_crashes_leave_nothing() {
    let docked = Docked::start(
        "[servers.odd.container]\ncontainers = 4\n[servers.odd.limits]\ndeadline = \"60s\"\n\
         [servers.odd.grants]\nhttp = [\"GET https://api.example.com/v1/*\"]",
    )
    .await;
    let made = || (networks(&docked.engine, &docked.label()), volumes(&docked.engine, &docked.label()));
    assert_eq!(made(), (1, 1));
    let pid = docked.gateway.pid();
    docked.engine.settles_at(&docked.label(), 1).await;
    let before = (descriptors(pid), process::children(pid).len());
    let workers: Vec<_> = (0..5)
        .map(|_| {
            let client = docked.client();
            tokio::spawn(async move {
                for number in 0..100 {
                    if number % 10 == 3 {
                        failed_with(&client.call("exit", json!({ "code": 1 })).await, "trap");
                    } else {
                        went_well(&client.call("count", json!({})).await);
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    docked.engine.settles_at(&docked.label(), 1).await;
    assert_eq!(made(), (1, 1));
    // A connection to the engine is kept a while for the next request.
    let kept = 16;
    let after = descriptors(pid);
    assert!(after <= before.0 + kept, "{after} descriptors, and {} before", before.0);
    assert_eq!(process::children(pid).len(), before.1);
    let zombies = process::all().filter(|child| process::parent(*child) == Some(pid)).count();
    assert_eq!(zombies, 0);
    let Docked { engine, site, gateway } = docked;
    tokio::task::spawn_blocking(|| gateway.terminate()).await.unwrap();
    assert_eq!((networks(&engine, &label(&site)), volumes(&engine, &label(&site))), (0, 0));
}

#[tokio::test]
async fn ten_thousand_calls_leave_the_memory_of_the_gateway_flat() {
    let docked = Docked::start("[servers.odd.container]\nlifetime = \"warm\"").await;
    let client = docked.client();
    let calls = async |count: usize| {
        for _ in 0..count {
            went_well(&client.call("sleep-for", json!({ "milliseconds": 0 })).await);
        }
    };
    calls(1000).await;
    let before = process::resident(docked.gateway.pid());
    calls(10_000).await;
    let after = process::resident(docked.gateway.pid());
    assert!(after <= before + (2 << 20), "{} kB, and {} kB before", after >> 10, before >> 10);
}

#[tokio::test]
async fn a_gateway_that_is_stopped_takes_its_containers_with_it() {
    let Docked { engine, site, gateway } = Docked::start("").await;
    let label = label(&site);
    engine.settles_at(&label, 1).await;
    let status = tokio::task::spawn_blocking(|| gateway.terminate()).await.unwrap();
    assert!(status.success(), "{status}");
    assert_eq!(engine.containers(&label), Vec::<String>::new());
}

#[tokio::test]
async fn a_gateway_that_is_killed_leaves_its_containers_to_its_next_start() {
    let Docked { engine, site, gateway } = Docked::start("").await;
    let label = label(&site);
    let old = engine.settles_at(&label, 1).await;
    // Killed.
    drop(gateway);
    let gateway = Gateway::start(&site).await;
    let new = engine.settles_at(&label, 1).await;
    assert_ne!(old, new);
    gateway.logged("containers that an earlier process had left").await;
}

#[tokio::test]
async fn gateways_that_share_an_engine_leave_each_other_alone() {
    let (one, two) = (Docked::start("").await, Docked::start("").await);
    let others = two.engine.settles_at(&two.label(), 1).await;
    let (site, gateway) = (one.site, one.gateway);
    drop(gateway);
    let _again = Gateway::start(&site).await;
    assert_eq!(two.engine.containers(&two.label()), others);
    went_well(&two.client().call("count", json!({})).await);
}

#[tokio::test]
async fn two_processes_of_one_gateway_leave_each_other_alone() {
    let docked = Docked::start("[servers.odd.container]\nlifetime = \"warm\"").await;
    let own = docked.engine.settles_at(&docked.label(), 1).await;
    let called = command(&docked.site).args(["call", "odd__count"]).output().unwrap();
    assert!(called.status.success(), "{}", String::from_utf8_lossy(&called.stderr));
    assert_eq!(String::from_utf8_lossy(&called.stdout).trim(), "1", "a container of its own");
    assert_eq!(docked.engine.containers(&docked.label()), own);
}

#[test]
fn a_command_that_fails_leaves_nothing() {
    let engine = Engine::of_the_machine();
    let site = Site::new(&format!("[servers.odd]\nimage = \"{ODD}\"\n"));
    let called = command(&site).args(["call", "odd__fail", "{\"message\":\"no\"}"]).output().unwrap();
    assert!(!called.status.success());
    assert_eq!(engine.containers(&label(&site)), Vec::<String>::new());
}

#[tokio::test]
async fn a_call_that_runs_is_let_finish_by_a_stop() {
    let Docked { engine, site, gateway } = Docked::start("").await;
    let client = gateway.client_of("odd");
    let call = tokio::spawn(async move { client.call("sleep-for", json!({ "milliseconds": 1500 })).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    tokio::task::spawn_blocking(|| gateway.terminate()).await.unwrap();
    went_well(&call.await.unwrap());
    assert_eq!(engine.containers(&label(&site)), Vec::<String>::new());
}

fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}
