//! `[admission]`: what all calls may take together.

use toolgate_runtime::host::Host;

use super::quantity::size_up_to;
use super::raw::Section;
use crate::admit::{Capacity, MAX_CALLS};

/// Upper bound of `concurrency`: each call in flight is a task with its buffers.
const MOST_CALLS: u64 = 1_000_000;
/// Upper bound of `memory`: more than any machine has.
const MOST_MEMORY: u64 = 1 << 50;

/// What all calls may take together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionConfig {
    /// Calls in flight over all servers.
    pub concurrency: u32,
    /// Bytes of memory; `None` for a part of what the machine or its container gives.
    pub memory: Option<u64>,
}

impl AdmissionConfig {
    /// The room that calls have on this machine.
    #[must_use]
    pub fn capacity(&self, host: &Host) -> Capacity {
        Capacity::new(self.concurrency, self.memory.unwrap_or_else(|| Capacity::memory_of(host)))
    }
}

impl Default for AdmissionConfig {
    fn default() -> Self {
        Self { concurrency: MAX_CALLS, memory: None }
    }
}

pub(super) fn read(section: Option<Section<'_, '_>>) -> AdmissionConfig {
    let mut config = AdmissionConfig::default();
    let Some(section) = section else {
        return config;
    };
    let calls = section.integer("concurrency", 1, MOST_CALLS);
    if let Some(calls) = calls.and_then(|calls| u32::try_from(calls).ok()) {
        config.concurrency = calls;
    }
    config.memory = section.parsed("memory", "2GiB", size_up_to(MOST_MEMORY));
    section.finish();
    config
}
