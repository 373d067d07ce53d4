//! `toolgate serve`: all servers over Streamable HTTP, until a signal ends it.

use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tracing::Level;

use super::context::{Context, Setup, gateway_settings, memory_and_answer, start_log};
use super::failure::Failure;
use super::progress;
use crate::assemble::Assembler;
use crate::assemble::supervise::{News, supervise};
use crate::config::Config;
use crate::gateway::Gateway;
use crate::transport::http;

/// Connections that wait to be accepted, for clients that come all at once. The kernel drops those beyond,
/// and their clients try again after a second; it allows no more by default (`net.core.somaxconn`).
const BACKLOG: u32 = 4_096;

/// Serve all servers over HTTP
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  toolgate serve --config toolgate.toml
  toolgate serve --listen 127.0.0.1:0 --port-file port

Signals: SIGINT and SIGTERM let calls in flight end; a second one stops at once.")]
pub(super) struct Serve {
    /// Listen here instead of where the config says; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Write the address to this file once calls are answered
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
}

impl Serve {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let mut config = context.config()?;
        config.gateway.listen = self.listen.unwrap_or(config.gateway.listen);
        refuse_open_by_mistake(&config)?;
        start_log(config.gateway.log, Level::INFO)?;
        let (first, second) = signals()?;
        let listener = listen(config.gateway.listen)?;
        let assembler = Setup::of(&config).assembler(context)?;
        let gateway = Arc::new(Gateway::starting(gateway_settings(&config)));
        let address = listener.local_addr().unwrap_or(config.gateway.listen);
        let (memory, answer) = memory_and_answer(&config);
        let settings = config.gateway.http.clone().within(memory, answer);
        let served = http::serve(listener, Arc::clone(&gateway), settings, first);
        tokio::select! {
            ended = served => ended.map_err(|error| Failure::new("the listener failed").because(&error)),
            failure = keep(&gateway, assembler, config, address, self.port_file.as_deref()) => Err(failure),
            code = second => Err(Failure::signal(code)),
        }
    }
}

/// Keeps the catalog up to date and announces the first one. Ends only in failure.
async fn keep(
    gateway: &Gateway,
    assembler: Arc<Assembler>,
    config: Config,
    address: SocketAddr,
    port_file: Option<&Path>,
) -> Failure {
    for note in assembler.notes() {
        tracing::warn!("{note}");
    }
    if config.servers.is_empty() {
        tracing::warn!("the config has no [servers.NAME]: there is nothing to serve");
    }
    let (ready, is_ready) = oneshot::channel();
    let servers = (config.servers.values().cloned().collect(), config.catalog());
    let told = (progress::logged(), Arc::new(tell) as _);
    let supervised = async {
        // Whoever waits for it may have failed already.
        let ready = || _ = ready.send(());
        let end = supervise(gateway, assembler, servers, told, ready).await;
        end.map_err(|error| Failure::of(&error))
    };
    let announced = async {
        drop(is_ready.await);
        announce(gateway, address, config.keys.is_empty(), port_file)
    };
    match tokio::try_join!(supervised, announced) {
        Ok(_) => pending().await,
        Err(failure) => failure,
    }
}

/// Logs what came of trying a server; once, however often it is tried with the same end.
pub(super) fn tell(News { assembled: server, refused, again }: News<'_>) {
    let name = &server.config.name;
    if again {
        tracing::debug!(server = name, "tried again, with the same end");
        return;
    }
    for note in &server.notes {
        tracing::warn!(server = name, "{note}");
    }
    let millis = u64::try_from(server.elapsed.as_millis()).unwrap_or(u64::MAX);
    match (&server.result, refused) {
        (Ok(sandbox), None) => {
            let digest = server.artifact.as_ref().map(|found| tracing::field::display(&found.digest));
            let tools = sandbox.describe().tools.len();
            tracing::info!(server = name, tools, millis, digest, "ready");
        }
        (Ok(_), Some(reason)) => tracing::error!(server = name, millis, "unavailable: {reason}"),
        (Err(error), _) => {
            let hint = error.hint();
            tracing::error!(server = name, millis, hint, "unavailable: {error}");
        }
    }
}

/// What `serve` says of a config by which it would let in whoever reaches the port.
pub(super) fn refuse_open_by_mistake(config: &Config) -> Result<(), Failure> {
    if !config.is_open_by_mistake() {
        return Ok(());
    }
    let address = config.gateway.listen;
    Err(Failure::new(format!("other hosts could reach {address}, and there is no key that they would need"))
        .hint(
            "add one by `toolgate key new NAME --server SERVER`; or write allow-anonymous = true in \
             [gateway], if only those who may call every tool can reach the port",
        ))
}

fn announce(
    gateway: &Gateway,
    address: SocketAddr,
    anonymous: bool,
    port_file: Option<&Path>,
) -> Result<(), Failure> {
    if anonymous && !address.ip().is_loopback() {
        tracing::warn!(
            %address,
            "listening beyond this host without keys: whoever reaches the port may call every tool"
        );
    }
    let catalog = gateway.catalog();
    let servers = catalog.as_deref().map_or(&[][..], |catalog| catalog.servers());
    let tools: usize = servers.iter().map(|server| server.tools().len()).sum();
    for (profile, pattern) in catalog.iter().flat_map(|catalog| catalog.vain()) {
        tracing::warn!(profile, "`{pattern}` in [profiles.{profile}] names no tool");
    }
    tracing::info!(tools, "serving at http://{address}/mcp");
    let Some(path) = port_file else {
        return Ok(());
    };
    std::fs::write(path, format!("{address}\n")).map_err(|error| {
        Failure::new(format!("cannot write the address to {}", path.display())).because(&error)
    })
}

fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    bind(address).map_err(|error| {
        let failure = Failure::new(format!("cannot listen on {address}")).because(&error);
        match error.kind() {
            ErrorKind::AddrInUse => failure
                .hint("another process has the port; choose another by `listen` in [gateway] or --listen"),
            ErrorKind::AddrNotAvailable => failure.hint("no interface of this host has that address"),
            ErrorKind::PermissionDenied => failure.hint("ports below 1024 are reserved; choose a higher one"),
            _ => failure,
        }
    })
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // After a restart, connections of the old process may linger on the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The first signal to end, and a second one, with the exit code that it asks for.
pub(super) fn signals() -> Result<(impl Future<Output = ()>, impl Future<Output = u8>), Failure> {
    let failed = |error: io::Error| Failure::new("cannot listen for signals").because(&error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let (tell_first, first) = oneshot::channel();
    let (tell_second, second) = oneshot::channel();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => 130,
                _ = terminate.recv() => 143,
            }
        };
        next().await;
        tracing::info!("stopping; calls in flight may end, a second signal stops at once");
        // Whoever waits may be done already.
        _ = tell_first.send(());
        _ = tell_second.send(next().await);
    });
    let first = async { first.await.unwrap_or(()) };
    let second = async {
        match second.await {
            Ok(code) => code,
            Err(_) => pending().await,
        }
    };
    Ok((first, second))
}
