//! Accepts connections, serves each in its own task, and drains them at the end.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Either;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::HttpSettings;
use super::hosts::Hosts;
use super::resumable::{Listeners, Store};
use super::route::route;
use super::stream::{Guarded, Phase};
use crate::gateway::Gateway;
use crate::transport::budget::Budget;

/// Headers of a request, and bytes of all of them. Against memory filled before any check.
const MAX_HEADERS: usize = 64;
const MAX_HEAD: usize = 64 * 1024;
/// Connections beyond the limit that are still answered, though only for a moment: probes as ever,
/// and everything else with 503. Against a crowd that makes a healthy process look dead.
const SPARE: usize = 16;
/// Time that a client has to send its one request over such a connection.
const SPARE_TIMEOUT: Duration = Duration::from_secs(2);
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
    pub(super) streams: Arc<Store>,
    pub(super) listeners: Arc<Listeners>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) phase: Phase,
    /// Where its client connected to.
    pub(super) local: Option<IpAddr>,
    /// Whether it is beyond the limit.
    pub(super) is_spare: bool,
}

/// The room for one connection, given back on drop.
struct Place {
    is_spare: bool,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    fn full(permit: OwnedSemaphorePermit) -> Self {
        Self { is_spare: false, _permit: permit }
    }

    fn spare(permit: OwnedSemaphorePermit) -> Self {
        Self { is_spare: true, _permit: permit }
    }
}

/// The room for all connections.
struct Places {
    full: Arc<Semaphore>,
    spare: Arc<Semaphore>,
}

impl Places {
    fn new(settings: &HttpSettings) -> Self {
        let full = Arc::new(Semaphore::new(settings.connections.max(1)));
        Self { full, spare: Arc::new(Semaphore::new(SPARE)) }
    }

    /// Room for one more, if there is some now.
    fn free(&self) -> Option<Place> {
        let spare = || Arc::clone(&self.spare).try_acquire_owned().map(Place::spare);
        Arc::clone(&self.full).try_acquire_owned().map(Place::full).or_else(|_| spare()).ok()
    }
}

/// Serves HTTP on `listener` until `shutdown` is ready. Then it is not ready any more, but serves for
/// `settings.drain_delay`; after that it takes no more connections and lets calls in flight end, within
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
    let streams = Store::new(settings.resume, settings.answers);
    let listeners = Arc::default();
    let shared = Arc::new(Shared { gateway, settings, hosts, bodies, answers, streams, listeners });
    let (stop, stopping) = watch::channel(());
    let places = Places::new(&shared.settings);
    let mut connections = JoinSet::new();
    let told = async {
        shutdown.await;
        shared.gateway.stop();
        tokio::time::sleep(shared.settings.drain_delay).await;
    };
    tokio::select! {
        () = accept(&listener, &places, &shared, &stopping, &mut connections) => {}
        () = told => {}
    }
    accept_rest(listener, &places, &shared, &stopping, &mut connections);
    drop(stop);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(shared.settings.drain, drained).await.is_err() {
        tracing::warn!(connections = connections.len(), "calls still in flight were dropped");
        connections.shutdown().await;
    }
    shared.streams.end().await;
    Ok(())
}

/// Connections that the kernel completed before the listener closes: their clients may have sent a call
/// already, and closing the listener would break them off.
fn accept_rest(
    listener: TcpListener,
    places: &Places,
    shared: &Arc<Shared>,
    stopping: &watch::Receiver<()>,
    connections: &mut JoinSet<()>,
) {
    let Ok(listener) = listener.into_std() else { return };
    while let Some(place) = places.free()
        && let Ok((stream, _)) = listener.accept()
    {
        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
        if let Ok(stream) = stream {
            at_once(&stream);
            connections.spawn(connection(stream, place, Arc::clone(shared), stopping.clone()));
        }
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Places,
    shared: &Arc<Shared>,
    stopping: &watch::Receiver<()>,
    connections: &mut JoinSet<()>,
) {
    let Places { full, spare } = places;
    loop {
        while connections.try_join_next().is_some() {}
        let place = tokio::select! {
            biased;
            Ok(permit) = Arc::clone(full).acquire_owned() => Place::full(permit),
            Ok(permit) = Arc::clone(spare).acquire_owned() => Place::spare(permit),
            else => return,
        };
        match accepted(listener).await {
            Ok(stream) => {
                // Somebody may have left meanwhile.
                let place = Arc::clone(full).try_acquire_owned().map_or(place, Place::full);
                connections.spawn(connection(stream, place, Arc::clone(shared), stopping.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The next connection, over which replies leave at once: a peer that waits for more before it
/// acknowledges would stall each by 40 ms.
async fn accepted(listener: &TcpListener) -> std::io::Result<TcpStream> {
    let (stream, _) = listener.accept().await?;
    at_once(&stream);
    Ok(stream)
}

fn at_once(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "setting TCP_NODELAY");
    }
}

async fn connection(stream: TcpStream, place: Place, shared: Arc<Shared>, mut stopping: watch::Receiver<()>) {
    let is_spare = place.is_spare;
    let local = stream.local_addr().ok().map(|address| address.ip().to_canonical());
    let connection = Arc::new(Connection { phase: Phase::default(), local, is_spare });
    let mut guarded = Guarded::new(stream, Arc::clone(&connection), &shared.settings);
    if is_spare {
        guarded.hurry(SPARE_TIMEOUT);
    }
    let service = service_fn(|request| {
        let (shared, connection) = (Arc::clone(&shared), Arc::clone(&connection));
        async move {
            let busy = Phase::busy(&connection);
            let mut reply = route(&shared, &connection, request).await;
            if let Either::Right(stream) = reply.body_mut() {
                stream.keep(busy);
            }
            Ok::<_, Infallible>(reply)
        }
    });
    let io = TokioIo::new(guarded);
    let mut http = http1::Builder::new();
    http.header_read_timeout(None).max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD).keep_alive(!is_spare);
    let mut served = std::pin::pin!(http.serve_connection(io, service));
    let ended = tokio::select! {
        // First, so that a request which has come is begun before the end is.
        biased;
        ended = served.as_mut() => ended,
        // The sender is dropped when the gateway stops.
        _ = stopping.changed() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %cause(&error), "a connection broke off");
    }
    drop(place);
}

type Cause = dyn std::error::Error + 'static;

/// The innermost cause: `connection error` says nothing, `the client stopped reading` does.
fn cause(error: &Cause) -> &Cause {
    error.source().map_or(error, cause)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[tokio::test]
    async fn replies_are_not_held_back_until_there_is_more_to_send() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        assert!(!client.nodelay().unwrap(), "it is not so by itself");
        assert!(accepted(&listener).await.unwrap().nodelay().unwrap());
    }
}
