//! The command line: one file per command.
//!
//! Results go to stdout and may be piped; progress, warnings and errors go to stderr. Exit codes:
//! 0 done, 1 failed, 2 wrong usage.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use toolgate_runtime::host;
use toolgate_runtime::scheduler::Scheduler;

mod audit;
mod call;
mod check;
mod compile;
mod context;
mod doctor;
mod failure;
mod health;
mod import;
mod inspect;
mod key;
mod list;
mod output;
mod progress;
mod pull;
mod push;
mod serve;
mod stdio;

use context::Context;
use failure::Failure;

use crate::{allocator, descriptors, logging};

/// Time that the end of the process waits for calls which nobody waits for any more. A slice takes less
/// than a millisecond, unless the guest is in a host call that hangs.
const LAST_SLICE: Duration = Duration::from_millis(500);

/// Threads of the event loop at least.
const MIN_WORKERS: usize = 2;

/// An MCP gateway in which every tool call runs in its own sandbox
#[derive(Debug, Parser)]
#[command(name = "toolgate", version, disable_help_subcommand = true, after_help = EXAMPLE)]
struct Cli {
    /// The config [default: TOOLGATE_CONFIG_TEXT or the file TOOLGATE_CONFIG of the environment, else toolgate.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLE: &str = "\
Example:
  toolgate inspect file:clock.wasm      look at a component
  toolgate check                        see what the config resolves to
  toolgate serve                        serve it at http://127.0.0.1:8080/mcp";

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Stdio(stdio::Stdio),
    Call(call::Call),
    List(list::List),
    Inspect(inspect::Inspect),
    Check(check::Check),
    Audit(audit::Audit),
    Doctor(doctor::Doctor),
    Health(health::Health),
    Pull(pull::Pull),
    Push(push::Push),
    Key(key::Key),
    Import(import::Import),
    Compile(compile::Compile),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    // Wrong usage ends here, with what clap says of it and exit code 2.
    let cli = Cli::parse();
    if let Command::Compile(command) = cli.command {
        return command.run();
    }
    let result = match cli.command {
        // It needs neither the threads for calls nor the log.
        Command::Health(command) => command.run(cli.config),
        command => start(cli.config, command),
    };
    logging::flush();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure);
            failure.exit_code()
        }
    }
}

fn start(config: Option<PathBuf>, command: Command) -> Result<(), Failure> {
    allocator::give_back();
    descriptors::allow_all();
    let scheduler = Scheduler::start(Scheduler::threads_for(host::processors()));
    let scheduler = Arc::new(
        scheduler.map_err(|error| Failure::new("cannot start the threads for calls").because(&error))?,
    );
    let context = Context::new(config, Arc::clone(&scheduler));
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder
        .worker_threads(workers_for(host::processors()))
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| Failure::new("cannot start the runtime's threads").because(&error))?;
    let result = runtime.block_on(async {
        let result = run(command, &context).await;
        context.clear().await;
        result
    });
    scheduler.stop(LAST_SLICE);
    // A thread may be reading stdin for ever, or compiling what nobody waits for any more.
    runtime.shutdown_background();
    result
}

/// A thread per processor: what takes long is on the threads of the scheduler. Two at least, so that a
/// short call which waits for a page from the disk does not keep health waiting.
fn workers_for(processors: usize) -> usize {
    processors.max(MIN_WORKERS)
}

async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::Serve(command) => command.run(context).await,
        Command::Stdio(command) => command.run(context).await,
        Command::Call(command) => command.run(context).await,
        Command::List(command) => command.run(context).await,
        Command::Inspect(command) => command.run(context).await,
        Command::Check(command) => command.run(context).await,
        Command::Audit(command) => command.run(context).await,
        Command::Doctor(command) => command.run(context).await,
        Command::Pull(command) => command.run(context).await,
        Command::Push(command) => command.run(context).await,
        Command::Key(command) => command.run(),
        Command::Import(command) => command.run(context).await,
        Command::Compile(_) | Command::Health(_) => Err(Failure::silent()),
    }
}
