//! What a caller and an operator see, the same of a component and of an image: each test runs on both.

use std::time::{Duration, Instant};

use e2e::client::Client;
use e2e::engine::{Engine, ODD};
use e2e::gateway::Gateway;
use e2e::guests;
use e2e::site::Site;
use serde_json::{Value, json};

use super::support::{failed_with, text, went_well};

macro_rules! on_both_backends {
    ($($test:ident)*) => {
        mod wasm {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::Kind::Wasm).await;
            })*
        }

        mod docker {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::Kind::Docker).await;
            })*
        }
    };
}

on_both_backends! {
    tools_are_listed_under_the_servers_name
    a_result_is_accounted_and_recorded
    a_tools_own_error_is_no_failure_of_ours
    a_call_ends_at_its_deadline
    a_result_that_is_too_large_is_refused
    a_crash_ends_its_call_and_no_other
    too_much_memory_ends_the_call
    nothing_is_kept_from_one_call_to_the_next
    only_what_is_granted_is_in_the_environment
    a_secret_that_is_printed_is_not_logged
    what_is_printed_is_logged_with_its_call
    a_client_that_goes_away_leaves_one_record
    no_more_calls_run_than_may
    arguments_that_are_no_object_are_refused
    a_tool_that_is_not_there_is_unknown
    many_calls_at_once_have_each_their_own_answer
}

/// What runs the calls.
#[derive(Clone, Copy)]
enum Kind {
    Wasm,
    Docker,
}

/// A gateway with one server, `odd`.
struct Served {
    _site: Site,
    gateway: Gateway,
}

impl Kind {
    /// With these lines of the server's own tables.
    async fn serve(self, lines: &str) -> Served {
        let source = match self {
            Self::Wasm => format!("component = \"file:{}\"", guests::guest("misbehave").display()),
            Self::Docker => {
                drop(Engine::of_the_machine());
                format!("image = \"{ODD}\"")
            }
        };
        let site = Site::new(&format!("[servers.odd]\n{source}\n{lines}\n"));
        let gateway = Gateway::start(&site).await;
        Served { _site: site, gateway }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Wasm => "wasm",
            Self::Docker => "docker",
        }
    }
}

impl Served {
    fn client(&self) -> Client {
        self.gateway.client_of("odd")
    }

    async fn still_serves(&self) {
        let result = self.client().call("count", json!({})).await;
        went_well(&result);
    }

    /// The records of calls of a tool.
    async fn records(&self, tool: &str) -> Vec<Value> {
        let log = self.gateway.logged(&format!("\"tool\":\"{tool}\"")).await;
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line.to_string().contains("\"outcome\"") && line["tool"] == tool).collect()
    }
}

async fn tools_are_listed_under_the_servers_name(kind: Kind) {
    let served = kind.serve("").await;
    let names = |tools: Vec<Value>| -> Vec<String> {
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    };
    let (all, own) = (names(served.gateway.client().list().await), names(served.client().list().await));
    assert!(own.contains(&"sleep-for".to_owned()), "{own:?}");
    assert_eq!(all, own.iter().map(|name| format!("odd__{name}")).collect::<Vec<_>>());
    let result = served.gateway.client().call("odd__sleep-for", json!({ "milliseconds": 1 })).await;
    went_well(&result);
}

async fn a_result_is_accounted_and_recorded(kind: Kind) {
    let served = kind.serve("").await;
    let result = served.client().call("huge-string", json!({ "bytes": 1000 })).await;
    assert_eq!(went_well(&result).len(), 1000);
    let usage = &result["_meta"]["toolgate/usage"];
    assert_eq!(usage["backend"], kind.name(), "{result}");
    assert!(usage["bytesOut"].as_u64().unwrap() >= 1000 && usage["bytesIn"] == 14, "{result}");
    let records = served.records("huge-string").await;
    assert_eq!(records.len(), 1, "{records:?}");
    let record = &records[0];
    assert_eq!((&record["outcome"], &record["server"]), (&json!("ok"), &json!("odd")), "{record}");
    assert_eq!(record["backend"], kind.name(), "{record}");
}

async fn a_tools_own_error_is_no_failure_of_ours(kind: Kind) {
    let served = kind.serve("").await;
    let result = served.client().call("fail", json!({ "message": "no such city" })).await;
    assert_eq!((&result["isError"], text(&result)), (&json!(true), "no such city"), "{result}");
    assert!(result["_meta"].get("toolgate/error").is_none(), "{result}");
}

async fn a_call_ends_at_its_deadline(kind: Kind) {
    let served = kind.serve("[servers.odd.limits]\ndeadline = \"500ms\"").await;
    let since = Instant::now();
    let result = served.client().call("sleep-for", json!({ "milliseconds": 60_000 })).await;
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    let said = failed_with(&result, "deadline");
    assert!(said.starts_with("deadline exceeded after 5"), "{said}");
}

async fn a_result_that_is_too_large_is_refused(kind: Kind) {
    let served = kind.serve("[servers.odd.limits]\noutput = \"64KiB\"").await;
    let result = served.client().call("huge-string", json!({ "bytes": 100_000 })).await;
    assert_eq!(failed_with(&result, "output"), "the result is larger than the limit of 65536 bytes");
    served.still_serves().await;
}

