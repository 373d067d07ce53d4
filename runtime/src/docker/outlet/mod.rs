//! The only way out of containers whose server has grants of `http` or `tcp`: the gateway itself.
//!
//! They sit on a network of their server's own that leads nowhere. On its address there the gateway answers
//! as an HTTP proxy, which the variables that all clients know point to, and for each host of a `tcp` grant
//! at its port, which the host's name means in the containers. Whatever comes is judged by the policy and
//! goes out by [`Egress`], as it does for components.
//!
//! Only containers of the network are answered, so nobody else on the machine can use what they are granted.
//! Which of them asks is told by a password in the variables; one who does not give it has the same rights,
//! and its denials are the server's.
//!
//! `proxy` HTTP: requests, each an `exchange`, and tunnels, of which those are `judged` whose grants are for
//! some requests · `authority` certificates for them, and `trust` what tells containers of it · `forward` a host
//! of a `tcp` grant.

mod authority;
mod exchange;
mod forward;
mod judged;
mod proxy;
pub(super) mod trust;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;

use self::authority::Authority;
use self::trust::Trust;
use super::engine::DockerEngine;
use super::error::StartError;
use super::network::{Network, Place};
use super::output::Output;
use super::owner::Owner;
use super::spec::WayOut;
use crate::egress::Egress;
use crate::policy::{Host, Policy, TcpGrant};

/// Connections of a server's containers at a time. Against one that takes all descriptors of the gateway.
const MAX_CONNECTIONS: usize = 256;

/// After that long without a sign of life the other side is asked for one, and as often as that; a container
/// that was killed together with its network says no farewell.
const SILENCE: Duration = Duration::from_secs(10);

/// So often it may leave that unanswered.
const UNANSWERED: u32 = 3;

/// Time until the next connection is taken, after one could not be.
const PAUSE: Duration = Duration::from_millis(100);

/// Connections that wait to be taken.
const BACKLOG: u32 = 1024;

/// Bytes of a container's password.
const PASSWORD: usize = 16;

/// The way out of a server's containers.
pub(super) struct Outlet {
    proxy: SocketAddr,
    hosts: Vec<String>,
    passes: Arc<Passes>,
    _listeners: JoinSet<()>,
    /// Where some of its tunnels must be judged.
    trust: Option<Trust>,
    /// Goes last.
    network: Network,
}

/// What all connections have in common.
struct Shared {
    policy: Arc<Policy>,
    egress: Egress,
    place: Place,
    /// Whether the machine gets its address there only with the first container.
    is_late: bool,
    authority: Authority,
    /// Hears of what nobody knows the container.
    server: Arc<Output>,
    passes: Arc<Passes>,
    connections: Arc<Semaphore>,
}

/// The containers by their passwords.
#[derive(Default)]
struct Passes(Mutex<HashMap<String, Weak<Output>>>);

/// A container's password, until it ends.
pub(super) struct Pass {
    password: String,
    passes: Arc<Passes>,
}

/// What one address of the gateway is for.
enum Door {
    Proxy,
    Forward(TcpGrant),
}

impl Outlet {
    /// Opens one where grants ask for it, for containers of `image`. `server` hears what belongs to none.
    pub(super) async fn open(
        engine: &DockerEngine,
        owner: &Owner,
        image: &str,
        policy: &Arc<Policy>,
        egress: &Egress,
        server: Arc<Output>,
    ) -> Result<Option<Self>, StartError> {
        let (http, tcp) = (policy.grants.http(), policy.grants.tcp());
        if http.is_empty() && tcp.is_empty() {
            return Ok(None);
        }
        check_ports(tcp)?;
        let authority = Authority::new(&owner.server)
            .map_err(|error| StartError::Authority { cause: error.to_string() })?;
        let trust = if policy.grants.judges_tunnels() {
            Some(Trust::place(engine, owner, image, authority.bundle(egress.options())).await?)
        } else {
            None
        };
        let network = Network::make(engine, owner).await?;
        let place = network.place();
        let passes = Arc::<Passes>::default();
        let shared = Arc::new(Shared {
            policy: Arc::clone(policy),
            egress: egress.clone(),
            place,
            is_late: engine.is_podman().await,
            authority,
            server,
            passes: Arc::clone(&passes),
            connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        });
        let mut listeners = JoinSet::new();
        let proxy = open(place, 0, Door::Proxy, &shared, &mut listeners).await?;
        let mut hosts = BTreeSet::new();
        for grant in named(tcp) {
            open(place, grant.port(), Door::Forward(grant.clone()), &shared, &mut listeners).await?;
            hosts.insert(format!("{}:{}", grant.host(), place.gateway));
        }
        let hosts = hosts.into_iter().collect();
        Ok(Some(Self { proxy, hosts, passes, _listeners: listeners, trust, network }))
    }

    /// A pass for a container, and what tells it the way.
    pub(super) fn admit(&self, output: &Arc<Output>) -> (Pass, WayOut) {
        let mut bytes = [0; PASSWORD];
        let password = match getrandom::fill(&mut bytes) {
            Ok(()) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            // Without one its denials are the server's, and nothing else is lost.
            Err(_) => String::new(),
        };
        self.passes.all().insert(password.clone(), Arc::downgrade(output));
        let way = self.way(&format!("toolgate:{password}@"));
        (Pass { password, passes: Arc::clone(&self.passes) }, way)
    }

