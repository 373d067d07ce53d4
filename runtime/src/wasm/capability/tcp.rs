//! `tcp`: connections to what the policy grants. UDP and listening are never granted.

use std::sync::Arc;

use wasmtime::component::Linker;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p2::bindings::sockets;
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView};

use super::Denials;
use crate::policy::Policy;
use crate::wasm::state::State;

/// The state of one call.
pub(in crate::wasm) struct Tcp {
    _denials: Denials,
}

impl Tcp {
    pub(in crate::wasm) fn new(_policy: &Arc<Policy>, denials: Denials) -> Self {
        Self { _denials: denials }
    }

    /// Sets what wasmtime-wasi checks by itself.
    pub(in crate::wasm) fn configure(&self, wasi: &mut WasiCtxBuilder) {
        wasi.allow_ip_name_lookup(false).allow_udp(false).allow_tcp(false);
    }
}

/// Links `wasi:sockets`.
pub(in crate::wasm) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let options = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<_, WasiSockets>(linker, &options, State::sockets)?;
    sockets::instance_network::add_to_linker::<_, WasiSockets>(linker, State::sockets)?;
    sockets::ip_name_lookup::add_to_linker::<_, WasiSockets>(linker, State::sockets)?;
    sockets::tcp_create_socket::add_to_linker::<_, WasiSockets>(linker, State::sockets)?;
    sockets::tcp::add_to_linker::<_, WasiSockets>(linker, State::sockets)?;
    sockets::udp_create_socket::add_to_linker::<_, WasiSockets>(linker, State::sockets)?;
    sockets::udp::add_to_linker::<_, WasiSockets>(linker, State::sockets)
}
