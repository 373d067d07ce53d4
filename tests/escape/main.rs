//! The escape suite: hostile guests against the built gateway, one readable file per attempt.
//!
//! A family is a folder: `toolgate.toml` says what its servers are granted, and each `*.attempt` is
//! a transcript of one attempt, with what the guest saw and what the operator's log and record
//! show. The file is both the attempt and what is expected of it, so neither exists without the
//! other; `UPDATE=1` writes anew what was seen. See `README.md`.
//!
//! Some things no transcript may bless: whatever an attempt does, no canary leaves its place, no
//! stray connection arrives, nothing outside of the grants changes, every call is recorded once,
//! and the next caller is served. `world` holds every attempt to that.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attacks;
mod attempt;
mod descriptors;
mod observed;
mod probe;
mod rest;
mod run;
mod servers;
mod transcript;
mod under_attack;
mod world;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use e2e::guests;
use e2e::site::Site;
use serde_json::Value;

use crate::attempt::Attempt;

/// Declares every family: its folder, and the promise that its attempts try to break.
macro_rules! families {
    ($($folder:literal => $promise:ident,)*) => {
        const FAMILIES: &[&str] = &[$($folder),*];

        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            run::family($folder).await;
        })*
    };
}

families! {
    "ambient" => a_guest_learns_nothing_that_it_was_not_told,
    "crash" => a_crash_ends_its_own_call_and_nothing_else,
    "exhaust" => what_a_guest_uses_up_is_bounded,
    "files" => files_outside_of_a_grant_stay_out_of_reach,
    "http" => a_grant_of_http_is_for_its_requests_alone,
    "names" => a_name_is_granted_only_where_it_leads,
    "neighbours" => servers_do_not_see_each_other,
    "network" => nothing_is_reached_without_a_grant,
    "state" => nothing_survives_a_call,
    "stdio" => output_of_a_guest_forges_no_reply,
    "values" => hostile_values_do_no_harm,
}

/// Functions of the guest that try nothing, and answer differently in every run.
const HARMLESS: [&str; 3] = ["monotonic-clock", "random", "wall-clock"];

#[test]
fn every_folder_of_attempts_is_a_family() {
    let declared: BTreeSet<_> = FAMILIES.iter().map(|&family| family.to_owned()).collect();
    let folders = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap());
    let folders = folders.filter(|entry| entry.file_type().unwrap().is_dir());
    let found: BTreeSet<_> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert_eq!(declared, found);
    for family in FAMILIES {
        assert!(!Attempt::all(&folder().join(family)).is_empty(), "{family} has no attempts");
    }
}

#[test]
fn every_function_of_the_hostile_guest_is_used_by_an_attempt() {
    let site = Site::new("");
    let guest = format!("file:{}", guests::guest("misbehave").display());
    let inspected = e2e::gateway::run(&site, &["inspect", "--json", &guest]);
    let report: Value = serde_json::from_slice(&inspected.stdout).unwrap();
    let tools = report["tools"].as_array().unwrap_or_else(|| panic!("{report}"));
    let all = FAMILIES.iter().flat_map(|family| Attempt::all(&folder().join(family)));
    let used: BTreeSet<_> = all.flat_map(|attempt| attempt.tools()).collect();
    let names = tools.iter().filter_map(|tool| tool["name"].as_str());
    let forgotten: Vec<_> = names.filter(|name| !used.contains(*name) && !HARMLESS.contains(name)).collect();
    assert!(forgotten.is_empty(), "no attempt calls {forgotten:?}");
}

/// `tests/escape/`.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("escape")
}
