//! `[servers.NAME.limits]`: what one call, and one server, may use up.
//!
//! What is left out has the default of [`Limits`]. Zero is refused everywhere, since nothing could
//! run; the upper bounds keep one typo from handing the whole host to one guest.

use std::time::Duration;

use toolgate_runtime::limits::Limits;

use super::quantity::{duration_up_to, size_up_to};
use super::raw::Section;

const GIB: u64 = 1 << 30;

/// What is read of limits.
pub(super) struct Read {
    pub(super) limits: Limits,
    /// Bytes and processors of a container, where they are said.
    pub(super) memory: Option<u64>,
    pub(super) cpus: Option<f64>,
}

/// Fuel of a call. TOML has no larger integers.
const MAX_FUEL: u64 = i64::MAX as u64;
/// Memory of a call: what a 32-bit guest can address.
const MAX_MEMORY: u64 = 4 * GIB;
/// Memory of a container: what a large machine has.
const MAX_CONTAINER: u64 = 1024 * GIB;
/// Processors of a container, likewise.
const MAX_CPUS: f64 = 1024.0;
/// Time of a call. Longer work would outlive every client's patience and hold its memory.
const MAX_DEADLINE: Duration = Duration::from_secs(3600);
/// Result and stdio of a call: they are held in memory whole.
const MAX_BUFFERED: u64 = GIB;
/// Writes of a call: what one disk holds.
const MAX_DISK: u64 = 1024 * GIB;
/// Instances, tables, memories and handles of a call.
const MAX_COUNT: u64 = 10_000;
/// Calls in flight of a server: each holds memory mappings, of which a process has few.
const MAX_CONCURRENCY: u64 = 100_000;

/// Those of a server that has a component, an image, or both.
pub(super) fn read(section: Option<Section<'_, '_>>, component: bool, image: bool) -> Read {
    let mut limits = Limits::default();
    let Some(section) = section else {
        return Read { limits, memory: None, cpus: None };
    };
    let count = |key, limit: &mut u32, max| {
        let value = section.integer(key, 1, max);
        if let Some(value) = value.and_then(|value| u32::try_from(value).ok()) {
            *limit = value;
        }
    };
    count("instances", &mut limits.instances, MAX_COUNT);
    count("tables", &mut limits.tables, MAX_COUNT);
    count("memories", &mut limits.memories, MAX_COUNT);
    count("handles", &mut limits.handles, MAX_COUNT);
    count("concurrency", &mut limits.concurrency, MAX_CONCURRENCY);
    if let Some(fuel) = section.integer("fuel", 1, MAX_FUEL) {
        limits.fuel = fuel;
    }
    let most = if component || !image { MAX_MEMORY } else { MAX_CONTAINER };
    let memory = section.parsed("memory", "64MiB", size_up_to(most));
    limits.memory = memory.unwrap_or(limits.memory);
    let cpus = section.number("cpus", 0.01, MAX_CPUS);
    section.set(&mut limits.output, "output", "4MiB", size_up_to(MAX_BUFFERED));
    section.set(&mut limits.stdio, "stdio", "64KiB", size_up_to(MAX_BUFFERED));
    section.set(&mut limits.disk, "disk", "64MiB", size_up_to(MAX_DISK));
    section.set(&mut limits.deadline, "deadline", "30s", duration_up_to(MAX_DEADLINE));
    section.finish();
    Read { limits, memory, cpus }
}
