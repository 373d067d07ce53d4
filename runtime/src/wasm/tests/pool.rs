//! Where instances come from, and that it makes no difference to a call.

use super::limits::GREEDY;
use super::*;
use crate::wasm::room::Needs;

/// Counts how often it was called, in memory that must not outlive a call.
const COUNTER: &str = r#"(component
    (core module $m
        (memory 1)
        (global $n (mut i32) (i32.const 0))
        (table $t 4 funcref)
        (func (export "count") (result i32)
            (global.set $n (i32.add (global.get $n) (i32.const 1)))
            (i32.store (i32.const 70) (i32.add (i32.load (i32.const 70)) (i32.const 1)))
            (i32.store (i32.const 65000) (i32.add (i32.load (i32.const 65000)) (i32.const 1)))
            (i32.add (global.get $n) (i32.add (i32.load (i32.const 70)) (i32.load (i32.const 65000))))))
    (core instance $i (instantiate $m))
    (func (export "count") (result u32) (canon lift (core func $i "count"))))"#;

fn engine_with(slots: u32, metering: Metering) -> Engine {
    let options = EngineOptions::default();
    let pool = PoolPlan { slots, ..options.pool.clone() };
    Engine::new(EngineOptions { pool, metering, ..options }).unwrap()
}

async fn prepare_in(engine: &Engine, text: &str, policy: Policy) -> Component {
    Component::prepare(engine, &wat(text), policy, PrepareOptions::default()).await.unwrap()
}

async fn count(component: &Component) -> String {
    call(component, "count", "{}").await.0.unwrap().text().to_string()
}

#[tokio::test]
async fn nothing_of_a_call_is_left_in_the_slot_that_the_next_one_gets() {
    let engine = engine_with(8, Metering::Fuel);
    let component = prepare_in(&engine, COUNTER, Policy::default()).await;
    for _ in 0..100 {
        assert_eq!(count(&component).await, "3");
    }
}

#[tokio::test]
async fn a_call_that_finds_the_pool_spent_runs_on_demand() {
    let engine = engine_with(8, Metering::Fuel);
    let component = prepare_in(&engine, COUNTER, Policy::default()).await;
    let all = engine.rooms().mappings.free();
    let held = engine.rooms().take(Needs { memories: 8, tables: 0 }, true).unwrap();
    for _ in 0..3 {
        assert_eq!(count(&component).await, "3");
    }
    assert_eq!(engine.rooms().mappings.free(), all);
    drop(held);
    assert_eq!(count(&component).await, "3");
}

#[tokio::test]
async fn slots_go_back_however_a_call_ends() {
    let engine = engine_with(8, Metering::Fuel);
    let with = Limits { fuel: 1_000_000, ..Limits::default() };
    let component = Arc::new(prepare_in(&engine, GREEDY, limits(with)).await);
    for _ in 0..20 {
        call(&component, "spin", "{}").await.0.unwrap_err();
        call(&component, "insist", r#"{"pages": 60000}"#).await.0.unwrap_err();
        let (invocation, _) = invocation(&component, "grow", r#"{"pages": 1}"#);
        let dropped = tokio::time::timeout(Duration::ZERO, component.call(invocation)).await;
        drop(dropped);
    }
    assert!(engine.rooms().pool.as_ref().unwrap().take(8, 8).is_some());
}

#[tokio::test]
async fn a_component_that_does_not_fit_into_the_pool_runs_on_demand() {
    let engine = engine_with(8, Metering::Fuel);
    let free = engine.rooms().mappings.free();
    let many = COUNTER.replace("(memory 1)", &format!("(memory 1) {}", "(memory 1)".repeat(9)));
    let component = prepare_in(&engine, &many, Policy::default()).await;
    assert_eq!(count(&component).await, "3");
    assert_eq!(engine.rooms().mappings.free(), free);
}

#[tokio::test]
async fn a_table_beyond_what_any_may_have_is_refused_at_load() {
    let large = COUNTER.replace("(table $t 4 funcref)", "(table $t 2000000 funcref)");
    assert_eq!(
        prepare(&large, Policy::default()).await.err().unwrap().to_string(),
        "the component needs a table of 2000000 elements; 1048576 are the most that a table may have"
    );
}

#[tokio::test]
async fn metered_by_time_a_guest_that_spins_ends_at_its_deadline_and_lets_others_run() {
    let engine = engine_with(8, Metering::Epoch);
    let component = prepare_in(&engine, GREEDY, Policy::default()).await;
    let (mut spinning, heard) = invocation(&component, "spin", "{}");
    spinning.deadline = Instant::now() + Duration::from_millis(100);
    let other = async {
        let (outcome, usage) = call(&component, "grow", r#"{"pages": 1}"#).await;
        outcome.unwrap();
        (Instant::now(), usage)
    };
    let spin = async { (component.call(spinning).await, Instant::now()) };
    // On the one thread of this test, so the other gets its turn only if the guest yields.
    let ((outcome, ended), (answered, usage)) = tokio::join!(spin, other);
    assert!(matches!(outcome, Err(CallError::Deadline { .. })), "{outcome:?}");
    assert!(answered < ended);
    assert_eq!((usage.fuel, heard.usage().fuel), (None, None));
}
