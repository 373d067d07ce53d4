//! Each limit, tried with a guest that exceeds it.

use super::*;

pub(super) const GREEDY: &str = r#"(component
    (core module $m
        (memory (export "memory") 1)
        (table $t 1 funcref)
        (func (export "spin") (loop (br 0)))
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "insist") (param i32)
            (if (i32.eq (memory.grow (local.get 0)) (i32.const -1)) (then unreachable)))
        (func (export "elements") (param i32) (result i32)
            (table.grow $t (ref.null func) (local.get 0)))
        (func (export "fill")
            (drop (memory.grow (i32.const 500)))
            (loop
                (memory.fill (i32.const 0) (i32.const 1) (i32.const 32000000))
                (br 0)))
        ;; A list of as many bytes.
        (func (export "bytes") (param i32) (result i32)
            (drop (memory.grow (i32.const 200)))
            (i32.store (i32.const 4) (local.get 0))
            (i32.const 0))
        ;; As many lists, each of which is the same 65000 bytes.
        (func (export "lists") (param $n i32) (result i32)
            (local $at i32)
            (drop (memory.grow (i32.const 200)))
            (local.set $at (i32.const 8))
            (i32.store (i32.const 0) (i32.const 8))
            (i32.store (i32.const 4) (local.get $n))
            (loop $next
                (i32.store offset=4 (local.get $at) (i32.const 65000))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                (br_if $next (local.get $n)))
            (i32.const 0)))
    (core instance $i (instantiate $m))
    (alias core export $i "memory" (core memory $mem))
    (func (export "spin") (canon lift (core func $i "spin")))
    (func (export "grow") (param "pages" u32) (result s32) (canon lift (core func $i "grow")))
    (func (export "insist") (param "pages" u32) (canon lift (core func $i "insist")))
    (func (export "elements") (param "n" u32) (result s32)
        (canon lift (core func $i "elements")))
    (func (export "fill") (canon lift (core func $i "fill")))
    (func (export "bytes") (param "n" u32) (result (list u8))
        (canon lift (core func $i "bytes") (memory $mem)))
    (func (export "lists") (param "n" u32) (result (list (list u8)))
        (canon lift (core func $i "lists") (memory $mem))))"#;

const MIB: u64 = 1024 * 1024;

async fn greedy(with: Limits) -> Component {
    prepare(GREEDY, limits(with)).await.unwrap()
}

#[tokio::test]
async fn fuel_ends_a_guest_that_spins() {
    let budget = 10_000_000;
    let component = greedy(Limits { fuel: budget, ..Limits::default() }).await;
    let (outcome, usage) = call(&component, "spin", "{}").await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, CallError::Fuel { budget: b } if b == budget), "{error}");
    assert_eq!(usage.fuel, Some(budget));
}

