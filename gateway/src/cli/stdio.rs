//! `toolgate stdio`: the same servers for one client over a pair of pipes, for desktop clients.
//!
//! Stdout carries the protocol and nothing else; the log goes to stderr, warnings only unless the
//! environment asks for more.

use std::pin::pin;
use std::sync::Arc;

use tokio::sync::oneshot;
use tracing::Level;

use super::context::{Context, Setup, gateway_settings, memory_and_answer, start_log, view};
use super::failure::Failure;
use super::progress;
use super::serve::{signals, tell};
use crate::assemble::supervise::supervise;
use crate::gateway::Gateway;
use crate::transport::stdio::{self, StdioSettings};

/// Serve all servers to one client over stdin and stdout
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  claude mcp add toolgate -- toolgate stdio --config /path/to/toolgate.toml")]
pub(super) struct Stdio {
    /// Serve what this profile of the config shows, and nothing else
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

impl Stdio {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let config = context.config()?;
        start_log(config.gateway.log, Level::WARN)?;
        let (stopped, second) = signals()?;
        let view = view(&config, self.profile.as_deref())?;
        let limits = StdioSettings { drain: config.gateway.http.drain, view, ..StdioSettings::default() };
        let (memory, answer) = memory_and_answer(&config);
        let limits = limits.within(memory, answer);
        let assembler = Setup::of(&config).assembler(context)?;
        for note in assembler.notes() {
            tracing::warn!("{note}");
        }
        let gateway = Arc::new(Gateway::starting(gateway_settings(&config)));
        let (ready, is_ready) = oneshot::channel();
        let settings = config.catalog();
        let servers = (config.servers.into_values().collect(), settings);
        let told = (progress::logged(), Arc::new(tell) as _);
        let supervised = supervise(&gateway, assembler, servers, told, || _ = ready.send(()));
        let served = async {
            let mut stopped = pin!(stopped);
            // A client lists tools once, right after it connects: it must not find an empty list.
            tokio::select! {
                _ = is_ready => {}
                () = &mut stopped => return Ok(()),
            }
            let (input, output) = (tokio::io::stdin(), tokio::io::stdout());
            stdio::serve(Arc::clone(&gateway), input, output, limits, stopped).await
        };
        let supervised = async {
            match supervised.await {
                Ok(()) => std::future::pending().await,
                Err(error) => Failure::of(&error),
            }
        };
        tokio::select! {
            ended = served => ended.map_err(|error| Failure::new("the pipe to the client failed").because(&error)),
            failure = supervised => Err(failure),
            code = second => Err(Failure::signal(code)),
        }
    }
}
