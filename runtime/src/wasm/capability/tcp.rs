//! `tcp`: connections to what the policy grants. UDP and listening are never granted.
//!
//! wasmtime-wasi has one switch for all names and one check for all addresses, so names are
//! replaced here: only granted hosts resolve, through egress, and what they resolved to is
//! remembered for this call. A connection is allowed to exactly those addresses, each with the
//! port of the grant that its name came from, and to addresses that a grant spells out.

mod lookup;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p2::bindings::sockets;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};
use wasmtime_wasi::p2::{TcpSocket, UdpSocket};
use wasmtime_wasi::sockets::{SocketAddrUse, WasiSockets, WasiSocketsView};

use super::Denials;
use crate::egress::{self, Egress, EgressError, Step};
use crate::events::Denial;
use crate::policy::tcp::denied_address;
use crate::policy::{Host, Policy};
use crate::wasm::descriptors::{Descriptor, Descriptors};
use crate::wasm::state::State;

/// Addresses that one call may learn. Against a guest that resolves without end.
const MAX_RESOLVED: usize = 1024;

/// Sockets that one call may create. Against a guest that takes all file descriptors.
const MAX_SOCKETS: usize = 128;

/// The same without any grant: enough to tell the operator where the guest wanted to connect.
const MAX_REFUSED_SOCKETS: usize = 8;

/// The interface version that wasmtime-wasi links; components of every 0.2 find it.
const VERSION: &str = "0.2.12";

/// The state of one call.
#[derive(Clone)]
pub(in crate::wasm) struct Tcp(Arc<Inner>);

struct Inner {
    policy: Arc<Policy>,
    egress: Arc<Egress>,
    /// The same for this call, made for its first lookup.
    of_call: OnceLock<Egress>,
    denials: Denials,
    resolved: Mutex<Vec<Resolved>>,
    sockets: AtomicUsize,
    descriptors: Descriptors,
    /// One for each socket, until the call ends: it may keep what it shut.
    held: Mutex<Vec<Descriptor>>,
}

/// An address that a granted host resolved to in this call.
struct Resolved {
    address: SocketAddr,
    host: Host,
}

impl Tcp {
    pub(in crate::wasm) fn new(
        policy: &Arc<Policy>,
        egress: &Arc<Egress>,
        descriptors: Descriptors,
        denials: Denials,
    ) -> Self {
        let (policy, egress) = (policy.clone(), egress.clone());
        Self(Arc::new(Inner {
            policy,
            egress,
            of_call: OnceLock::new(),
            denials,
            resolved: Mutex::default(),
            sockets: AtomicUsize::new(0),
            descriptors,
            held: Mutex::default(),
        }))
    }

    /// Sets what wasmtime-wasi checks by itself.
    pub(in crate::wasm) fn configure(&self, wasi: &mut WasiCtxBuilder) {
        let own = self.clone();
        wasi.allow_ip_name_lookup(false).allow_udp(false).allow_tcp(true).socket_addr_check(
            move |address, usage| {
                let allowed = own.permits(address, usage);
                Box::pin(async move { allowed })
            },
        );
    }

    fn permits(&self, address: SocketAddr, usage: SocketAddrUse) -> bool {
        match usage {
            SocketAddrUse::TcpConnect => self.may_connect(address),
            // The implicit one of a connect. Without a port it reaches nobody and nobody reaches it.
            SocketAddrUse::TcpBind if address.ip().is_unspecified() && address.port() == 0 => true,
            SocketAddrUse::TcpBind | SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => {
                self.refuse("listen", format!("listen on {address}"), "no tool may listen")
            }
            SocketAddrUse::UdpBind | SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => {
                self.refuse("udp", format!("udp {address}"), "no tool may use UDP")
            }
        }
    }

    fn may_connect(&self, address: SocketAddr) -> bool {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let resolved = self.0.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        if resolved.iter().any(|known| known.address == address) {
            return true;
        }
        let from = resolved.iter().find(|known| known.address.ip() == address.ip());
        let judged = self.0.policy.grants.allow_address(address, from.map(|known| &known.host));
        judged.map_err(|denial| self.0.denials.tell(&denial)).is_ok()
    }

