//! What a call uses: memory and tables while it runs, and the account that is told at its end.
//!
//! The [`Meter`] is asked by wasmtime before anything grows. The [`Account`] owns the call's store
//! and tells its usage when it is dropped, so that every call is accounted for exactly once,
//! whether it returned, failed, or was dropped midway because the client went away.

use std::sync::Arc;
use std::time::Instant;

use wasmtime::{ResourceLimiter, Store};

use super::pool::TABLE_ELEMENTS;
use super::state::State;
use crate::events::{Backend, Observer, Usage};
use crate::limits::Limits;

/// Bytes that one table element takes: a pointer.
pub(super) const TABLE_ELEMENT: usize = 8;

/// Sums the bytes of all memories and tables of one call.
#[derive(Debug)]
pub(super) struct Meter {
    limit: u64,
    instances: u32,
    tables: u32,
    memories: u32,
    used: u64,
    peak: u64,
    last: u64,
    refused: bool,
}

impl Meter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            limit: limits.memory,
            instances: limits.instances,
            tables: limits.tables,
            memories: limits.memories,
            used: 0,
            peak: 0,
            last: 0,
            refused: false,
        }
    }

    fn grow(&mut self, by: u64) -> bool {
        let wanted = self.used.saturating_add(by);
        if wanted > self.limit {
            self.refused = true;
            self.last = 0;
            return false;
        }
        self.used = wanted;
        self.last = by;
        self.peak = self.peak.max(wanted);
        true
    }

    /// The growth that was just granted did not happen after all.
    fn undo(&mut self) {
        self.used = self.used.saturating_sub(self.last);
        self.last = 0;
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        Ok(self.grow(bytes(desired.saturating_sub(current))))
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.undo();
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS || maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let elements = desired.saturating_sub(current);
        Ok(self.grow(bytes(elements.saturating_mul(TABLE_ELEMENT))))
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.undo();
        Ok(())
    }

    fn instances(&self) -> usize {
        count(self.instances)
    }

    fn tables(&self) -> usize {
        count(self.tables)
    }

    fn memories(&self) -> usize {
        count(self.memories)
    }
}

fn bytes(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

fn count(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// The account of one call, told to its observer when it is dropped.
pub(super) struct Account {
    observer: Arc<dyn Observer>,
    started: Instant,
    /// Fuel that the call may burn, if that is metered.
    budget: Option<u64>,
    bytes_in: u64,
    bytes_out: u64,
    store: Option<Store<State>>,
}

impl Account {
    pub(super) fn open(observer: Arc<dyn Observer>, budget: Option<u64>, arguments: &str) -> Self {
        Self {
            observer,
            started: Instant::now(),
            budget,
            bytes_in: bytes(arguments.len()),
            bytes_out: 0,
            store: None,
        }
    }

    pub(super) fn started(&self) -> Instant {
        self.started
    }

    pub(super) fn answered(&mut self, bytes_out: usize) {
        self.bytes_out = bytes(bytes_out);
    }

    /// Takes the store in, to read from it at the end what it used.
    pub(super) fn run_in(&mut self, store: Store<State>) -> &mut Store<State> {
        self.store.insert(store)
    }

    /// Whether memory was refused to the guest.
    pub(super) fn refused(&self) -> bool {
        let store = self.store.as_ref();
        store.is_some_and(|store| store.data().meter.refused)
    }

    fn usage(&self) -> Usage {
        let burned = |budget: u64| {
            let left = self.store.as_ref().and_then(|store| store.get_fuel().ok());
            left.map_or(0, |left| budget.saturating_sub(left))
        };
        Usage {
            fuel: self.budget.map(burned),
            memory_peak: Some(self.store.as_ref().map_or(0, |s| s.data().meter.peak)),
            wall: self.started.elapsed(),
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            backend: Backend::Wasm,
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if let Some(store) = &self.store {
            store.data().stdio.finish();
        }
        self.observer.finished(&self.usage());
    }
}
