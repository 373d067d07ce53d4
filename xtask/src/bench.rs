//! Builds what the benchmarks measure and runs them; the table at the end is theirs.
//!
//! What others made to compare with (`peers`), and guests of other languages (`languages`), are
//! installed below `target/` where that is possible. Where it is not, the table says why.

mod languages;
mod optional;
mod peers;
mod task;

use std::fs;
use std::process::Command;

use crate::process::{self, Failure, Result};
use crate::progress::step;
use crate::setup::wasm;
use crate::{guests, layout, setup};

/// What is measured, and what measures. By name, since `--bins` and `--benches` would link every other
/// program and unit test of the workspace for release too, which takes twice as long.
const PROGRAMS: [&str; 4] = ["toolgate", "compare", "load", "echo"];

/// `cargo xtask bench [ARGUMENTS]`: arguments go to criterion, a name to measure among them.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these parts of the table, without criterion: start, sandbox, pipeline, metering, docker, http,
    /// memory, spin, task.
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<String>,
    /// Only install and build what is compared with, below target/.
    #[arg(long)]
    prepare: bool,
    /// Passed on to criterion.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Guests, peers, the release build of gateway and benchmarks in one resolution, then the measuring.
pub(crate) fn run(options: &Options) -> Result<()> {
    guests::build_all(&wasm::ensure()?)?;
    languages::build()?;
    peers::install()?;
    if options.prepare {
        return Ok(());
    }
    step("building for release, which takes minutes", || {
        let build = ["build", "--workspace", "--locked", "--release", "--bench", "cold_start"];
        process::run(setup::cargo().args(build).args(PROGRAMS.iter().flat_map(|name| ["--bin", name])))
    })?;
    if options.only.is_empty() || options.only.iter().any(|part| part == "task") {
        task::image()?;
    }
    if options.only.is_empty() {
        criterion(&options.arguments)?;
    }
    step("measuring side by side", || process::run(compare()?.args(&options.only)))
}

/// Criterion's estimates are kept below `target/` for the table, which must not mix in old ones.
fn criterion(arguments: &[String]) -> Result<()> {
    let estimates = layout::root().join("target/bench-criterion");
    if estimates.exists() {
        fs::remove_dir_all(&estimates)
            .map_err(|e| Failure::new(format!("{} can't be removed: {e}", estimates.display())))?;
    }
    let mut bench = setup::cargo();
    bench.args(["bench", "--workspace", "--locked", "--bench", "cold_start", "--"]).args(arguments);
    step("measuring what repeats in one process", || process::run(&mut bench))
}

/// The built program itself: `cargo run` builds in another resolution.
fn compare() -> Result<Command> {
    Ok(Command::new(layout::release_binaries()?.join("compare")))
}
