//! Names to addresses that may be connected to.
//!
//! Every address of an answer is judged, and one that is refused refuses the host: a name that
//! points both outside and inside is either an attack or a mistake, and picking the good half
//! would hide it from the operator. The judged addresses are all that connections ever use.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::error::Step;
use super::{Egress, EgressError};
use crate::policy::{Host, Networks};

/// Turns names into addresses.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// All addresses of a name, in the order to try them.
    ///
    /// # Errors
    /// Whatever the resolver says.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The resolver of the operating system.
pub struct SystemResolver {
    lookups: Arc<Semaphore>,
}

/// Lookups at a time. Each holds a thread until the system's own timeout, also when nobody waits
/// any more; against guests that occupy all threads with names that never resolve.
const MAX_LOOKUPS: usize = 64;

/// Addresses of one name that are used. Against an answer that makes connecting an endless loop.
const MAX_ADDRESSES: usize = 16;

impl Default for SystemResolver {
    fn default() -> Self {
        Self { lookups: Arc::new(Semaphore::new(MAX_LOOKUPS)) }
    }
}

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let permit = Arc::clone(&self.lookups).acquire_owned().await;
        let permit = permit.map_err(io::Error::other)?;
        let name = name.to_owned();
        let lookup = tokio::task::spawn_blocking(move || {
            let found = (name.as_str(), 0).to_socket_addrs();
            drop(permit);
            found.map(|addresses| addresses.map(|address| address.ip()).collect())
        });
        lookup.await.map_err(io::Error::other)?
    }
}

impl Egress {
    /// The addresses of a host, all of them public or named by the grant. Never empty.
    ///
    /// # Errors
    /// [`EgressError::Address`] if any address is neither; otherwise what the resolver says.
    pub async fn resolve(&self, host: &Host, networks: &Networks) -> Result<Vec<IpAddr>, EgressError> {
        let addresses = self.resolve_unjudged(host).await?;
        match refused(&addresses, networks) {
            Some(ip) => Err(EgressError::Address { host: host.to_string(), ip }),
            None => Ok(addresses),
        }
    }

    /// The addresses of a host as the resolver gives them, for callers that judge them by several
    /// grants. Never empty; nothing may connect to them before [`refused`] says `None`.
    ///
    /// # Errors
    /// What the resolver says.
    pub(crate) async fn resolve_unjudged(&self, host: &Host) -> Result<Vec<IpAddr>, EgressError> {
        let mut addresses = match host {
            Host::Ip(ip) => vec![*ip],
            Host::Name(name) => self.lookup(name).await?,
        };
        addresses.truncate(MAX_ADDRESSES);
        Ok(addresses)
    }

    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, EgressError> {
        let limit = self.options.resolve_timeout;
        let failed = |source| EgressError::Resolve { host: name.to_owned(), source };
        let answer = tokio::time::timeout(limit, self.resolver.resolve(name)).await;
        let answer = answer.map_err(|_| EgressError::Timeout { what: Step::Resolve, limit })?;
        let answer = answer.map_err(|error| failed(Some(error)))?;
        // Mapped addresses are the IPv4 machines inside; judged and connected to as such.
        let addresses: Vec<IpAddr> = answer.iter().map(IpAddr::to_canonical).collect();
        if addresses.is_empty() { Err(failed(None)) } else { Ok(addresses) }
    }
}

/// The first address that a grant does not let anyone connect to.
pub(crate) fn refused(addresses: &[IpAddr], networks: &Networks) -> Option<IpAddr> {
    addresses.iter().copied().find(|ip| !networks.permit(*ip))
}
