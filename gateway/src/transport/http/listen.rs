//! Accepts connections, serves each in its own task, and drains them at the end.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::HttpSettings;
use super::hosts::Hosts;
use super::route::route;
use super::stream::{Guarded, Phase};
use crate::gateway::Gateway;
use crate::transport::budget::Budget;

/// Headers of a request, and bytes of all of them. Against memory filled before any check.
const MAX_HEADERS: usize = 64;
const MAX_HEAD: usize = 64 * 1024;
/// Pause after accepting failed, which mostly means that descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What every connection shares.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) gateway: Arc<Gateway>,
    pub(super) settings: HttpSettings,
    pub(super) hosts: Hosts,
    pub(super) bodies: Budget,
    pub(super) answers: Budget,
}

/// Serves HTTP on `listener` until `shutdown` is ready, then lets calls in flight end, within
/// `settings.drain`.
///
/// # Errors
/// None once the listener is bound: an accept that fails is tried again.
pub async fn serve(
    listener: TcpListener,
    gateway: Arc<Gateway>,
    settings: HttpSettings,
    shutdown: impl Future<Output = ()> + Send,
) -> std::io::Result<()> {
    let hosts = Hosts::new(&settings.hosts, &settings.origins);
    let bodies = Budget::new(settings.bodies);
    let answers = Budget::new(settings.answers);
    let shared = Arc::new(Shared { gateway, settings, hosts, bodies, answers });
    let (stop, stopping) = watch::channel(());
    let mut connections = JoinSet::new();
    tokio::select! {
        () = accept(&listener, &shared, &stopping, &mut connections) => {}
        () = shutdown => {}
    }
    drop(listener);
    drop(stop);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(shared.settings.drain, drained).await.is_err() {
        tracing::warn!(connections = connections.len(), "calls still in flight were dropped");
        connections.shutdown().await;
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    stopping: &watch::Receiver<()>,
    connections: &mut JoinSet<()>,
) {
    let permits = Arc::new(Semaphore::new(shared.settings.connections.max(1)));
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, permit, Arc::clone(shared), stopping.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<()>,
) {
    // A peer that waits for more before it acknowledges would stall each reply by 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "setting TCP_NODELAY");
    }
    let phase = Arc::new(Phase::default());
    let io = TokioIo::new(Guarded::new(stream, Arc::clone(&phase), &shared.settings));
    let service = service_fn(|request| {
        let (shared, phase) = (Arc::clone(&shared), Arc::clone(&phase));
        async move {
            let _busy = phase.busy();
            Ok::<_, Infallible>(route(&shared, &phase, request).await)
        }
    });
    let mut http = http1::Builder::new();
    http.header_read_timeout(None).max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD);
    let mut served = std::pin::pin!(http.serve_connection(io, service));
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        // The sender is dropped when the gateway stops.
        _ = stopping.changed() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
    drop(permit);
}
