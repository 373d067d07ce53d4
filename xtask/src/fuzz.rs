//! Builds and runs the fuzz targets of `tests/fuzz` on stable Rust.
//!
//! Coverage comes from LLVM's own pass, which stable rustc lets through; `instrument.sh` asks for it
//! on our crates alone, so that dependencies stay as built for the tests. There is no sanitizer
//! (that needs nightly): what counts as a crash is a panic, an overflow, a hang or too much memory.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::process::{self, Failure, Result};
use crate::progress::step;
use crate::test::Counts;
use crate::{layout, setup};

/// The targets, one binary each.
pub(crate) const TARGETS: [&str; 6] = ["envelope", "peer", "reply", "config", "policy", "wit"];

/// How long each target runs in CI.
pub(crate) const SECONDS: u64 = 20;

/// Seconds that one input may take.
const TIMEOUT: u64 = 5;
/// Bytes of an input.
const MAX_LEN: u64 = 16 * 1024;
/// MiB that the process may use: an input that makes much of little is a fault too.
const RSS_LIMIT: u64 = 1024;

/// What to fuzz and for how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only this target.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(TARGETS))]
    target: Option<String>,
    /// Seconds for each target.
    #[arg(long, value_name = "N", default_value_t = SECONDS)]
    seconds: u64,
}

/// `cargo xtask fuzz`.
pub(crate) fn run(options: &Options) -> Result<()> {
    build()?;
    match &options.target {
        Some(target) => fuzz(target, options.seconds),
        None => TARGETS.iter().try_for_each(|target| fuzz(target, options.seconds)),
    }
}

/// Runs every target, also after one has failed.
pub(crate) fn run_all(seconds: u64) -> Result<Counts> {
    build()?;
    let mut counts = Counts::default();
    for target in TARGETS {
        counts.add(match fuzz(target, seconds) {
            Ok(()) => Counts::PASSED,
            Err(failure) => {
                eprintln!("{failure}");
                Counts::FAILED
            }
        });
    }
    Ok(counts)
}

fn build() -> Result<()> {
    step("building the fuzz targets", || {
        let mut cargo = setup::cargo();
        cargo.args(["build", "--workspace", "--locked", "--features", "fuzz/libfuzzer"]);
        for target in TARGETS {
            cargo.args(["--bin", target]);
        }
        cargo.env("RUSTC_WORKSPACE_WRAPPER", folder().join("instrument.sh"));
        process::run(&mut cargo)
    })
}

/// Fuzzes from the kept corpus; what is newly found interesting goes to `target/fuzz/`.
fn fuzz(target: &str, seconds: u64) -> Result<()> {
    let work = layout::root().join("target/fuzz").join(target);
    let (found, crashes) = (work.join("corpus"), work.join("crashes"));
    for folder in [&found, &crashes] {
        fs::create_dir_all(folder).map_err(|e| Failure::new(format!("{}: {e}", folder.display())))?;
    }
    let mut command = Command::new(layout::binaries()?.join(target));
    command
        .args([format!("-max_total_time={seconds}"), format!("-timeout={TIMEOUT}")])
        .args([format!("-max_len={MAX_LEN}"), format!("-rss_limit_mb={RSS_LIMIT}")])
        .arg(format!("-artifact_prefix={}/", crashes.display()))
        .args([found, folder().join("corpus").join(target)]);
    step(&format!("fuzzing {target} for {seconds} s"), || watch(&mut command, target))
}

/// libFuzzer talks a lot; only its last words matter, and only when it fails.
fn watch(command: &mut Command, target: &str) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| process::not_started(command, &e))?;
    let log = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        let summary = log.lines().rfind(|line| line.starts_with("Done")).unwrap_or_default();
        let coverage = log.lines().rfind(|line| line.contains(" cov: ")).unwrap_or_default();
        eprintln!("    {summary}; {}", coverage.trim());
        return coverage_seen(coverage, target);
    }
    let words: Vec<&str> = log.lines().rev().take(40).collect();
    let words: Vec<&str> = words.into_iter().rev().collect();
    Err(Failure::new(format!("{target}: {}\n{}", output.status, words.join("\n")))
        .hint("the input is named above; once it is fixed, keep it in tests/fuzz/corpus"))
}

/// Without instrumentation libFuzzer would run blind, and still report success.
fn coverage_seen(line: &str, target: &str) -> Result<()> {
    let mut words = line.split_whitespace().skip_while(|word| *word != "cov:");
    let covered: u64 = words.nth(1).and_then(|count| count.parse().ok()).unwrap_or(0);
    match covered {
        0..10 => Err(Failure::new(format!(
            "{target}: no coverage is measured: the build lacks the instrumentation"
        ))),
        _ => Ok(()),
    }
}

fn folder() -> PathBuf {
    layout::root().join("tests/fuzz")
}
