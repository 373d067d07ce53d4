//! The official conformance suite, in every revision that the gateway speaks, with the suite's fixtures behind it: as a
//! component, as a server of 2025-11-25 in a container, and as servers elsewhere of both kinds. What does not pass is named here, so that it is known, and
//! known when it changes.
//!
//! A scenario that passes says that nothing it looked at was wrong; what the fixtures answer is tested by itself.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use e2e::engine::SERVERS;
use e2e::gateway::Gateway;
use e2e::guests;
use e2e::site::Site;

use super::fixtures::Fixtures;
use super::installed::{node, node_module};

/// The same as a server elsewhere: the component behind a gateway of its own, without sessions.
async fn run_elsewhere(arguments: &[&str]) -> Report {
    let everything = guests::tool("everything");
    let far = Site::new(&format!("[servers.fixtures]\ncomponent = \"file:{}\"\n", everything.display()));
    let far = Gateway::start(&far).await;
    run_at(&far.url("/mcp/fixtures"), arguments).await
}

/// The same as the server of the container, over HTTP, with sessions.
async fn run_elsewhere_in_sessions(arguments: &[&str]) -> Report {
    let fixtures = Fixtures::start();
    run_at(&fixtures.url(), arguments).await
}

async fn run_at(url: &str, arguments: &[&str]) -> Report {
    let site = Site::new(&format!("[servers.fixtures]\nurl = \"{url}\"\n"));
    let gateway = Gateway::start(&site).await;
    run_against(&site, &gateway, arguments).await
}

/// Scenarios of a run, and those of them that failed.
struct Report {
    run: BTreeSet<String>,
    failed: BTreeSet<String>,
    output: String,
}

/// Runs the suite against the fixtures as a component, at an endpoint of their own.
async fn run(arguments: &[&str]) -> Report {
    let everything = guests::tool("everything");
    let site = Site::new(&format!("[servers.fixtures]\ncomponent = \"file:{}\"\n", everything.display()));
    let gateway = Gateway::start(&site).await;
    run_against(&site, &gateway, arguments).await
}

