//! Replays the kept corpus: every seed and every input that once crashed a target.
//!
//! What each file gets to is pinned, a line for each. A seed that no longer fits its parser would
//! otherwise end at the first check and hold nothing, with every test green. An input that once
//! crashed gets its line too, also where it is refused now.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::path::Path;

use toolgate_runtime::wit::{Fields, Type};

use crate::Reached;

/// Runs a target on each file of its folder, and pins by name what it got to.
fn replay(target: &str, run: impl Fn(&[u8]) -> String, expected: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let reached: BTreeMap<String, String> = files
        .map(|path| (path.file_name().unwrap().display().to_string(), run(&std::fs::read(&path).unwrap())))
        .collect();
    let lines: Vec<String> = reached.iter().map(|(name, reached)| format!("{name}: {reached}\n")).collect();
    assert_eq!(lines.concat(), expected, "what the files of {} get to", folder.display());
}

/// What was reached, in order; what comes again right after itself, such as a fault, is counted.
fn listed(run: fn(&[u8]) -> Reached) -> impl Fn(&[u8]) -> String {
    move |data| {
        let reached = run(data);
        let runs = reached.chunk_by(|one, next| one == next);
        let words = runs.map(|run| match run.len() {
            1 => run[0].to_owned(),
            times => format!("{} x{times}", run[0]),
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

#[test]
fn policy_holds_on_the_corpus() {
    replay("policy", listed(crate::policy), include_str!("corpus/policy.txt"));
}

#[test]
fn config_holds_on_the_corpus() {
    replay("config", listed(crate::config), include_str!("corpus/config.txt"));
}

#[test]
fn envelope_holds_on_the_corpus() {
    replay("envelope", listed(crate::envelope), include_str!("corpus/envelope.txt"));
}

#[test]
fn peer_holds_on_the_corpus() {
    replay("peer", listed(crate::peer), include_str!("corpus/peer.txt"));
}

#[test]
fn reply_holds_on_the_corpus() {
    replay("reply", listed(crate::reply), include_str!("corpus/reply.txt"));
}

#[test]
fn wit_holds_on_the_corpus() {
    let run = |data: &[u8]| crate::wit(data).map_or_else(|| "refused".to_owned(), |ty| wit(&ty));
    replay("wit", run, include_str!("corpus/wit.txt"));
}

#[test]
fn bytes_that_are_no_input_reach_nothing() {
    assert_eq!(crate::wit(b"\x12\x03\x00"), None);
    assert_eq!(crate::wit(&[0; 64]), None);
    assert_eq!(crate::config(b"\xff"), Reached::new());
    assert_eq!(crate::policy(b"\xff"), Reached::new());
}

/// A type as WIT writes it, records and the like in place.
fn wit(ty: &Type) -> String {
    match ty {
        Type::Bytes => "list<u8>".to_owned(),
        Type::List(item) => format!("list<{}>", wit(item)),
        Type::FixedList(item, len) => format!("list<{}, {len}>", wit(item)),
        Type::Map(types) => format!("map<{}, {}>", wit(&types.0), wit(&types.1)),
        Type::Tuple(types) => format!("tuple<{}>", types.iter().map(wit).collect::<Vec<_>>().join(", ")),
        Type::Record(fields) => format!("record {{ {} }}", record(fields)),
        Type::Variant(cases) => {
            let case = |case: &toolgate_runtime::wit::Case| match &case.ty {
                Some(ty) => format!("{}({})", case.name, wit(ty)),
                None => case.name.to_string(),
            };
            format!("variant {{ {} }}", cases.iter().map(case).collect::<Vec<_>>().join(", "))
        }
        Type::Enum(labels) => format!("enum {{ {} }}", labels.names().collect::<Vec<_>>().join(", ")),
        Type::Flags(labels) => format!("flags {{ {} }}", labels.names().collect::<Vec<_>>().join(", ")),
        Type::Option(inner) => format!("option<{}>", wit(inner)),
        Type::Result(sides) => {
            let side = |side: &Option<Type>| side.as_ref().map_or_else(|| "_".to_owned(), wit);
            format!("result<{}, {}>", side(&sides.0), side(&sides.1))
        }
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

fn record(fields: &Fields) -> String {
    fields.iter().map(|field| format!("{}: {}", field.name, wit(&field.ty))).collect::<Vec<_>>().join(", ")
}
