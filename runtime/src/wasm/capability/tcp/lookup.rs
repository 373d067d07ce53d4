//! `wasi:sockets/ip-name-lookup` for granted names only.
//!
//! It stands in for wasmtime-wasi's, which resolves every name or none.

use std::net::IpAddr;
use std::pin::Pin;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress};
use wasmtime_wasi::p2::{DynPollable, Network, Pollable, subscribe};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, poll_noop, spawn};

use super::interface;
use crate::wasm::state::State;

type Found = Result<std::vec::IntoIter<IpAddr>, ErrorCode>;

/// The addresses of one lookup, on their way or there.
enum Addresses {
    Pending(AbortOnDropJoinHandle<Found>),
    Ready(Found),
}

#[async_trait]
impl Pollable for Addresses {
    async fn ready(&mut self) {
        if let Self::Pending(task) = self {
            *self = Self::Ready(task.await);
        }
    }
}

impl Addresses {
    fn next(&mut self) -> Result<Option<IpAddress>, ErrorCode> {
        if let Self::Pending(task) = self
            && let Some(found) = poll_noop(Pin::new(task))
        {
            *self = Self::Ready(found);
        }
        match self {
            Self::Pending(_) => Err(ErrorCode::WouldBlock),
            Self::Ready(Ok(addresses)) => Ok(addresses.next().map(IpAddress::from)),
            Self::Ready(Err(code)) => Err(*code),
        }
    }
}

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut lookup = linker.instance(&interface("ip-name-lookup"))?;
    let stream = ResourceType::host::<Addresses>();
    lookup.resource("resolve-address-stream", stream, |mut store, rep| {
        store.data_mut().table.delete(Resource::<Addresses>::new_own(rep))?;
        Ok(())
    })?;
    lookup.func_wrap("resolve-addresses", resolve_addresses)?;
    lookup.func_wrap("[method]resolve-address-stream.resolve-next-address", next_address)?;
    lookup.func_wrap("[method]resolve-address-stream.subscribe", poll_address)
}

type Started = Result<Resource<Addresses>, ErrorCode>;

fn resolve_addresses(
    mut store: StoreContextMut<'_, State>,
    (network, name): (Resource<Network>, String),
) -> wasmtime::Result<(Started,)> {
    let state = store.data_mut();
    // The network stands for the right to use it.
    state.table.get(&network)?;
    let tcp = state.tcp.clone();
    let task = spawn(async move { tcp.resolve(&name).await.map(Vec::into_iter) });
    Ok((Ok(state.table.push(Addresses::Pending(task))?),))
}

fn next_address(
    mut store: StoreContextMut<'_, State>,
    (stream,): (Resource<Addresses>,),
) -> wasmtime::Result<(Result<Option<IpAddress>, ErrorCode>,)> {
    Ok((store.data_mut().table.get_mut(&stream)?.next(),))
}

fn poll_address(
    mut store: StoreContextMut<'_, State>,
    (stream,): (Resource<Addresses>,),
) -> wasmtime::Result<(Resource<DynPollable>,)> {
    Ok((subscribe(&mut store.data_mut().table, stream)?,))
}
