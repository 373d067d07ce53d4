//! Calls that come to an end, each on its own.

use super::*;

const COUNTER: &str = r#"(component
    (core module $m
        (global $n (mut i32) (i32.const 0))
        (func (export "next") (result i32)
            (global.set $n (i32.add (global.get $n) (i32.const 1)))
            (global.get $n))
        (func (export "add") (param i32 i32) (result i32)
            (i32.add (local.get 0) (local.get 1)))
        (func $inner unreachable)
        (func (export "crash") (call $inner))
        (func $deeper (call $deeper))
        (func (export "recurse") (call $deeper)))
    (core instance $i (instantiate $m))
    (func (export "next") (result u32) (canon lift (core func $i "next")))
    (func (export "add") (param "a" u32) (param "b" u32) (result u32)
        (canon lift (core func $i "add")))
    (func (export "crash") (canon lift (core func $i "crash")))
    (func (export "recurse") (canon lift (core func $i "recurse")))
    (instance $math (export "twice" (func 1)))
    (export "acme:math/ops@1.0.0" (instance $math)))"#;

async fn counter() -> Component {
    prepare(COUNTER, Policy::default()).await.unwrap()
}

#[tokio::test]
async fn a_call_answers_and_is_accounted_for() {
    let component = counter().await;
    let (outcome, usage) = call(&component, "add", r#"{"a": 2, "b": 40}"#).await;
    let outcome = outcome.unwrap();
    assert!(!outcome.is_error);
    let Content::Value { structured: Some(structured), .. } = outcome.content else { panic!("{outcome:?}") };
    assert_eq!(structured.get(), r#"{"result":42}"#);
    assert!((1..100).contains(&usage.fuel.unwrap()), "{usage:?}");
    assert_eq!(usage.bytes_in, 17);
    assert!(usage.bytes_out >= 2, "{usage:?}");
}

#[tokio::test]
async fn functions_in_interfaces_are_called_too() {
    let component = counter().await;
    let (outcome, _) = call(&component, "twice", r#"{"a": 1, "b": 1}"#).await;
    assert_eq!(outcome.unwrap().text(), "2");
}

#[tokio::test]
async fn nothing_survives_a_call() {
    let component = counter().await;
    for _ in 0..3 {
        let (outcome, _) = call(&component, "next", "{}").await;
        assert_eq!(outcome.unwrap().text(), "1");
    }
}

#[tokio::test]
async fn a_crash_is_told_with_its_place_to_the_log_only() {
    let component = counter().await;
    let (outcome, usage) = call(&component, "crash", "{}").await;
    let error = outcome.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tool trapped: wasm trap: wasm `unreachable` instruction executed; \
         at inner < function 3"
    );
    assert_eq!(error.public(), "the tool crashed");
    assert!(usage.fuel.unwrap() > 0);
}

#[tokio::test]
async fn endless_recursion_traps() {
    let component = counter().await;
    let (outcome, _) = call(&component, "recurse", "{}").await;
    let error = outcome.unwrap_err();
    assert_eq!(error.code(), "trap");
    assert!(error.to_string().contains("call stack exhausted"), "{error}");
}

#[tokio::test]
async fn arguments_that_do_not_fit_cost_no_fuel() {
    let component = counter().await;
    let (outcome, usage) = call(&component, "add", r#"{"a": 2}"#).await;
    assert_eq!(outcome.unwrap_err().code(), "arguments");
    assert_eq!((usage.fuel, usage.memory_peak), (Some(0), Some(0)));
}

#[tokio::test]
async fn a_tool_that_is_not_there_is_an_error_and_not_a_panic() {
    let component = counter().await;
    let (mut invocation, heard) = invocation(&component, "next", "{}");
    invocation.target = Target::Tool(99);
    let error = component.call(invocation).await.unwrap_err();
    assert_eq!(error.code(), "internal");
    heard.usage();
}

#[tokio::test]
async fn names_that_guests_chose_stay_short_and_on_one_line() {
    let name = format!("a\\n{}", "x".repeat(5000));
    let text = format!(
        r#"(component
            (core module $m (func $crash (@name "{name}") (export "f") unreachable))
            (core instance $i (instantiate $m))
            (func (export "crash") (canon lift (core func $i "f"))))"#
    );
    let component = prepare(&text, Policy::default()).await.unwrap();
    let (outcome, _) = call(&component, "crash", "{}").await;
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("at a xxx"), "{error}");
    assert!(error.len() < 400 && !error.contains('\n'), "{error}");
}
