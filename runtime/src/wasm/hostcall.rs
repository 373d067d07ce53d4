//! What a guest makes the host do: how long host calls hold a thread, and how much they copy.
//!
//! Fuel does not count the host's work. A guest that does nothing but call the host burns a few
//! units for each call, so it would reach the next yield only after many thousand of them, and
//! each may copy megabytes. Therefore every return from a host call looks at the clock, and what
//! is copied out of a guest is bounded for a host call separately from its result, which may be
//! as large as `limits.output` allows.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use wasmtime::{CallHook, CallHookHandler, Store, StoreContextMut};

use super::state::State;

/// Time that a guest may hold a thread with host calls before others get their turn.
const SLICE: Duration = Duration::from_micros(250);

/// Bytes that a guest may pass to one host call: the largest write to a stream, and some. Copying
/// them takes less than a millisecond.
const MAX_COPIED: usize = 2 * 1024 * 1024;

/// The host calls of one call.
#[derive(Debug)]
pub(super) struct HostCalls {
    /// Bytes of host memory that the result may take. Without this, lists that share their memory
    /// could make the host allocate without end.
    result: usize,
    /// When others last had their turn, as far as is known here.
    since: Instant,
}

impl HostCalls {
    /// For a result that may take so many bytes as values.
    pub(super) fn new(result: u64) -> Self {
        Self { result: usize::try_from(result).unwrap_or(usize::MAX), since: Instant::now() }
    }
}

/// Bounds the host calls made in `store`.
pub(super) fn bound(store: &mut Store<State>) {
    let result = store.data().hostcalls.result;
    store.set_hostcall_fuel(result);
    store.call_hook_async(Bound);
}

struct Bound;

#[async_trait]
impl CallHookHandler<State> for Bound {
    async fn handle_call_event(
        &self,
        mut store: StoreContextMut<'_, State>,
        event: CallHook,
    ) -> wasmtime::Result<()> {
        match event {
            CallHook::CallingHost => store.set_hostcall_fuel(MAX_COPIED),
            CallHook::ReturningFromHost => {
                let result = store.data().hostcalls.result;
                store.set_hostcall_fuel(result);
                if store.data().hostcalls.since.elapsed() > SLICE {
                    tokio::task::yield_now().await;
                    store.data_mut().hostcalls.since = Instant::now();
                }
            }
            CallHook::CallingWasm | CallHook::ReturningFromWasm => {}
        }
        Ok(())
    }
}