    /// Resolves a granted name and remembers its addresses.
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ErrorCode> {
        let Inner { policy, egress, of_call, denials, .. } = &*self.0;
        let grants = policy.grants.allow_name(name).map_err(|denial| {
            denials.tell(&denial);
            ErrorCode::AccessDenied
        })?;
        let host = grants.first().map(|grant| grant.host()).ok_or(ErrorCode::AccessDenied)?;
        let egress = of_call.get_or_init(|| egress.for_call());
        let addresses = egress.resolve_unjudged(host).await.map_err(readable)?;
        let mut reachable = false;
        for grant in grants {
            match egress::refused(&addresses, grant.networks()) {
                Some(ip) => denials.tell(&denied_address(grant, ip)),
                None => {
                    reachable = true;
                    self.remember(&addresses, grant.port(), host);
                }
            }
        }
        if reachable { Ok(addresses) } else { Err(ErrorCode::AccessDenied) }
    }

    fn remember(&self, addresses: &[IpAddr], port: u16, host: &Host) {
        let mut resolved = self.0.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        for ip in addresses {
            let address = SocketAddr::new(*ip, port);
            let known = resolved.iter().any(|known| known.address == address);
            if !known && resolved.len() < MAX_RESOLVED {
                resolved.push(Resolved { address, host: host.clone() });
            }
        }
    }

    fn refuse(&self, capability: &'static str, attempt: String, reason: &str) -> bool {
        let reason = reason.to_owned();
        self.0.denials.tell(&Denial { capability, attempt, reason, allow: None });
        false
    }

    /// Counts a socket that is about to be created.
    fn may_create(&self) -> bool {
        let limit = if self.0.policy.grants.tcp().is_empty() { MAX_REFUSED_SOCKETS } else { MAX_SOCKETS };
        if self.0.sockets.fetch_add(1, Ordering::Relaxed) >= limit {
            return false;
        }
        let Some(descriptor) = self.0.descriptors.take() else {
            return self.refuse("tcp", "open a TCP socket".to_owned(), &self.0.descriptors.spent());
        };
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner).push(descriptor);
        true
    }
}

/// Links `wasi:sockets`.
pub(in crate::wasm) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let options = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<_, WasiSockets>(linker, &options, State::sockets)?;
    sockets::instance_network::add_to_linker::<_, WasiSockets>(linker, State::sockets)?;
    sockets::tcp::add_to_linker::<_, WasiSockets>(linker, State::sockets)?;
    sockets::udp::add_to_linker::<_, WasiSockets>(linker, State::sockets)?;
    lookup::add_to_linker(linker)?;
    linker.instance(&interface("tcp-create-socket"))?.func_wrap("create-tcp-socket", create_tcp_socket)?;
    linker.instance(&interface("udp-create-socket"))?.func_wrap("create-udp-socket", create_udp_socket)
}

fn interface(name: &str) -> String {
    format!("wasi:sockets/{name}@{VERSION}")
}

type Created<T> = wasmtime::Result<(Result<Resource<T>, ErrorCode>,)>;

fn create_tcp_socket(
    mut store: StoreContextMut<'_, State>,
    (family,): (IpAddressFamily,),
) -> Created<TcpSocket> {
    let state = store.data_mut();
    if !state.tcp.may_create() {
        return Ok((Err(ErrorCode::NewSocketLimit),));
    }
    let created = sockets::tcp_create_socket::Host::create_tcp_socket(&mut state.sockets(), family);
    Ok((created.map(Ok).or_else(|error| error.downcast().map(Err))?,))
}

fn create_udp_socket(
    mut store: StoreContextMut<'_, State>,
    (_family,): (IpAddressFamily,),
) -> Created<UdpSocket> {
    let tcp = &store.data_mut().tcp;
    tcp.refuse("udp", "open a UDP socket".to_owned(), "no tool may use UDP");
    Ok((Err(ErrorCode::AccessDenied),))
}

/// What the guest reads when a granted name does not resolve.
fn readable(error: EgressError) -> ErrorCode {
    match error {
        EgressError::Timeout { what: Step::Resolve, .. } => ErrorCode::TemporaryResolverFailure,
        _ => ErrorCode::NameUnresolvable,
    }
}

#[cfg(test)]
mod tests;
