//! The state of one call: all that its store holds, made fresh and dropped at the end.

use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::capability::Denials;
use super::capability::env::Env;
use super::capability::files::{self, Files};
use super::capability::http::Http;
use super::capability::stdio::Stream;
use super::capability::tcp::Tcp;
use super::descriptors::Descriptors;
use super::engine::{Metering, YIELD_INTERVAL};
use super::hostcall::{self, HostCalls};
use super::meter::Meter;
use crate::capture::Capture;
use crate::egress::Egress;
use crate::events::{Observer, Stdio};
use crate::notice::Notices;
use crate::policy::Policy;
use crate::secret::{Secret, Shield};

/// Bytes of random data that a guest may ask for at a time. Against one huge allocation here.
const MAX_RANDOM: u64 = 1024 * 1024;

/// Handles that guests may pass between their own components, which no `limits.handles` counts.
pub(super) const MAX_GUEST_HANDLES: usize = 10_000;

/// What the policy grants to one server, checked and opened when it was prepared.
pub(super) struct Grants {
    pub(super) env: Env,
    pub(super) files: Files,
    pub(super) egress: Arc<Egress>,
    pub(super) descriptors: Descriptors,
}

/// What differs from call to call.
pub(super) struct Given {
    pub(super) observer: Arc<dyn Observer>,
    /// The variables that are secret, as they are now.
    pub(super) secrets: Vec<(String, Secret)>,
    /// Bytes of host memory that the result may take as values.
    pub(super) result: u64,
    /// What the caller wants to hear meanwhile.
    pub(super) notices: Option<Notices>,
}

/// The data of a call's store.
pub(super) struct State {
    pub(super) table: ResourceTable,
    pub(super) wasi: WasiCtx,
    pub(super) meter: Meter,
    pub(super) hostcalls: HostCalls,
    pub(super) stdio: Capture,
    pub(super) denials: Denials,
    pub(super) env: Env,
    pub(super) files: files::Call,
    pub(super) http: Http,
    pub(super) tcp: Tcp,
    pub(super) notices: Option<Notices>,
}

impl State {
    fn new(grants: &Grants, policy: &Arc<Policy>, given: Given) -> Self {
        let limits = &policy.limits;
        let observer = Shield::of(given.secrets.iter().map(|(_, secret)| secret)).before(given.observer);
        let denials = Denials::new(observer.clone());
        let stdio = Capture::new(observer, limits.stdio);
        let env = grants.env.with(given.secrets);
        let tcp = Tcp::new(policy, &grants.egress, grants.descriptors.clone(), denials.clone());
        let mut wasi = WasiCtx::builder();
        wasi.max_random_size(MAX_RANDOM)
            .stdout(Stream::of(&stdio, Stdio::Out))
            .stderr(Stream::of(&stdio, Stdio::Err));
        env.configure(&mut wasi);
        tcp.configure(&mut wasi);
        let mut table = ResourceTable::new();
        table.set_max_capacity(as_usize(limits.handles.into()));
        Self {
            table,
            wasi: wasi.build(),
            meter: Meter::new(limits),
            hostcalls: HostCalls::new(given.result),
            stdio,
            http: Http::new(policy, &grants.egress, grants.descriptors.clone(), denials.clone()),
            tcp,
            denials,
            env,
            files: grants.files.start(limits.disk),
            notices: given.notices,
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Makes the store of one call, with every limit set.
///
/// # Errors
/// None that a guest or caller could cause.
pub(super) fn store(
    metering: Metering,
    engine: &wasmtime::Engine,
    grants: &Grants,
    policy: &Arc<Policy>,
    given: Given,
) -> wasmtime::Result<Store<State>> {
    let limits = &policy.limits;
    let state = State::new(grants, policy, given);
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.meter);
    match metering {
        Metering::Fuel => {
            store.set_fuel(limits.fuel)?;
            store.fuel_async_yield_interval(Some(YIELD_INTERVAL))?;
        }
        Metering::Epoch => store.epoch_deadline_async_yield_and_update(1),
    }
    hostcall::bound(&mut store);
    store.set_max_component_handles(MAX_GUEST_HANDLES);
    Ok(store)
}

fn as_usize(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
