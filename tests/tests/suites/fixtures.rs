//! Components that no compiler would write, served by the gateway: what each is refused for, or how
//! each of its calls ends. Every fixture of `tests/guests/wat/` has its row, or the suite fails.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use e2e::gateway::{Gateway, run};
use e2e::guests;
use e2e::site::Site;
use jsonschema::validator_for;
use serde_json::{Value, json};

/// Enough for honest fixtures, and soon burned by those that spin.
const FUEL: u64 = 50_000_000;

/// The default limit.
const MEMORY: u64 = 64 << 20;

/// What becomes of a fixture.
enum Fate {
    /// It is not served, for this reason.
    Refused(&'static str),
    /// It is served without this function, for this reason.
    Skips(&'static str, &'static str),
    /// A call of `run` with these arguments ends with this stable code. The text is for the model,
    /// the cause for the log.
    Fails { arguments: &'static str, code: &'static str, text: &'static str, cause: &'static str },
    /// Calls of it answer or are refused: tool, arguments, structured content or text of the error.
    Answers(&'static [(&'static str, &'static str, Result<&'static str, &'static str>)]),
}

use Fate::{Answers, Fails, Refused, Skips};

const OUT_OF_FUEL: &str = "out of fuel: the call burned its budget of 50000000";

/// A trap: the model only hears that there was one.
const fn traps(arguments: &'static str, cause: &'static str) -> Fate {
    Fails { arguments, code: "trap", text: "the tool crashed", cause }
}

const fn spins(arguments: &'static str) -> Fate {
    Fails { arguments, code: "fuel", text: OUT_OF_FUEL, cause: OUT_OF_FUEL }
}

const FIXTURES: &[(&str, Fate)] = &[
    // It spends time and not fuel; `tests/escape/exhaust` lets it run into its deadline.
    ("bulk-memory", Answers(&[])),
    (
        "clash",
        Refused(
            "`acme:first/things@1.0.0#run` and `acme:second/things@1.0.0#run` would both be the tool `run`; \
             rename one: rename = { \"acme:second/things@1.0.0#run\" = \"other-name\" }",
        ),
    ),
    (
        "config-store",
        Answers(&[
            ("get", r#"{"key":"LANG"}"#, Err(r#"{"upstream":"no configuration is granted to this tool"}"#)),
            ("get-all", "{}", Err(r#"{"upstream":"no configuration is granted to this tool"}"#)),
        ]),
    ),
    ("core-module", Refused("file:SITE/core-module.wasm is a core wasm module, not a component")),
    ("deep-type", Skips("run", "its parameter `value` nests types deeper than 32 levels")),
    // `tests/escape/crash` calls it.
    ("destructor-traps", Answers(&[])),
    ("divide-by-zero", traps(r#"{"by":0}"#, "integer divide by zero")),
    ("empty", Answers(&[])),
    ("error-not-utf8", traps("{}", "invalid utf-8 sequence of 1 bytes from index 0")),
    (
        "fixed-length-list",
        Answers(&[
            ("echo", r#"{"value":[1,2,65535]}"#, Ok(r#"{"result":[1,2,65535]}"#)),
            ("echo", r#"{"value":[1,2]}"#, Err("at /value: expected an array of 3 items, got an array of 2")),
            ("echo", r#"{"value":[1,2,3,4]}"#, Err("at /value: expected an array of 3 items, got more")),
            (
                "echo",
                r#"{"value":[1,2,65536]}"#,
                Err("at /value/2: expected an integer from 0 to 65535, got 65536"),
            ),
        ]),
    ),
    (
        "future",
        Refused(
            "the component is not valid: failed to parse WebAssembly module: `future` requires the component \
             model async feature (at offset 0x55)",
        ),
    ),
    // One page of the 64 MiB is there from the start; 63 steps of 1 MiB fit into the rest.
    ("grow-memory", Answers(&[("grow", r#"{"pages":16}"#, Ok(r#"{"result":63}"#))])),
    // A table may have 1,048,576 elements, of which one is there from the start. 4 billion cost more
    // fuel than there is.
    (
        "grow-table",
        Answers(&[
            ("grow", r#"{"by":1048575}"#, Ok(r#"{"result":1}"#)),
            ("grow", r#"{"by":1048576}"#, Ok(r#"{"result":-1}"#)),
            ("grow", r#"{"by":4294967295}"#, Err(OUT_OF_FUEL)),
        ]),
    ),
    (
        "hoard-resources",
        Answers(&[
            ("run", r#"{"count":9000}"#, Ok(r#"{"result":9000}"#)),
            ("run", r#"{"count":10001}"#, Err("the tool reached its limit of 10000 handles")),
        ]),
    ),
    (
        "huge-memory",
        Refused(
            "the component needs 1073741824 bytes of memory, more than the limit; \
             set `memory = \"1073741824B\"` or more in its limits",
        ),
    ),
    (
        "huge-table",
        Refused(
            "the component needs a table of 100000000 elements; 1048576 are the most that a table may have",
        ),
    ),
    ("invalid-discriminant", traps("{}", "discriminant 99 out of range [0..2)")),
    (
        "long-name",
        Skips(
            "name-name-name-name-name-name-name-name-name-name-name-name-name-name-name",
            "its name is not 1 to 64 of A-Z, a-z, 0-9, `_` and `-`; give it another: rename = { \
             \"name-name-name-name-name-name-name-name-name-name-name-name-name-name-name\" = \"other-name\" }",
        ),
    ),
    (
        "many-instances",
        Fails {
            arguments: "{}",
            code: "memory",
            text: "the tool reached its limit of 64 instances",
            cause: "instances reached the limit of 64",
        },
    ),
    // What a component has from the start is counted at load, so no call of these two ever begins.
    (
        "many-memories",
        Refused(
            "the component needs 17 memories, more than the limit; set `memories = 17` or more in its limits",
        ),
    ),
    (
        "many-tables",
        Refused(
            "the component needs 65 tables, more than the limit; set `tables = 65` or more in its limits",
        ),
    ),
    (
        "map",
        Answers(&[
            ("by-text", r#"{"value":{}}"#, Ok(r#"{"result":{}}"#)),
            ("by-text", r#"{"value":{"":0,"b":4294967295}}"#, Ok(r#"{"result":{"":0,"b":4294967295}}"#)),
            ("by-text", r#"{"value":[["a",1]]}"#, Err("at /value: expected an object, got an array")),
            (
                "by-number",
                r#"{"value":[[18446744073709551615,true],[0,false]]}"#,
                Ok(r#"{"result":[[18446744073709551615,true],[0,false]]}"#),
            ),
            (
                "by-number",
                r#"{"value":{"1":true}}"#,
                Err("at /value: expected an array of [key, value] pairs, got an object"),
            ),
        ]),
    ),
    ("path-not-utf8", traps("{}", "invalid utf-8 sequence of 1 bytes from index 0")),
    ("post-return-spins", spins("{}")),
    ("post-return-traps", traps("{}", "wasm `unreachable` instruction executed")),
    ("realloc-lies", traps(r#"{"text":"abc"}"#, "realloc return: beyond end of memory")),
    ("realloc-spins", spins(r#"{"text":"abc"}"#)),
    ("recursion", traps("{}", "call stack exhausted; at descend < descend")),
    ("result-beyond-memory", traps("{}", "string pointer/length out of bounds of memory")),
    (
        "result-huge-list",
        Fails {
            arguments: "{}",
            code: "output",
            text: "the result is larger than the limit of 4194304 bytes",
            cause: "the result is larger than the limit of 4194304 bytes",
        },
    ),
    ("result-list-not-utf8", traps("{}", "invalid utf-8 sequence of 1 bytes from index 0")),
    ("result-not-utf8", traps("{}", "invalid utf-8 sequence of 1 bytes from index 0")),
    ("result-surrogate", traps("{}", "converted integer out of range for `char`")),
    ("start-spins", spins("{}")),
    ("start-traps", traps("{}", "wasm `unreachable` instruction executed")),
    (
        "unknown-function",
        Refused(
            "the component imports an interface in another form than WASI 0.2 has it: component imports \
             instance `wasi:clocks/monotonic-clock@0.2.0`, but a matching implementation was not found in the \
             linker: instance export `rewind` has the wrong type: function implementation is missing",
        ),
    ),
    (
        "unknown-import",
        Refused(
            "the component imports what is not provided: `acme:warehouse/stock@1.0.0` (compose the component \
             with one that exports it, for instance by `wac plug`)",
        ),
    ),
    ("wide-type", Skips("run", "its parameter `value` makes the signature larger than 10000 types")),
    (
        "wrong-signature",
        Refused(
            "the component imports an interface in another form than WASI 0.2 has it: component imports \
             instance `wasi:clocks/monotonic-clock@0.2.0`, but a matching implementation was not found in the \
             linker: instance export `now` has the wrong type: type mismatch with parameters: expected 0-tuple, \
             found 1-tuple",
        ),
    ),
];

/// A site that serves these fixtures, each under its own name.
fn site(names: &[String]) -> Site {
    let site = Site::new("");
    let mut config = String::new();
    for name in names {
        let file = site.write(&format!("{name}.wasm"), guests::wat(name));
        let _ = write!(
            config,
            "[servers.{name}]\ncomponent = \"file:{}\"\nlimits = {{ fuel = {FUEL} }}\n",
            file.display()
        );
    }
    site.configure(&config);
    site
}

#[test]
fn every_fixture_is_tried() {
    let tried: BTreeSet<_> = FIXTURES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(tried, guests::wats().into_iter().collect());
}

#[test]
fn what_can_not_be_served_is_refused_at_load_with_the_reason() {
    let site = site(&guests::wats());
    let output = run(&site, &["check", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut refused = 0;
    for (name, fate) in FIXTURES {
        let server = report["servers"].as_array().unwrap().iter().find(|server| server["name"] == *name);
        let server = server.unwrap_or_else(|| panic!("no {name}: {report}"));
        let is_refused = matches!(fate, Refused(_));
        assert_eq!(server["state"] == "unavailable", is_refused, "{server}");
        match fate {
            Refused(reason) => {
                let reason = reason.replace("SITE", &site.dir().display().to_string());
                assert_eq!(server["reason"], reason, "{name}");
                refused += 1;
            }
            Skips(function, reason) => {
                assert_eq!(server["skipped"], json!([{ "function": function, "reason": reason }]), "{name}");
                assert_eq!(server["tools"], json!([]), "{name}");
            }
            Fails { .. } | Answers(_) => assert_eq!(server["skipped"], json!([]), "{name}"),
        }
    }
    let told = String::from_utf8(output.stderr).unwrap();
    let count = format!("error: {refused} of {} servers unavailable\n", FIXTURES.len());
    assert!(told.ends_with(&count), "{told}");
}

#[tokio::test]
async fn each_call_ends_as_its_limit_says_and_the_others_are_served() {
    let site = site(&guests::wats());
    let gateway = Gateway::start(&site).await;
    for (name, fate) in FIXTURES {
        let client = gateway.client_of(name);
        match fate {
            Refused(_) | Skips(..) => {}
            Fails { arguments, code, text, cause } => {
                let result = client.call("run", arguments.parse().unwrap()).await;
                assert_eq!(result["isError"], true, "{name}: {result}");
                assert_eq!(result["_meta"]["toolgate/error"], *code, "{name}: {result}");
                assert_eq!(result["content"][0]["text"], *text, "{name}: {result}");
                let usage = &result["_meta"]["toolgate/usage"];
                assert!(usage["fuel"].as_u64().is_some_and(|fuel| fuel <= FUEL), "{name}: {result}");
                assert!(usage["memoryPeak"].as_u64().is_some_and(|peak| peak <= MEMORY), "{name}: {result}");
                assert_eq!(usage["fuel"] == FUEL, *code == "fuel", "{name}: {result}");
                let log = gateway.logged(&format!("\"server\":\"{name}\",\"tool\":\"run\"")).await;
                let record =
                    log.lines().rfind(|line| line.contains(&format!("\"server\":\"{name}\",\"tool\"")));
                assert!(record.unwrap().contains(cause), "{name}: {cause:?} is not in {record:?}");
            }
            Answers(calls) => {
                for (tool, arguments, expected) in *calls {
                    let result = client.call(tool, arguments.parse().unwrap()).await;
                    assert_eq!(result["isError"], expected.is_err(), "{name} {arguments}: {result}");
                    let text = result["content"][0]["text"].as_str().unwrap();
                    match expected {
                        Ok(answer) => {
                            let answer: Value = answer.parse().unwrap();
                            assert_eq!(result["structuredContent"], answer, "{name} {arguments}");
                        }
                        Err(told) => {
                            let text = text.strip_prefix("invalid arguments: ").unwrap_or(text);
                            assert_eq!(text, *told, "{name} {arguments}");
                        }
                    }
                }
            }
        }
    }
    let health = reqwest::get(gateway.url("/health")).await.unwrap();
    assert!(health.status().is_success());
}

#[tokio::test]
async fn maps_and_fixed_length_lists_have_schemas_that_their_values_fit() {
    let names = ["map", "fixed-length-list"].map(str::to_owned);
    let site = site(&names);
    let gateway = Gateway::start(&site).await;
    for name in &names {
        let client = gateway.client_of(name);
        let listed = client.list().await;
        let Some((_, Answers(calls))) = FIXTURES.iter().find(|(fixture, _)| fixture == name) else {
            panic!("{name} answers")
        };
        for (tool, arguments, expected) in *calls {
            let tool = listed.iter().find(|listed| listed["name"] == *tool).unwrap();
            let arguments: Value = arguments.parse().unwrap();
            let fits = validator_for(&tool["inputSchema"]).unwrap().is_valid(&arguments);
            assert_eq!(fits, expected.is_ok(), "{arguments}: {tool}");
            if let Ok(answer) = expected {
                let fits = validator_for(&tool["outputSchema"]).unwrap().is_valid(&answer.parse().unwrap());
                assert!(fits, "{answer}: {tool}");
            }
        }
    }
}

#[tokio::test]
async fn config_store_has_what_is_granted_and_nothing_else() {
    let names = ["config-store".to_owned()];
    let site = site(&names);
    let mut config = std::fs::read_to_string(site.config()).unwrap();
    config.push_str("[servers.config-store.grants]\nenv = { LANG = \"eo\", EMPTY = \"\" }\n");
    site.configure(&config);
    let gateway = Gateway::start_with(&site, &[("OF_THE_HOST", "canary-7142")]).await;
    let client = gateway.client_of("config-store");
    let all = client.call("get-all", json!({})).await;
    assert_eq!(all["structuredContent"], json!({ "result": [["EMPTY", ""], ["LANG", "eo"]] }), "{all}");
    for (key, value) in [
        ("LANG", json!("eo")),
        ("EMPTY", json!("")),
        ("OF_THE_HOST", json!(null)),
        ("PATH", json!(null)),
        ("HOME", json!(null)),
        ("lang", json!(null)),
        ("", json!(null)),
    ] {
        let got = client.call("get", json!({ "key": key })).await;
        assert_eq!(got["isError"], false, "{got}");
        assert_eq!(got["structuredContent"], json!({ "result": value }), "{key}: {got}");
    }
    assert!(!gateway.log().contains("canary-7142"), "{}", gateway.log());
}

#[tokio::test]
async fn config_store_without_a_grant_is_refused_with_the_line_to_add() {
    let site = site(&["config-store".to_owned()]);
    let gateway = Gateway::start(&site).await;
    gateway.client_of("config-store").call("get", json!({ "key": "LANG" })).await;
    let line = json!("[servers.config-store.grants] env = { LANG = \"…\" }").to_string();
    gateway.logged(&line).await;
}
