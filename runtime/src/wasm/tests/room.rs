//! Calls that find too little room wait for it, and none of them fails.

use super::limits::GREEDY;
use super::*;
use crate::wasm::room::{Held, Needs};

/// What a call of the guests here takes of the pool.
const ONE: Needs = Needs { memories: 1, tables: 1 };

/// What is in nobody's way for so long has not begun.
const MOMENT: Duration = Duration::from_millis(50);

/// A component that needs more memories than a small pool has.
fn unfitting() -> String {
    GREEDY.replace("(memory (export", &format!("{} (memory (export", "(memory 1)".repeat(9)))
}

/// An engine with so many slots, and mappings for calls outside of the pool.
fn engine_with(slots: u32, on_demand: u64) -> Engine {
    let options = EngineOptions::default();
    let pool = PoolPlan { slots, ..options.pool.clone() };
    let taken = u64::MAX / 2 - pool.rest(u64::MAX / 2);
    Engine::new(EngineOptions { pool, mappings: taken + on_demand, ..options }).unwrap()
}

async fn prepare_in(engine: &Engine, text: &str) -> Result<Arc<Component>, LoadError> {
    let policy = Policy::default();
    Component::prepare(engine, &wat(text), policy, PrepareOptions::default()).await.map(Arc::new)
}

/// All slots and all mappings, which others have.
fn all(engine: &Engine) -> Vec<Held<'_>> {
    std::iter::from_fn(|| engine.rooms().take(ONE, true)).collect()
}

