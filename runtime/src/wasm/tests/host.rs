//! Guests that use the host: clocks, output, exits, configuration.

use super::*;

/// Blocks in a host call for as many nanoseconds.
const SLEEPER: &str = r#"(component
    (import "wasi:io/poll@0.2.0" (instance $poll
        (export "pollable" (type $p (sub resource)))
        (export "[method]pollable.block" (func (param "self" (borrow $p))))))
    (alias export $poll "pollable" (type $pollable))
    (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
        (alias outer 1 $pollable (type $p0))
        (export "pollable" (type $p (eq $p0)))
        (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
    (core func $block (canon lower (func $poll "[method]pollable.block")))
    (core func $subscribe (canon lower (func $clock "subscribe-duration")))
    (core module $m
        (import "host" "block" (func $block (param i32)))
        (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
        (func (export "nap") (param i64) (call $block (call $subscribe (local.get 0))))
        (func (export "hoard") (loop (drop (call $subscribe (i64.const 1))) (br 0))))
    (core instance $i (instantiate $m (with "host" (instance
        (export "block" (func $block))
        (export "subscribe" (func $subscribe))))))
    (func (export "nap") (param "ns" u64) (canon lift (core func $i "nap")))
    (func (export "hoard") (canon lift (core func $i "hoard"))))"#;

#[tokio::test]
async fn the_deadline_ends_a_guest_that_waits_in_a_host_call() {
    let component = prepare(SLEEPER, Policy::default()).await.unwrap();
    let (outcome, _) = call(&component, "nap", r#"{"ns": 1000}"#).await;
    outcome.unwrap();
    let (mut invocation, heard) = invocation(&component, "nap", r#"{"ns": 60000000000}"#);
    let started = Instant::now();
    invocation.deadline = started + Duration::from_millis(100);
    let error = component.call(invocation).await.unwrap_err();
    assert_eq!(error.code(), "deadline");
    assert!(started.elapsed() < Duration::from_millis(600));
    assert!(heard.usage().fuel.unwrap() > 0);
}

#[tokio::test]
async fn handles_are_counted() {
    let component = prepare(SLEEPER, Policy::default()).await.unwrap();
    let (outcome, _) = call(&component, "hoard", "{}").await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, CallError::Memory { what: "handles", limit: 256 }), "{error}");
}

fn exits(status: &str) -> String {
    format!(
        r#"(component
            (import "wasi:cli/exit@0.2.0" (instance $exit
                (export "exit" (func (param "status" (result))))))
            (core func $exit (canon lower (func $exit "exit")))
            (core module $m
                (import "host" "exit" (func $exit (param i32)))
                (func (export "leave") (call $exit (i32.const {status}))))
            (core instance $i (instantiate $m (with "host" (instance
                (export "exit" (func $exit))))))
            (func (export "leave") (canon lift (core func $i "leave"))))"#
    )
}

#[tokio::test]
async fn an_exit_is_no_answer() {
    for (status, said) in
        [("0", "the guest exited before it answered"), ("1", "the guest exited with status 1")]
    {
        let component = prepare(&exits(status), Policy::default()).await.unwrap();
        let (outcome, _) = call(&component, "leave", "{}").await;
        let error = outcome.unwrap_err();
        assert_eq!(error.code(), "trap");
        assert!(error.to_string().contains(said), "{error}");
    }
}

/// Prints `hello` to standard output, and reads the variable `LANG` of the configuration.
const TALKER: &str = r#"(component
    (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
    (alias export $error "error" (type $err))
    (import "wasi:io/streams@0.2.0" (instance $streams
        (export "output-stream" (type $out (sub resource)))
        (alias outer 1 $err (type $e0))
        (export "error" (type $e (eq $e0)))
        (type $failed0 (variant (case "last-operation-failed" (own $e)) (case "closed")))
        (export "stream-error" (type $failed (eq $failed0)))
        (export "[method]output-stream.blocking-write-and-flush" (func
            (param "self" (borrow $out)) (param "contents" (list u8))
            (result (result (error $failed)))))))
    (alias export $streams "output-stream" (type $stream))
    (import "wasi:cli/stdout@0.2.0" (instance $stdout
        (alias outer 1 $stream (type $o0))
        (export "output-stream" (type $o (eq $o0)))
        (export "get-stdout" (func (result (own $o))))))
    (import "wasi:config/store@0.2.0-rc.1" (instance $config
        (type $failed0 (variant (case "upstream" string) (case "io" string)))
        (export "error" (type $failed (eq $failed0)))
        (export "get" (func (param "key" string)
            (result (result (option string) (error $failed)))))))
    (core module $memory
        (memory (export "memory") 1)
        (data (i32.const 8) "hello\nLANG")
        (global $free (mut i32) (i32.const 1024))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
            (global.get $free)
            (global.set $free (i32.add (global.get $free) (local.get 3)))))
    (core instance $mem (instantiate $memory))
    (alias core export $mem "memory" (core memory $memory))
    (core func $stdout (canon lower (func $stdout "get-stdout")))
    (core func $write (canon lower
        (func $streams "[method]output-stream.blocking-write-and-flush") (memory $memory)))
    (core func $get (canon lower (func $config "get")
        (memory $memory) (realloc (core func $mem "realloc"))))
    (core module $m
        (import "host" "stdout" (func $stdout (result i32)))
        (import "host" "write" (func $write (param i32 i32 i32 i32)))
        (import "host" "get" (func $get (param i32 i32 i32)))
        (func (export "talk")
            (call $write (call $stdout) (i32.const 8) (i32.const 6) (i32.const 512)))
        (func (export "lang") (result i32)
            (call $get (i32.const 14) (i32.const 4) (i32.const 512))
            (i32.const 512)))
    (core instance $i (instantiate $m (with "host" (instance
        (export "stdout" (func $stdout))
        (export "write" (func $write))
        (export "get" (func $get))))))
    (type $failed (variant (case "upstream" string) (case "io" string)))
    (export $exported "failed" (type $failed))
    (func (export "talk") (canon lift (core func $i "talk")))
    (func (export "lang") (result (result (option string) (error $exported)))
        (canon lift (core func $i "lang") (memory $memory))))"#;

