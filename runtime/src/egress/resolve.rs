//! Names to addresses that may be connected to.
//!
//! Every address of an answer is judged, and one that is refused refuses the host: a name that
//! points both outside and inside is either an attack or a mistake, and picking the good half
//! would hide it from the operator. The judged addresses are all that connections ever use.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::Step;
use super::{Egress, EgressError};
use crate::policy::{Host, Networks};

/// Turns names into addresses.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// All addresses of a name, in the order to try them. Goes on when nobody waits for the answer
    /// any more, so it must end by itself.
    ///
    /// # Errors
    /// Whatever the resolver says.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The resolver of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

/// Lookups at a time. Each holds a thread until the system's own timeout, also when nobody waits
/// any more; against guests that occupy all threads with names that never resolve.
pub(super) const MAX_LOOKUPS: usize = 128;

/// Lookups of one server at a time. Against a server whose names never resolve and which would
/// leave none to the others.
pub(super) const MAX_LOOKUPS_OF_SERVER: usize = 16;

/// Lookups of one call at a time. Against the same among the calls of a server.
pub(super) const MAX_LOOKUPS_OF_CALL: usize = 4;

/// Addresses of one name that are used. Against an answer that makes connecting an endless loop.
const MAX_ADDRESSES: usize = 16;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let name = name.to_owned();
        let lookup = tokio::task::spawn_blocking(move || {
            let found = (name.as_str(), 0).to_socket_addrs();
            found.map(|addresses| addresses.map(|address| address.ip()).collect())
        });
        lookup.await.map_err(io::Error::other)?
    }
}

/// Whose lookups are bounded together, from the narrowest to the process. Cheap to clone.
#[derive(Clone)]
pub(super) struct Turns {
    call: Option<Arc<Semaphore>>,
    server: Option<Arc<Semaphore>>,
    process: Arc<Semaphore>,
}

/// A turn, until it is dropped.
type Turn = Vec<OwnedSemaphorePermit>;

impl Turns {
    pub(super) fn of_process() -> Self {
        Self { call: None, server: None, process: Arc::new(Semaphore::new(MAX_LOOKUPS)) }
    }

    pub(super) fn of_server(&self) -> Self {
        let server = Some(Arc::new(Semaphore::new(MAX_LOOKUPS_OF_SERVER)));
        Self { call: None, server, process: self.process.clone() }
    }

    pub(super) fn of_call(&self) -> Self {
        Self { call: Some(Arc::new(Semaphore::new(MAX_LOOKUPS_OF_CALL))), ..self.clone() }
    }

    /// Waits at the narrowest bound first, so that who waits takes nothing from the others.
    async fn take(&self) -> io::Result<Turn> {
        let mut turn = Turn::with_capacity(3);
        let bounds = [self.call.as_ref(), self.server.as_ref(), Some(&self.process)];
        for bound in bounds.into_iter().flatten() {
            turn.push(Arc::clone(bound).acquire_owned().await.map_err(io::Error::other)?);
        }
        Ok(turn)
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
        let answer = tokio::time::timeout(limit, self.ask(name)).await;
        let answer = answer.map_err(|_| EgressError::Timeout { what: Step::Resolve, limit })?;
        let answer = answer.map_err(|error| failed(Some(error)))?;
        // Mapped addresses are the IPv4 machines inside; judged and connected to as such.
        let addresses: Vec<IpAddr> = answer.iter().map(IpAddr::to_canonical).collect();
        if addresses.is_empty() { Err(failed(None)) } else { Ok(addresses) }
    }

    /// Asks the resolver in turn. A question that was asked keeps its turn until it is answered,
    /// also when nobody waits for the answer any more: so long it holds a thread.
    async fn ask(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let turn = self.turns.take().await?;
        let (resolver, name) = (self.resolver.clone(), name.to_owned());
        let question = tokio::spawn(async move {
            let answer = resolver.resolve(&name).await;
            drop(turn);
            answer
        });
        question.await.map_err(io::Error::other)?
    }
}

/// The first address that a grant does not let anyone connect to.
pub(crate) fn refused(addresses: &[IpAddr], networks: &Networks) -> Option<IpAddr> {
    addresses.iter().copied().find(|ip| !networks.permit(*ip))
}
