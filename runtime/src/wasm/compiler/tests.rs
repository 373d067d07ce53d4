//! What the gateway makes of a child's end and words, whatever the child is: here it is a shell.
//!
//! The limits of the real child are looked at from outside, in `tests/tests/suites/compiler.rs`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

/// More than a pipe holds, so that a child which does not read it is noticed.
const LARGE: usize = 1 << 20;

/// Seconds of processor time that the child is said to have.
const CPU: u64 = 7;

/// What is said of a component whose compiler is this script.
async fn said_of(script: &str) -> String {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    let ended = in_process(command, CPU, &vec![b'x'; LARGE].into()).await;
    ended.err().unwrap().to_string()
}

#[tokio::test]
async fn a_signal_that_ends_the_compiler_is_named_with_its_last_words() {
    assert_eq!(
        said_of("echo 'memory allocation of 99 bytes failed' >&2; kill -ABRT $$").await,
        "the compiler crashed on the component: signal: 6 (SIGABRT): memory allocation of 99 bytes failed"
    );
    assert_eq!(said_of("kill -SEGV $$").await, "the compiler crashed on the component: signal: 11 (SIGSEGV)");
    assert_eq!(
        said_of("kill -KILL $$").await,
        "the compiler crashed on the component: signal: 9 (SIGKILL); where memory runs out, the \
         compiler is the first to be killed"
    );
}

#[tokio::test]
async fn a_limit_that_the_compiler_reached_is_named_with_its_value() {
    let processor = "the component takes more to compile than 7 s of processor time";
    let code = "the component takes more to compile than 512 MiB of code";
    assert_eq!(said_of("kill -XCPU $$").await, processor);
    assert_eq!(said_of("kill -XFSZ $$").await, code);
    assert_eq!(said_of(&format!("exit {TOO_LARGE}")).await, code);
}

#[tokio::test]
async fn a_compiler_that_ends_before_it_has_read_everything_is_told_by_its_status() {
    let invalid = format!("echo 'unexpected end' >&2; exit {INVALID}");
    assert_eq!(said_of(&invalid).await, "the component is not valid: unexpected end");
    assert_eq!(
        said_of("exit 66").await,
        "the compiler crashed on the component: exit status: 66",
        "the component is blamed only for its own faults"
    );
}

#[tokio::test]
async fn what_the_compiler_says_is_one_bounded_line_without_control_characters() {
    let said = said_of(r"printf '\033]0;owned\007one\ntwo\r\303\050\0three\302\233' >&2; exit 65").await;
    assert_eq!(said, "the component is not valid:  ]0;owned one two \u{fffd}( three ");
    // A megabyte, which nobody reads to its end.
    let said = said_of("for _ in $(seq 1000); do printf '%01000d' 0; done >&2; kill -ABRT $$").await;
    let (told, zeros) = said.rsplit_once(' ').unwrap();
    assert_eq!(told, "the compiler crashed on the component: signal: 13 (SIGPIPE):");
    assert_eq!(zeros, "0".repeat(500));
}