/// The same as a server in a container.
async fn run_in_container(arguments: &[&str]) -> Report {
    let site = Site::new("");
    let fixtures = site.path("fixtures");
    fs::create_dir(&fixtures).unwrap();
    let source = guests::root().join("tests/interop/fixtures/server.cjs");
    fs::copy(source, fixtures.join("server.cjs")).unwrap();
    // For the user of the container.
    for (path, mode) in [(fixtures.clone(), 0o755), (fixtures.join("server.cjs"), 0o644)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    site.configure(&format!(
        "[servers.fixtures]\nimage = \"{SERVERS}\"\n[servers.fixtures.container]\nlifetime = \"session\"\n\
         command = [\"node\", \"/fixtures/server.cjs\"]\n[servers.fixtures.grants]\n\
         files = [{{ host = \"{}\", guest = \"/fixtures\", mode = \"ro\" }}]\n",
        fixtures.display()
    ));
    let gateway = Gateway::start(&site).await;
    let ready = r#""message":"ready","server":"fixtures""#;
    gateway.logged_within(Duration::from_secs(60), ready).await;
    run_against(&site, &gateway, arguments).await
}

async fn run_against(site: &Site, gateway: &Gateway, arguments: &[&str]) -> Report {
    let mut suite = node();
    suite.arg(node_module("@modelcontextprotocol/conformance/dist/index.js")).arg("server");
    suite.args(["--url", &gateway.url("/mcp/fixtures")]).args(arguments);
    suite.arg("-o").arg(site.path("conformance")).current_dir(site.dir());
    let output = tokio::task::spawn_blocking(move || suite.output()).await.unwrap().unwrap();
    let output =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Report::of(output)
}

impl Report {
    /// Reads `✓ name: 2 passed, 0 failed`.
    fn of(output: String) -> Self {
        let (mut run, mut failed) = (BTreeSet::new(), BTreeSet::new());
        for line in output.lines() {
            let Some((mark, rest)) = line.split_once(' ') else { continue };
            let Some((name, counts)) = rest.split_once(": ") else { continue };
            if !counts.contains(" passed, ") || !["✓", "✗"].contains(&mark) {
                continue;
            }
            run.insert(name.to_owned());
            if mark == "✗" {
                failed.insert(name.to_owned());
            }
        }
        Self { run, failed, output }
    }

    /// All of so many scenarios passed but for these.
    fn assert(&self, run: usize, failed: &[&str]) {
        let expected: BTreeSet<String> = failed.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(self.failed, expected, "{}", self.output);
        assert_eq!(self.run.len(), run, "{}", self.output);
    }
}

/// What asks for the extension of tasks, for which the server in the container has no tools; not scored.
const TASKS: [&str; 9] = [
    "tasks-lifecycle",
    "tasks-capability-negotiation",
    "tasks-wire-fields",
    "tasks-request-state-removal",
    "tasks-mrtr-input",
    "tasks-request-headers",
    "tasks-dispatch-and-envelope",
    "tasks-required-task-error",
    "tasks-mrtr-composition",
];

/// What a server of an older revision can't do, whatever stands before it. It asks under no name, where the suite has
/// names for its questions, and keeps no state in the hands of its client; and that its client can't be asked it
/// learns from the answer to its question, so it answers itself, where a server of today is refused.
const OLDER: [&str; 10] = [
    "server-stateless",
    "input-required-result-basic-elicitation",
    "input-required-result-basic-list-roots",
    "input-required-result-basic-sampling",
    "input-required-result-capability-check",
    "input-required-result-multi-round",
    "input-required-result-multiple-input-requests",
    "input-required-result-non-tool-request",
    "input-required-result-request-state",
    "input-required-result-tampered-state",
];

/// What calls tools that are nothing but tasks at a server elsewhere: there the gateway is a client that knows nothing
/// of such, as tasks are its own.
const TASKS_ELSEWHERE: [&str; 2] = ["tasks-lifecycle", "tasks-mrtr-composition"];

#[tokio::test]
async fn revision_2026_07_28() {
    // Of these 37 are scored.
    run(&["--requirements", "2026-07-28"]).await.assert(50, &[]);
}

#[tokio::test]
async fn revision_2025_11_25() {
    run(&["--requirements", "2025-11-25"]).await.assert(33, &[]);
}

#[tokio::test]
async fn revision_2025_06_18() {
    run(&["--suite", "all", "--spec-version", "2025-06-18"]).await.assert(27, &[]);
}

#[tokio::test]
async fn revision_2025_03_26() {
    // The suite has one scenario for it.
    run(&["--suite", "all", "--spec-version", "2025-03-26"]).await.assert(1, &[]);
}

#[tokio::test]
async fn revision_2025_11_25_of_a_container() {
    run_in_container(&["--requirements", "2025-11-25"]).await.assert(33, &[]);
}

#[tokio::test]
async fn revision_2026_07_28_of_a_container() {
    let failed: Vec<_> = OLDER.into_iter().chain(TASKS).collect();
    run_in_container(&["--requirements", "2026-07-28"]).await.assert(50, &failed);
}

#[tokio::test]
async fn revision_2026_07_28_of_a_server_elsewhere() {
    run_elsewhere(&["--requirements", "2026-07-28"]).await.assert(50, &TASKS_ELSEWHERE);
}

#[tokio::test]
async fn revision_2025_11_25_of_a_server_elsewhere() {
    run_elsewhere(&["--requirements", "2025-11-25"]).await.assert(33, &[]);
}

#[tokio::test]
async fn revision_2025_11_25_of_a_server_elsewhere_that_has_sessions() {
    run_elsewhere_in_sessions(&["--requirements", "2025-11-25"]).await.assert(33, &[]);
}

#[tokio::test]
async fn revision_2026_07_28_of_a_server_elsewhere_that_has_sessions() {
    let failed: Vec<_> = OLDER.into_iter().chain(TASKS).collect();
    run_elsewhere_in_sessions(&["--requirements", "2026-07-28"]).await.assert(50, &failed);
}
