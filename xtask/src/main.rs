//! Set-up, demo and test orchestration: everything a person or CI does beyond plain cargo.
//!
//! Each command is one file or folder; `process` runs programs and `progress` says what is going
//! on. This crate drives the built `toolgate` binary from outside and knows nothing of its insides,
//! so it compiles in seconds and can't break together with the code that it tests.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line that talks to a person")]

mod bench;
mod demo;
#[cfg(test)]
mod documents;
mod files;
mod fuzz;
mod guests;
mod layout;
mod process;
mod progress;
mod setup;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use process::Result;

/// Set-up, demo and tests of Toolgate.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build, publish, serve and call the tools, then serve until Ctrl-C.
    Demo(demo::Options),
    /// Run everything that must hold; ends with `N passed, N failed`.
    Test(test::Options),
    /// Fuzz the parsers of what outsiders send.
    Fuzz(fuzz::Options),
    /// Measure cold start and calls; ends with one table.
    Bench(bench::Options),
    /// Add what building the guests needs: the wasm target, or Debian's in its place.
    Setup,
    /// Build the tools and the test guests as WASI components.
    Guests,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_told() {
                eprintln!("{failure}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Demo(options) => demo::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Setup => setup::wasm::ensure().map(drop),
        Command::Guests => {
            let toolchain = setup::wasm::ensure()?;
            guests::build_all(&toolchain)
        }
    }
}