async fn a_crash_ends_its_call_and_no_other(kind: Kind) {
    let served = kind.serve("").await;
    let (client, sleeper) = (served.client(), served.client());
    let other = tokio::spawn(async move { sleeper.call("sleep-for", json!({ "milliseconds": 2000 })).await });
    let since = Instant::now();
    let result = client.call("exit", json!({ "code": 3 })).await;
    assert_eq!(failed_with(&result, "trap"), "the tool crashed");
    assert!(since.elapsed() < Duration::from_secs(5), "at once, and not after {:?}", since.elapsed());
    served.still_serves().await;
    went_well(&other.await.unwrap());
}

async fn too_much_memory_ends_the_call(kind: Kind) {
    let served = kind.serve("[servers.odd.limits]\nmemory = \"64MiB\"").await;
    let result = served.client().call("allocate-or-die", json!({})).await;
    let said = failed_with(&result, "memory");
    assert_eq!(said, "the tool reached its limit of 67108864 bytes of memory");
    served.still_serves().await;
}

async fn nothing_is_kept_from_one_call_to_the_next(kind: Kind) {
    let served = kind.serve("").await;
    for _ in 0..4 {
        let result = served.client().call("count", json!({})).await;
        assert_eq!(went_well(&result), "1");
    }
}

async fn only_what_is_granted_is_in_the_environment(kind: Kind) {
    let served = kind.serve("[servers.odd.grants]\nenv = { CITY = \"Turin\" }").await;
    let result = served.client().call("environment", json!({})).await;
    let lines: Vec<&str> = went_well(&result).lines().collect();
    assert!(lines.contains(&"CITY=Turin"), "{lines:?}");
    let own = ["CITY=", "HOME=", "HOSTNAME=", "PATH="];
    assert!(lines.iter().all(|line| own.iter().any(|name| line.starts_with(name))), "{lines:?}");
    assert!(
        !lines.iter().any(|line| line.contains("TOOLGATE") || line.contains("toolgate-e2e")),
        "{lines:?}"
    );
}

async fn a_secret_that_is_printed_is_not_logged(kind: Kind) {
    let served = kind
        .serve("[servers.odd.grants]\nsecrets = [{ from = \"file:/proc/sys/kernel/random/boot_id\", env = \"TOKEN\" }]")
        .await;
    let secret = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let secret = secret.trim();
    let held = served.client().call("environment", json!({})).await;
    assert!(went_well(&held).contains(secret), "it holds it");
    let line = format!("the token is {secret}!");
    let print = json!({ "to-stderr": true, "line": line, "count": 1 });
    went_well(&served.client().call("print-lines", print).await);
    let log = served.gateway.logged("the token is ").await;
    assert!(!log.contains(secret), "{log}");
}

async fn what_is_printed_is_logged_with_its_call(kind: Kind) {
    let served = kind.serve("").await;
    let print = json!({ "to-stderr": true, "line": "a word to the operator", "count": 1 });
    went_well(&served.client().call("print-lines", print).await);
    served.gateway.logged("a word to the operator").await;
    served.records("print-lines").await;
    let log = served.gateway.log();
    let of = |text: &str| {
        let line =
            log.lines().find(|line| line.contains(text) && line.contains("\"call\"")).map(str::to_owned);
        let line = line.unwrap_or_else(|| panic!("{text}:\n{log}"));
        serde_json::from_str::<Value>(&line).unwrap()["call"].clone()
    };
    assert_eq!(of("a word to the operator"), of("\"tool\":\"print-lines\""));
}

async fn a_client_that_goes_away_leaves_one_record(kind: Kind) {
    let served = kind.serve("").await;
    let client = served.client();
    let call = client.call("sleep-for", json!({ "milliseconds": 30_000 }));
    assert!(tokio::time::timeout(Duration::from_millis(500), call).await.is_err());
    served.gateway.logged("\"outcome\":\"cancelled\"").await;
    assert_eq!(served.records("sleep-for").await.len(), 1);
    served.still_serves().await;
}

async fn no_more_calls_run_than_may(kind: Kind) {
    let served = kind.serve("[servers.odd.limits]\nconcurrency = 2\ndeadline = \"20s\"").await;
    let since = Instant::now();
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let client = served.client();
            tokio::spawn(async move { client.call("sleep-for", json!({ "milliseconds": 1000 })).await })
        })
        .collect();
    for call in calls {
        went_well(&call.await.unwrap());
    }
    assert!(since.elapsed() >= Duration::from_secs(2), "two at a time: {:?}", since.elapsed());
}

async fn arguments_that_are_no_object_are_refused(kind: Kind) {
    let served = kind.serve("").await;
    let reply = served.client().try_call("count", json!([1])).await;
    assert!(reply.get("error").is_some() || reply["result"]["isError"] == true, "{reply}");
    served.still_serves().await;
}

async fn a_tool_that_is_not_there_is_unknown(kind: Kind) {
    let served = kind.serve("").await;
    let reply = served.client().try_call("cuont", json!({})).await;
    assert_eq!(reply["error"]["code"], -32602, "{reply}");
}

async fn many_calls_at_once_have_each_their_own_answer(kind: Kind) {
    let served = kind.serve("[servers.odd.limits]\ndeadline = \"60s\"").await;
    let calls: Vec<_> = (0..24)
        .map(|number: usize| {
            let client = served.client();
            tokio::spawn(async move { client.call("fail", json!({ "message": number.to_string() })).await })
        })
        .collect();
    for (number, call) in calls.into_iter().enumerate() {
        assert_eq!(text(&call.await.unwrap()), number.to_string());
    }
}
