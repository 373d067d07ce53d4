//! `toolgate compile`: the part of the gateway that reads components, in a process of its own.
//!
//! Started by the gateway alone, so it is not listed. Everything it needs comes by its arguments,
//! stdin and stdout; it reads no config and no environment.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use toolgate_runtime::wasm::{self, Metering};

/// The name of the command.
pub(super) const NAME: &str = "compile";

/// Compile a component from stdin to stdout, for the gateway
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(super) struct Compile {
    /// fuel or epoch
    #[arg(value_parser = metering)]
    metering: Metering,
    /// Seconds of processor time
    seconds: u64,
}

impl Compile {
    pub(super) fn run(self) -> ExitCode {
        let cpu = Duration::from_secs(self.seconds);
        let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
        ExitCode::from(wasm::compile(self.metering, cpu, &mut input, &mut output, &mut io::stderr().lock()))
    }
}

fn metering(text: &str) -> Result<Metering, String> {
    text.parse().map_err(|()| "not fuel or epoch".to_owned())
}
