//! Builds what the benchmarks measure and runs them; the table at the end is theirs.

use crate::process::{self, Result};
use crate::progress::step;
use crate::setup::wasm;
use crate::{guests, layout, setup};

/// `cargo xtask bench [ARGUMENTS]`: arguments go to criterion, a name to measure among them.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Passed on to criterion.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Guests, the release build of gateway and benchmarks in one resolution, then the measuring.
pub(crate) fn run(options: &Options) -> Result<()> {
    guests::build(&wasm::ensure()?, &layout::test_guests())?;
    step("building for release, which takes minutes", || {
        process::run(setup::cargo().args([
            "build",
            "--workspace",
            "--locked",
            "--release",
            "--bins",
            "--benches",
        ]))
    })?;
    let mut bench = setup::cargo();
    bench.args(["bench", "--workspace", "--locked", "--bench", "cold_start", "--"]).args(&options.arguments);
    step("measuring", || process::run(&mut bench))
}
