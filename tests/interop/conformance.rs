//! The official conformance suite, in every revision that the gateway speaks, with a component behind it that has
//! the suite's fixtures. What does not pass is named here, so that it is known, and known when it changes.
//!
//! A scenario that passes says that nothing it looked at was wrong; what the fixtures answer is tested by itself.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use e2e::gateway::Gateway;
use e2e::guests;
use e2e::site::Site;

/// Scenarios of a run, and those of them that failed.
struct Report {
    run: BTreeSet<String>,
    failed: BTreeSet<String>,
    output: String,
}

/// Where `cargo xtask test --only prepare` has put the suite.
fn installed() -> PathBuf {
    let modules = guests::root().join("target/interop/node_modules");
    assert!(modules.is_dir(), "{} is missing: run `cargo xtask test --only prepare`", modules.display());
    modules
}

fn node() -> PathBuf {
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    installed().join(format!("node-linux-{arch}/bin/node"))
}

/// Runs the suite against the fixtures at an endpoint of their own.
async fn run(arguments: &[&str]) -> Report {
    let everything = guests::tool("everything");
    let site = Site::new(&format!("[servers.everything]\ncomponent = \"file:{}\"\n", everything.display()));
    let gateway = Gateway::start(&site).await;
    let mut suite = Command::new(node());
    suite.arg(installed().join("@modelcontextprotocol/conformance/dist/index.js")).arg("server");
    suite.args(["--url", &gateway.url("/mcp/everything")]).args(arguments);
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

#[tokio::test]
async fn revision_2026_07_28() {
    // 37 are scored and pass. Of the 13 that are not, ten ask for the extension of tasks, and one for headers of
    // parameters.
    let tasks = [
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
    let failed: Vec<_> = tasks.into_iter().chain(["http-custom-header-server-validation"]).collect();
    run(&["--requirements", "2026-07-28"]).await.assert(50, &failed);
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