    /// What tells containers the way, without a password.
    pub(super) fn shown(&self) -> WayOut {
        self.way("")
    }

    fn way(&self, user: &str) -> WayOut {
        let proxy = format!("http://{user}{}", self.proxy);
        let trust = self.trust.as_ref().map(|trust| trust.volume().to_owned());
        WayOut { network: self.network.name().to_owned(), hosts: self.hosts.clone(), proxy, trust }
    }
}

/// Grants of hosts that a container knows by name; an address it would look for on its own network.
fn named(tcp: &[TcpGrant]) -> impl Iterator<Item = &TcpGrant> {
    tcp.iter().filter(|grant| matches!(grant.host(), Host::Name(_)))
}

/// By its port alone a connection says which host it is for.
fn check_ports(tcp: &[TcpGrant]) -> Result<(), StartError> {
    let mut seen: HashMap<u16, &TcpGrant> = HashMap::new();
    for grant in named(tcp) {
        if let Some(other) = seen.insert(grant.port(), grant) {
            return Err(StartError::SamePort { one: other.to_string(), other: grant.to_string() });
        }
    }
    Ok(())
}

async fn open(
    place: Place,
    port: u16,
    door: Door,
    shared: &Arc<Shared>,
    listeners: &mut JoinSet<()>,
) -> Result<SocketAddr, StartError> {
    let wanted = SocketAddrV4::new(place.gateway, port);
    let failed = |error| StartError::Outlet { address: wanted.into(), cause: why(&error) };
    let listener = match TcpListener::bind(wanted).await {
        Err(error) if shared.is_late && error.kind() == io::ErrorKind::AddrNotAvailable => bind_ahead(wanted),
        bound => bound,
    };
    let listener = listener.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    listeners.spawn(accept(listener, Arc::new(door), Arc::clone(shared)));
    Ok(address)
}

/// Listens at an address that the machine is yet to get.
fn bind_ahead(wanted: SocketAddrV4) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    sockopt::set_ip_freebind(&socket, true)?;
    socket.bind(wanted.into())?;
    socket.listen(BACKLOG)
}

/// Why the gateway can't listen, with what to do about it.
fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => {
            "that is no address of this machine; run the gateway on the engine's, \
             and where it is in a container itself, with the host's network"
                .to_owned()
        }
        io::ErrorKind::AddrInUse => "something else listens there, or on all addresses".to_owned(),
        _ => error.to_string(),
    }
}

async fn accept(listener: TcpListener, door: Arc<Door>, shared: Arc<Shared>) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        if !shared.place.has_container_at(peer.ip()) {
            continue;
        }
        let Ok(permit) = Arc::clone(&shared.connections).try_acquire_owned() else { continue };
        if watch_over(&stream).is_ok() {
            tokio::spawn(enter(stream, Arc::clone(&door), Arc::clone(&shared), permit));
        }
    }
}

async fn enter(stream: TcpStream, door: Arc<Door>, shared: Arc<Shared>, permit: OwnedSemaphorePermit) {
    match &*door {
        Door::Proxy => proxy::serve(stream, shared, permit).await,
        Door::Forward(grant) => forward::serve(stream, grant, &shared).await,
    }
}

/// Ends a connection whose other side is gone without a word.
fn watch_over(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, SILENCE)?;
    sockopt::set_tcp_keepintvl(stream, SILENCE)?;
    sockopt::set_tcp_keepcnt(stream, UNANSWERED)?;
    Ok(())
}

impl Passes {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Weak<Output>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn whose(&self, password: &str) -> Option<Arc<Output>> {
        self.all().get(password)?.upgrade()
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.passes.all().remove(&self.password);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed parse is a failed test")]
    use super::*;

    #[test]
    fn a_gateway_that_is_elsewhere_is_told_where_to_be() {
        // An address for documentation, RFC 5737: no machine has it.
        let error = std::net::TcpListener::bind("192.0.2.1:0").unwrap_err();
        assert!(why(&error).contains("run the gateway on the engine's"), "{}", why(&error));
    }

    #[tokio::test]
    async fn an_address_that_the_machine_is_yet_to_get_is_listened_at() {
        let wanted = SocketAddrV4::new([192, 0, 2, 1].into(), 0);
        assert!(TcpListener::bind(wanted).await.is_err());
        let listener = bind_ahead(wanted).unwrap();
        assert_eq!(listener.local_addr().unwrap().ip().to_string(), "192.0.2.1");
    }

    #[test]
    fn two_hosts_at_one_port_cannot_be_told_apart() {
        let grants = |all: &[&str]| all.iter().map(|text| TcpGrant::parse(text).unwrap()).collect::<Vec<_>>();
        assert!(check_ports(&grants(&["a.internal:5432", "b.internal:5433", "10.0.0.1:5432"])).is_ok());
        let error = check_ports(&grants(&["a.internal:5432", "b.internal:5432"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the tcp grants a.internal:5432 and b.internal:5432 have one port, by which a container can't tell them apart"
        );
    }
}
