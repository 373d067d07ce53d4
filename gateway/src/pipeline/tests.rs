#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use toolgate_runtime::limits::Limits;

use super::*;
use crate::admit::{Capacity, Gate};
use crate::catalog::{ServerEntry, ServerState};
use crate::fake::{self, Does, Fake, raw};
use crate::gateway::GatewaySettings;

fn limited(does: Does, limits: Limits) -> (Arc<Gateway>, Arc<Fake>) {
    let fake = Fake::new(&[("x", does)]);
    let state = ServerState::Ready(Arc::clone(&fake) as _);
    let catalog = fake::catalog(vec![fake::entry_with("s", state, limits)]);
    (Arc::new(Gateway::new(catalog, GatewaySettings::default())), fake)
}

async fn run(gateway: &Gateway) -> Result<Completed, Error> {
    let request = Call::new(View::All, Wanted::Tool("s__x".to_owned()), raw("{}"));
    call(gateway, &Principal::local(), request).await
}

#[tokio::test]
async fn a_sandbox_that_misses_its_deadline_is_ended() {
    let limits = Limits { deadline: Duration::from_millis(50), ..Limits::default() };
    let (gateway, fake) = limited(Does::Hang, limits);
    let completed = run(&gateway).await.unwrap();
    assert!(matches!(completed.result, Err(CallError::Deadline { .. })));
    assert_eq!(fake.ended.load(Ordering::SeqCst), 1);
    assert_eq!(completed.usage.unwrap().fuel, Some(42), "the abandoned sandbox still tells its usage");
}

#[tokio::test]
async fn a_panic_fails_one_call_and_no_more() {
    let (gateway, _) = fake::gateway();
    for (tool, fails) in [("fake__panic", true), ("fake__echo", false)] {
        let request = Call::new(View::All, Wanted::Tool(tool.to_owned()), raw("{}"));
        let completed = call(&gateway, &Principal::local(), request).await.unwrap();
        assert_eq!(completed.result.is_err(), fails, "{tool}");
    }
}