#[tokio::test]
async fn the_deadline_ends_a_guest_that_spins_and_others_go_on_meanwhile() {
    for tool in ["spin", "fill"] {
        let component = greedy(Limits { fuel: u64::MAX / 4, ..Limits::default() }).await;
        let (mut invocation, heard) = invocation(&component, tool, "{}");
        let started = Instant::now();
        invocation.deadline = started + Duration::from_millis(150);
        // On one thread: this only ticks while the guest yields.
        let ticks = async {
            let mut ticks = 0;
            while heard.usage.lock().unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
                ticks += 1;
            }
            ticks
        };
        let (outcome, ticks) = tokio::join!(component.call(invocation), ticks);
        let error = outcome.unwrap_err();
        assert!(matches!(error, CallError::Deadline { after } if after.as_millis() >= 150));
        let late = started.elapsed().saturating_sub(Duration::from_millis(150));
        assert!(late < Duration::from_millis(500), "{tool}: {late:?} late");
        assert!(ticks >= 3, "{tool}: {ticks} ticks");
        assert!(heard.usage().fuel.unwrap() > 0);
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_is_accounted_for() {
    let component = greedy(Limits { fuel: u64::MAX / 4, ..Limits::default() }).await;
    let (invocation, heard) = invocation(&component, "spin", "{}");
    let call = component.call(invocation);
    tokio::time::timeout(Duration::from_millis(20), call).await.unwrap_err();
    heard.told().await;
    let usage = heard.usage();
    assert!(usage.fuel.unwrap() >= 1_000_000 && usage.memory_peak >= Some(65536), "{usage:?}");
}

#[tokio::test]
async fn growing_memory_beyond_the_limit_fails_and_the_guest_may_go_on() {
    let with = Limits { memory: MIB, ..Limits::default() };
    let component = greedy(with).await;
    let (outcome, usage) = call(&component, "grow", r#"{"pages": 14}"#).await;
    assert_eq!(outcome.unwrap().text(), "1");
    // The first page, the 14, and the table's one element.
    assert_eq!(usage.memory_peak, Some(15 * 65536 + 8));
    let (outcome, usage) = call(&component, "grow", r#"{"pages": 16}"#).await;
    assert_eq!(outcome.unwrap().text(), "-1");
    assert_eq!(usage.memory_peak, Some(65536 + 8));
}

#[tokio::test]
async fn a_guest_that_fails_for_want_of_memory_is_said_to() {
    let with = Limits { memory: MIB, ..Limits::default() };
    let component = greedy(with).await;
    let (outcome, _) = call(&component, "insist", r#"{"pages": 100}"#).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.to_string(), "out of memory: memory reached the limit of 1048576");
}

#[tokio::test]
async fn tables_count_as_memory() {
    let with = Limits { memory: MIB, ..Limits::default() };
    let component = greedy(with).await;
    let (outcome, usage) = call(&component, "elements", r#"{"n": 100000}"#).await;
    assert_eq!(outcome.unwrap().text(), "1");
    assert_eq!(usage.memory_peak, Some(65536 + 8 + 800_000));
    let (outcome, _) = call(&component, "elements", r#"{"n": 130000}"#).await;
    assert_eq!(outcome.unwrap().text(), "-1");
}

/// Grows one memory and then another, and gives the pages that the second had, or -1.
const TWO_MEMORIES: &str = r#"(component
    (core module $holder
        (memory 1)
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))
    (core instance $first (instantiate $holder))
    (core instance $second (instantiate $holder))
    (core module $m
        (import "first" "grow" (func $first (param i32) (result i32)))
        (import "second" "grow" (func $second (param i32) (result i32)))
        (func (export "grow") (param i32 i32) (result i32)
            (if (i32.eq (call $first (local.get 0)) (i32.const -1)) (then unreachable))
            (call $second (local.get 1))))
    (core instance $i (instantiate $m
        (with "first" (instance $first)) (with "second" (instance $second))))
    (func (export "grow") (param "first" u32) (param "second" u32) (result s32)
        (canon lift (core func $i "grow"))))"#;

#[tokio::test]
async fn all_memories_of_a_call_count_together() {
    let with = Limits { memory: MIB, ..Limits::default() };
    let component = prepare(TWO_MEMORIES, limits(with)).await.unwrap();
    // 16 pages are the limit, of which each memory has one from the start.
    for (second, told, pages) in [(10, "-1", 12), (5, "-1", 12), (4, "1", 16)] {
        let arguments = format!(r#"{{"first": 10, "second": {second}}}"#);
        let (outcome, usage) = call(&component, "grow", &arguments).await;
        assert_eq!(outcome.unwrap().text(), told, "{arguments}");
        assert_eq!(usage.memory_peak, Some(pages * 65536), "{arguments}");
    }
}

#[tokio::test]
async fn a_result_up_to_the_limit_is_told_whatever_it_is_made_of() {
    let with = Limits { output: 4 * MIB, ..Limits::default() };
    let component = greedy(with).await;
    let (outcome, usage) = call(&component, "bytes", r#"{"n": 3100000}"#).await;
    assert_eq!(outcome.unwrap().text().len(), 3_100_000usize.div_ceil(3) * 4);
    assert!(usage.bytes_out > 4_000_000);
    let (outcome, _) = call(&component, "bytes", r#"{"n": 3300000}"#).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, CallError::Output { limit } if limit == 4 * MIB), "{error}");
}

#[tokio::test]
async fn lists_that_share_memory_do_not_fill_the_host() {
    let component = greedy(Limits::default()).await;
    // 65 GB of bytes, as values of 40 bytes each.
    let (outcome, usage) = call(&component, "lists", r#"{"n": 1000000}"#).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, CallError::Output { .. }), "{error}");
    assert!(usage.wall < Duration::from_secs(5), "{usage:?}");
}

#[tokio::test]
async fn needs_beyond_the_limits_are_told_at_load() {
    let needs = |what: &'static str, with: Limits| async move {
        let error = prepare(GREEDY, limits(with)).await.err().unwrap();
        let expected = format!("set `{what} = ");
        assert!(error.to_string().contains(&expected), "{error}");
    };
    let default = Limits::default;
    needs("memory", Limits { memory: 1000, ..default() }).await;
    needs("tables", Limits { tables: 0, ..default() }).await;
    needs("memories", Limits { memories: 0, ..default() }).await;
}

#[tokio::test]
async fn instances_are_counted() {
    let with = Limits { instances: 0, ..Limits::default() };
    let component = greedy(with).await;
    let (outcome, _) = call(&component, "grow", r#"{"pages": 1}"#).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, CallError::Memory { what: "instances", limit: 0 }), "{error}");
}