fn spawn(component: &Arc<Component>) -> tokio::task::JoinHandle<Result<Outcome, CallError>> {
    let component = Arc::clone(component);
    tokio::spawn(async move { call(&component, "grow", r#"{"pages": 1}"#).await.0 })
}

#[tokio::test]
async fn calls_that_find_pool_and_mappings_spent_wait_and_none_fails() {
    let engine = engine_with(8, 20);
    let component = prepare_in(&engine, GREEDY).await.unwrap();
    let mut held = all(&engine);
    assert_eq!(held.len(), 8 + 2, "eight slots, and twice the seven mappings of a call");
    let calls: Vec<_> = (0..200).map(|_| spawn(&component)).collect();
    tokio::time::sleep(MOMENT).await;
    assert!(calls.iter().all(|call| !call.is_finished()), "there is no room");
    // The mappings of one call are enough for all of them, one after another.
    held.truncate(9);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let call = spawn(&component);
    drop(held);
    call.await.unwrap().unwrap();
    assert_eq!((all(&engine).len(), engine.rooms().mappings.free()), (10, 20 - 14));
}

#[tokio::test]
async fn a_slot_that_is_given_back_is_for_who_waits() {
    let engine = engine_with(8, 6);
    let component = prepare_in(&engine, GREEDY).await.unwrap();
    let mut held = all(&engine);
    assert_eq!(held.len(), 8, "of mappings there are too few for one call");
    let call = spawn(&component);
    tokio::time::sleep(MOMENT).await;
    assert!(!call.is_finished());
    drop(held.pop());
    call.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_call_waits_for_room_no_longer_than_its_deadline() {
    let engine = engine_with(0, 20);
    let component = prepare_in(&engine, GREEDY).await.unwrap();
    let held = engine.rooms().mappings.take(20).unwrap();
    let (mut invocation, heard) = invocation(&component, "grow", r#"{"pages": 1}"#);
    invocation.deadline = Instant::now() + MOMENT;
    match component.call(invocation).await {
        Err(CallError::Deadline { after }) => assert!(after >= MOMENT && after < 20 * MOMENT, "{after:?}"),
        other => panic!("{other:?}"),
    }
    let usage = heard.usage();
    assert_eq!((usage.fuel, usage.memory_peak), (Some(0), Some(0)));
    drop(held);
    spawn(&component).await.unwrap().unwrap();
    assert_eq!(engine.rooms().mappings.free(), 20);
}

#[tokio::test]
async fn what_fits_into_the_pool_does_not_wait_for_what_does_not() {
    let engine = engine_with(8, 58);
    let (small, large) =
        (prepare_in(&engine, GREEDY).await.unwrap(), prepare_in(&engine, &unfitting()).await.unwrap());
    let held = engine.rooms().take(ONE, false).unwrap();
    let call = spawn(&large);
    tokio::time::sleep(MOMENT).await;
    assert!(!call.is_finished(), "52 mappings are wanted, and 51 are left");
    spawn(&small).await.unwrap().unwrap();
    drop(held);
    call.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_does_not_fit_into_the_pool_is_not_kept_waiting_by_what_does() {
    let engine = engine_with(8, 56);
    let (small, large) =
        (prepare_in(&engine, GREEDY).await.unwrap(), prepare_in(&engine, &unfitting()).await.unwrap());
    let mut held = all(&engine);
    assert_eq!(held.len(), 8 + 8);
    let first = spawn(&large);
    tokio::time::sleep(MOMENT).await;
    let others: Vec<_> = (0..20).map(|_| spawn(&small)).collect();
    tokio::time::sleep(MOMENT).await;
    // Mappings come free one call's at a time, and the small ones could take each.
    while held.len() > 8 {
        drop(held.pop());
        tokio::time::sleep(MOMENT / 10).await;
        let ended = others.iter().filter(|call| call.is_finished()).count();
        assert!(ended == 0 || first.is_finished(), "{ended} overtook it");
    }
    first.await.unwrap().unwrap();
    // And what it leaves goes to them, though all slots are taken.
    for call in others {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_caller_that_no_longer_waits_for_mappings_leaves_them_to_others() {
    let engine = engine_with(8, 56);
    let (small, large) =
        (prepare_in(&engine, GREEDY).await.unwrap(), prepare_in(&engine, &unfitting()).await.unwrap());
    let mut held = all(&engine);
    let (waiting, other) = (spawn(&large), spawn(&small));
    tokio::time::sleep(MOMENT).await;
    drop(held.pop());
    tokio::time::sleep(MOMENT).await;
    assert!(!other.is_finished(), "what is free is left to the one that needs more");
    waiting.abort();
    other.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_component_whose_call_could_never_have_its_mappings_is_refused_at_load() {
    let engine = engine_with(8, 51);
    let error = prepare_in(&engine, &unfitting()).await.err().unwrap();
    assert_eq!(
        error.to_string(),
        "a call of the component takes 52 memory mappings, and 51 are left to calls that do not fit into the \
         pool; raise `vm.max_map_count`"
    );
    // One that fits needs none of them.
    prepare_in(&engine_with(8, 0), GREEDY).await.unwrap();
    let engine = engine_with(0, 6);
    assert!(matches!(prepare_in(&engine, GREEDY).await, Err(LoadError::Mappings { needs: 7, most: 6 })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_nobody_waits_for_ever() {
    let engine = engine_with(8, 120);
    let (small, large) =
        (prepare_in(&engine, GREEDY).await.unwrap(), prepare_in(&engine, &unfitting()).await.unwrap());
    // Six slots are others', so that there are too few for the tasks.
    let _held: Vec<_> = (0..6).map(|_| engine.rooms().take(ONE, true).unwrap()).collect();
    let work = |component: Arc<Component>| async move {
        for _ in 0..100 {
            let (outcome, _) = call(&component, "insist", r#"{"pages": 2}"#).await;
            outcome.unwrap();
        }
    };
    let tasks: Vec<_> =
        (0..32).map(|n| tokio::spawn(work(Arc::clone(if n % 4 == 0 { &large } else { &small })))).collect();
    for task in tasks {
        tokio::time::timeout(Duration::from_secs(60), task).await.unwrap().unwrap();
    }
    assert_eq!(engine.rooms().mappings.free(), 120);
}
