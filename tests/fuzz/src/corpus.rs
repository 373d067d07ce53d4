//! Replays the kept corpus: every seed and every input that once crashed a target.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

/// Runs a target on each file of its folder.
fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut replayed = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        run(&std::fs::read(entry.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed > 0, "{} is empty", folder.display());
}

#[test]
fn policy_holds_on_the_corpus() {
    replay("policy", crate::policy);
}

#[test]
fn config_holds_on_the_corpus() {
    replay("config", crate::config);
}

#[test]
fn envelope_holds_on_the_corpus() {
    replay("envelope", crate::envelope);
}

#[test]
fn wit_holds_on_the_corpus() {
    replay("wit", crate::wit);
}