#[tokio::test]
async fn no_more_calls_run_than_the_limit_and_the_rest_waits_or_is_refused() {
    let limits = Limits { concurrency: 2, ..Limits::default() };
    let (gateway, fake) = limited(Does::Sleep(Duration::from_millis(100)), limits);
    let calls: Vec<_> = (0..15)
        .map(|_| {
            let gateway = Arc::clone(&gateway);
            tokio::spawn(async move { run(&gateway).await.map(drop) })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(fake.begun.load(Ordering::SeqCst), 2);
    let mut refused = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(()) => {}
            Err(Error::Overloaded { server, .. }) => {
                assert_eq!(server, "s");
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(refused, 5, "two run and eight wait");
}

#[tokio::test]
async fn waiting_counts_against_the_deadline() {
    let deadline = Duration::from_millis(100);
    let limits = Limits { concurrency: 1, deadline, ..Limits::default() };
    let (gateway, fake) = limited(Does::Hang, limits);
    let first = {
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move { run(&gateway).await })
    };
    tokio::task::yield_now().await;
    let since = Instant::now();
    assert!(matches!(run(&gateway).await, Err(Error::Overloaded { .. })));
    assert!(since.elapsed() < Duration::from_millis(400), "{:?}", since.elapsed());
    assert!(first.await.unwrap().is_ok());
    assert_eq!(fake.begun.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_caller_that_leaves_the_queue_frees_its_place() {
    let limits = Limits { concurrency: 1, ..Limits::default() };
    let (gateway, fake) = limited(Does::Hang, limits);
    for _ in 0..50 {
        let impatient = tokio::time::timeout(Duration::from_millis(2), run(&gateway));
        assert!(impatient.await.is_err(), "neither answered nor refused");
    }
    assert_eq!(fake.begun.load(Ordering::SeqCst), fake.ended.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_call_ends_with_the_catalog_it_began_with() {
    let (gateway, _) = limited(Does::Sleep(Duration::from_millis(50)), Limits::default());
    let running = {
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move { run(&gateway).await })
    };
    tokio::task::yield_now().await;
    gateway.replace(fake::catalog(vec![]));
    assert!(running.await.unwrap().unwrap().result.is_ok());
    assert!(matches!(run(&gateway).await, Err(Error::Unknown(_))));
}

/// Two servers that share a capacity, each with a tool that sleeps and takes so many bytes.
fn sharing(capacity: Capacity, footprint: u64) -> (Arc<Gateway>, [Arc<Fake>; 2]) {
    let capacity = Arc::new(capacity);
    let server = |name: &str| {
        let mut fake = Fake::new(&[("tool", Does::Sleep(Duration::from_millis(50)))]);
        Arc::get_mut(&mut fake).unwrap().footprint = footprint;
        let gate = Arc::new(Gate::new(&Limits::default(), Arc::clone(&capacity)));
        (ServerEntry { gate, ..fake::entry(name, Arc::clone(&fake) as _) }, fake)
    };
    let ((one, first), (two, second)) = (server("one"), server("two"));
    let gateway = Gateway::new(fake::catalog(vec![one, two]), GatewaySettings::default());
    (Arc::new(gateway), [first, second])
}

/// Calls both servers at once; one of the calls waits, and both are answered.
async fn one_at_a_time((gateway, fakes): (Arc<Gateway>, [Arc<Fake>; 2])) {
    let request = |name: &str| {
        let gateway = Arc::clone(&gateway);
        let request = Call::new(View::All, Wanted::Tool(name.to_owned()), raw("{}"));
        tokio::spawn(async move { call(&gateway, &Principal::local(), request).await.unwrap().result })
    };
    let calls = ["one__tool", "two__tool"].map(request);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let begun = fakes.map(|fake| fake.begun.load(Ordering::SeqCst));
    assert_eq!(begun.iter().sum::<u32>(), 1, "the other waits: {begun:?}");
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn calls_take_no_more_memory_together_than_there_is() {
    // Each takes more than half of it.
    one_at_a_time(sharing(Capacity::new(100, 1_000_000), 600_000)).await;
}

#[tokio::test]
async fn no_more_calls_of_all_servers_run_than_the_gateway_s_own_limit() {
    one_at_a_time(sharing(Capacity::new(1, 1 << 30), 0)).await;
}

#[tokio::test]
async fn a_call_that_panics_gives_back_what_it_took() {
    let mut fake = Fake::new(&[("panic", Does::Panic), ("echo", Does::Echo)]);
    Arc::get_mut(&mut fake).unwrap().footprint = 600_000;
    let limits = Limits { concurrency: 1, deadline: Duration::from_millis(200), ..Limits::default() };
    let gate = Arc::new(Gate::new(&limits, Arc::new(Capacity::new(1, 1_000_000))));
    let entry = ServerEntry { gate, ..fake::entry("s", Arc::clone(&fake) as _) };
    let gateway = Gateway::new(fake::catalog(vec![entry]), GatewaySettings::default());
    for tool in ["s__panic", "s__panic", "s__echo"] {
        let request = Call::new(View::All, Wanted::Tool(tool.to_owned()), raw("{}"));
        let result = call(&gateway, &Principal::local(), request).await.unwrap().result;
        match result {
            Err(CallError::Internal(_)) => assert_eq!(tool, "s__panic"),
            Err(other) => panic!("{tool}: {other}"),
            Ok(_) => assert_eq!(tool, "s__echo"),
        }
    }
    assert_eq!(fake.ended.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_call_that_could_not_start_before_its_deadline_is_turned_away_at_once() {
    let limits = Limits { concurrency: 1, deadline: Duration::from_millis(250), ..Limits::default() };
    let (gateway, fake) = limited(Does::Sleep(Duration::from_millis(200)), limits);
    run(&gateway).await.unwrap();
    let spawn = || {
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move { run(&gateway).await.map(drop) })
    };
    let running = [spawn(), spawn()];
    while fake.begun.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    let since = Instant::now();
    match run(&gateway).await {
        Err(Error::Overloaded { retry_after, .. }) => assert!(retry_after >= Duration::from_secs(1)),
        other => panic!("{other:?}"),
    }
    assert!(since.elapsed() < Duration::from_millis(100), "{:?}", since.elapsed());
    for call in running {
        // The second one may start too late to end in time; it was let in all the same.
        drop(call.await.unwrap());
    }
}

#[tokio::test]
async fn a_new_catalog_hands_out_no_permit_twice() {
    let limits = Limits { concurrency: 1, ..Limits::default() };
    let fake = Fake::new(&[("x", Does::Hang)]);
    let entry = || fake::entry_with("s", ServerState::Ready(Arc::clone(&fake) as _), limits.clone());
    let gate = entry().gate;
    let catalog = || fake::catalog(vec![ServerEntry { gate: Arc::clone(&gate), ..entry() }]);
    let gateway = Arc::new(Gateway::new(catalog(), GatewaySettings::default()));
    let first = tokio::spawn({
        let gateway = Arc::clone(&gateway);
        async move { run(&gateway).await.map(drop) }
    });
    while fake.begun.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    gateway.replace(catalog());
    let second = tokio::time::timeout(Duration::from_millis(50), run(&gateway)).await;
    assert!(second.is_err(), "it waits");
    assert_eq!(fake.begun.load(Ordering::SeqCst), 1);
    first.abort();
}