#[tokio::test]
async fn output_is_told_to_the_observer() {
    let component = prepare(TALKER, Policy::default()).await.unwrap();
    let (invocation, heard) = invocation(&component, "talk", "{}");
    component.call(invocation).await.unwrap();
    let lines = heard.lines.lock().unwrap();
    assert_eq!(*lines, [(Stdio::Out, "hello".to_owned())]);
}

#[tokio::test]
async fn configuration_comes_from_the_grant() {
    let policy = grants(vec![], &[("LANG", "eo")]);
    let component = prepare(TALKER, policy).await.unwrap();
    let (outcome, _) = call(&component, "lang", "{}").await;
    assert_eq!(outcome.unwrap().text(), "eo");
}

#[tokio::test]
async fn configuration_without_a_grant_is_refused_with_the_line_to_add() {
    let component = prepare(TALKER, Policy::default()).await.unwrap();
    let (invocation, heard) = invocation(&component, "lang", "{}");
    let outcome = component.call(invocation).await.unwrap();
    assert!(outcome.is_error);
    let text = "no configuration is granted to this tool";
    assert!(outcome.text().contains(text), "{}", outcome.text());
    let denials = heard.denials.lock().unwrap();
    assert_eq!(denials.len(), 1);
    assert_eq!(denials[0].allow.as_deref(), Some("env = { LANG = \"…\" }"));
}

/// Passes a name of as many bytes to the host, or asks it for as many, again and again.
const PESTER: &str = r#"(component
    (import "wasi:config/store@0.2.0-rc.1" (instance $config
        (type $failed0 (variant (case "upstream" string) (case "io" string)))
        (export "error" (type $failed (eq $failed0)))
        (export "get" (func (param "key" string)
            (result (result (option string) (error $failed)))))))
    (import "wasi:random/random@0.2.0" (instance $random
        (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
    (core module $memory
        (memory (export "memory") 900)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
    (core instance $mem (instantiate $memory))
    (alias core export $mem "memory" (core memory $memory))
    (core func $get (canon lower (func $config "get")
        (memory $memory) (realloc (core func $mem "realloc"))))
    (core func $random (canon lower (func $random "get-random-bytes")
        (memory $memory) (realloc (core func $mem "realloc"))))
    (core module $m
        (import "host" "get" (func $get (param i32 i32 i32)))
        (import "host" "random" (func $random (param i64 i32)))
        (func (export "name") (param i32)
            (loop (call $get (i32.const 4096) (local.get 0) (i32.const 512)) (br 0)))
        (func (export "random") (param i32)
            (loop (call $random (i64.extend_i32_u (local.get 0)) (i32.const 512)) (br 0))))
    (core instance $i (instantiate $m (with "host" (instance
        (export "get" (func $get)) (export "random" (func $random))))))
    (func (export "name") (param "n" u32) (canon lift (core func $i "name")))
    (func (export "random") (param "n" u32) (canon lift (core func $i "random"))))"#;

#[tokio::test]
async fn the_deadline_ends_a_guest_that_only_calls_the_host_and_others_go_on_meanwhile() {
    let component = prepare(PESTER, Policy::default()).await.unwrap();
    for (tool, n) in [("name", 10), ("name", 1_000_000), ("random", 10), ("random", 1_000_000)] {
        let (mut invocation, heard) = invocation(&component, tool, &format!("{{\"n\": {n}}}"));
        let started = Instant::now();
        invocation.deadline = started + Duration::from_millis(100);
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
        assert_eq!(outcome.unwrap_err().code(), "deadline", "{tool} {n}");
        let late = started.elapsed().saturating_sub(Duration::from_millis(100));
        assert!(late < Duration::from_millis(200), "{tool} {n}: {late:?} late");
        assert!(ticks >= 3, "{tool} {n}: {ticks} ticks");
    }
}

#[tokio::test]
async fn what_one_host_call_copies_is_bounded() {
    let component = prepare(PESTER, Policy::default()).await.unwrap();
    for (tool, n) in [("name", 3_000_000), ("random", 2_000_000)] {
        let (outcome, usage) = call(&component, tool, &format!("{{\"n\": {n}}}")).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.code(), "trap", "{tool}: {error}");
        assert!(usage.fuel.unwrap() < 1000, "{tool}: {usage:?}");
    }
}
