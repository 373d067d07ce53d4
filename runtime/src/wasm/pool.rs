//! The pool: memories, tables and stacks that are set up once and reused by call after call.
//!
//! An instance from the pool costs a fraction of one on demand, because its memory keeps its place,
//! its initial image stays mapped copy-on-write, and between two calls only what was written is
//! reset. How large the pool is follows from how many calls there may be at a time, and from the memory and
//! the mappings of the machine or its container. Processors have no say in it: most calls in flight wait in
//! a host call, and hold their slot without one. How it is reset follows from whether pages may be swapped
//! out. A call that finds the pool spent, or whose component does not fit, runs on demand.

use std::fmt;

use wasmtime::{Enabled, PoolingAllocationConfig};

use super::engine::ASYNC_STACK;
use crate::budget::{Budget, Share};
use crate::host::Host;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Slots where the machine could have more: that many calls are as much as one process serves, and
/// what is beyond runs on demand.
const MAX_SLOTS: u64 = 16_384;

/// Slots below which a pool is not worth its mappings.
const MIN_SLOTS: u64 = 8;

/// Memory mappings of a slot in use: stack and guard, and of the memory what is before, in and
/// behind the image, and what is not accessible.
const MAPPINGS_PER_SLOT: u64 = 6;

/// The pool's part of the mappings that guests may have; calls on demand need the rest.
const MAPPINGS_PART: (u64, u64) = (15, 16);

/// Memory mappings that are left to everything but guests: threads, files, the allocator.
const SPARE_MAPPINGS: u64 = 4_096;

/// The part of the memory that all slots together may keep between calls. Admission counts what calls
/// may take, and of a slot that waits for its next call it knows nothing.
const MEMORY_PART: u64 = 8;

/// Tables per memory: toolchains put one in the program and one or two in what adapts it to the
/// component model.
const TABLES_PER_SLOT: u64 = 4;

/// Memories and tables of one module in the pool; more than toolchains make. When a module goes,
/// wasmtime asks for each possible one, so this is no place for a huge number.
const MAX_PER_MODULE: u32 = 16;

/// Elements that a table may have, in the pool and out of it; interpreters come near ten thousand.
/// In the pool, address space is set aside for each table.
pub(super) const TABLE_ELEMENTS: usize = 1 << 20;

/// Bytes of a table that are reset by writing instead of asking the kernel for new pages, where a slot
/// may keep so much.
const TABLE_RESIDENT: u64 = 64 * KIB;

/// The same for a memory, where pages that were written can be told from the others.
const MEMORY_RESIDENT: u64 = 2 * MIB;

/// What a slot may keep besides its stack, at least, for its stack to be kept too.
const ROOMY: u64 = 512 * KIB;

/// The part of what a slot keeps that all its tables have.
const TABLES_PART: u64 = 8;

/// What a slot keeps is counted in pages.
const PAGE: u64 = 4 * KIB;

/// Bytes of a stack that are written for each call where stacks are emptied: most calls go no deeper.
const STACK_RESIDENT: u64 = 16 * KIB;

/// The size of the pool on a machine, and how its slots are reset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolPlan {
    /// Calls that can have their memory, tables and stack from the pool at a time; 0 without one.
    pub slots: u32,
    /// Bytes that a slot keeps of its memory between two calls, at most.
    pub resident: u64,
    /// What becomes of its stack.
    pub stacks: Stacks,
    /// How memory is reset between two calls.
    pub reset: Reset,
}

/// How memory is reset between two calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reset {
    /// The kernel says which pages were written (`PAGEMAP_SCAN`), and only those are reset.
    Written,
    /// The kernel takes all pages back, for this reason. It takes longer and is always right.
    All(String),
}

/// What becomes of a slot's stack between two calls. Nothing on it is ever read by the next one; but its
/// pages stay, so that in time each slot would have a stack as large as the deepest recursion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stacks {
    /// There is memory for all of them.
    Kept,
    /// The kernel takes back what is deeper than most calls go, which takes 2 µs of each call.
    Emptied,
}

impl Stacks {
    /// Bytes of its stack that a slot may keep.
    fn resident(self) -> u64 {
        match self {
            Self::Kept => ASYNC_STACK as u64,
            Self::Emptied => STACK_RESIDENT,
        }
    }
}

impl PoolPlan {
    /// The pool for this machine, and for so many calls at a time. Each slot is two mappings from the
    /// start on, so it has none that could not be used.
    #[must_use]
    pub fn for_host(host: &Host, calls: u64) -> Self {
        Self::new(host, calls, PoolingAllocationConfig::is_pagemap_scan_available())
    }

    /// Mappings that are left for calls on demand, of those that the process may have.
    pub(super) fn rest(&self, mappings: u64) -> u64 {
        mappings.saturating_sub(SPARE_MAPPINGS + u64::from(self.slots) * MAPPINGS_PER_SLOT)
    }

    /// Written pages that were swapped out are missed by the scan, and the next guest would see
    /// them. So it is used only where nothing can be swapped out.
    fn new(host: &Host, calls: u64, scan: bool) -> Self {
        let mappings = host.mappings.saturating_sub(SPARE_MAPPINGS) / MAPPINGS_PART.1 * MAPPINGS_PART.0;
        let most = mappings / MAPPINGS_PER_SLOT;
        let slots = if most < MIN_SLOTS { 0 } else { calls.clamp(MIN_SLOTS, MAX_SLOTS).min(most) };
        let kept = host.memory / MEMORY_PART / slots.max(1);
        let roomy = kept >= Stacks::Kept.resident() + ROOMY;
        let stacks = if roomy { Stacks::Kept } else { Stacks::Emptied };
        let kept = kept.saturating_sub(stacks.resident());
        let reset = match &host.swap {
            Some(why) => Reset::All(why.clone()),
            None if !scan => Reset::All("the kernel has no PAGEMAP_SCAN, which Linux 6.7 brought".to_owned()),
            None => Reset::Written,
        };
        // All of it would be written for each call.
        let resident =
            if reset == Reset::Written { MEMORY_RESIDENT.min(pages(kept - kept / TABLES_PART)) } else { 0 };
        Self { slots: small(slots), resident, stacks, reset }
    }

    /// What wasmtime is told.
    fn config(&self) -> PoolingAllocationConfig {
        let mut config = PoolingAllocationConfig::new();
        config
            .total_memories(self.slots)
            .total_stacks(self.slots)
            .total_tables(self.tables())
            // Counted by each call's own limits, and not set up in advance.
            .total_core_instances(u32::MAX)
            .total_component_instances(u32::MAX)
            .max_memories_per_module(MAX_PER_MODULE)
            .max_tables_per_module(MAX_PER_MODULE)
            .table_elements(TABLE_ELEMENTS)
            .max_unused_warm_slots(self.slots)
            .linear_memory_keep_resident(bytes(self.resident))
            .table_keep_resident(bytes(self.table_resident()))
            .async_stack_keep_resident(bytes(STACK_RESIDENT))
            .pagemap_scan(if self.reset == Reset::Written { Enabled::Yes } else { Enabled::No });
        config
    }

    /// Bytes that a slot keeps of each of its tables.
    fn table_resident(&self) -> u64 {
        TABLE_RESIDENT.min(pages(self.resident / (TABLES_PART - 1) / TABLES_PER_SLOT))
    }

    fn tables(&self) -> u32 {
        small(u64::from(self.slots) * TABLES_PER_SLOT)
    }
}

impl fmt::Display for PoolPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.slots == 0 {
            return f.write_str("no pool: every call runs on demand");
        }
        write!(f, "{} slots; ", self.slots)?;
        match &self.reset {
            Reset::Written => {
                write!(f, "only written pages are reset, and up to {} KiB of them kept", self.resident / KIB)
            }
            Reset::All(why) => write!(f, "all pages are reset: {why}"),
        }
    }
}

/// What is left of the pool.
#[derive(Debug)]
pub(super) struct Pool {
    memories: Budget,
    tables: Budget,
    stacks: Budget,
}

/// A call's part of the pool; to be dropped after its store.
#[derive(Debug)]
pub(super) struct Slot {
    _shares: [Share; 3],
}

impl Pool {
    /// An engine with the largest pool, up to `plan`, that the address space has room for. `None`
    /// where it has room for none, as under `ulimit -v`.
    pub(super) fn set_up(config: &wasmtime::Config, plan: &mut PoolPlan) -> Option<(wasmtime::Engine, Self)> {
        while u64::from(plan.slots) >= MIN_SLOTS {
            let mut config = config.clone();
            config.allocation_strategy(plan.config()).async_stack_zeroing(plan.stacks == Stacks::Emptied);
            if let Ok(engine) = wasmtime::Engine::new(&config) {
                return Some((engine, Self::new(plan)));
            }
            plan.slots /= 2;
        }
        plan.slots = 0;
        None
    }

    fn new(plan: &PoolPlan) -> Self {
        let slots = || Budget::new(plan.slots.into());
        Self { memories: slots(), stacks: slots(), tables: Budget::new(plan.tables().into()) }
    }

    /// Whether an instance with such needs could come from it at all.
    pub(super) fn could_hold(&self, memories: u32, tables: u32) -> bool {
        u64::from(memories) <= self.memories.total() && u64::from(tables) <= self.tables.total()
    }

    /// Takes what one instance needs.
    pub(super) fn take(&self, memories: u32, tables: u32) -> Option<Slot> {
        let stack = self.stacks.take(1)?;
        let memories = self.memories.take(memories.into())?;
        let tables = self.tables.take(tables.into())?;
        Some(Slot { _shares: [stack, memories, tables] })
    }
}

fn small(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn pages(size: u64) -> u64 {
    size / PAGE * PAGE
}

fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{
        MEMORY_PART, MEMORY_RESIDENT, MIN_SLOTS, PoolPlan, Reset, STACK_RESIDENT, Stacks, TABLES_PER_SLOT,
    };
    use crate::host::{Host, MemorySource};

    fn host(memory: u64) -> Host {
        Host {
            memory,
            memory_from: MemorySource::Machine,
            processors: 2,
            mappings: 65_530,
            descriptors: 1_024,
            swap: None,
        }
    }

    #[test]
    fn all_slots_together_keep_no_more_than_their_part_of_the_memory() {
        for memory in [128 << 20, 512 << 20, 24 << 30] {
            for calls in [1, 64, 1_000, 10_000] {
                let plan = PoolPlan::new(&host(memory), calls, true);
                let slot = plan.resident + TABLES_PER_SLOT * plan.table_resident() + plan.stacks.resident();
                let kept = u64::from(plan.slots) * slot;
                // Less than a stack's part of each would be nothing at all.
                let least = u64::from(plan.slots) * STACK_RESIDENT;
                assert!(kept <= (memory / MEMORY_PART).max(least), "{plan:?} keeps {kept} of {memory}");
            }
        }
    }

    #[test]
    fn a_large_machine_keeps_all_that_most_guests_write() {
        let plan = PoolPlan::new(&host(128 << 30), 1_000, true);
        assert_eq!((plan.slots, plan.resident, plan.stacks), (1_000, MEMORY_RESIDENT, Stacks::Kept));
    }

    #[test]
    fn ten_thousand_calls_fit_into_the_mappings_that_linux_gives() {
        let host = host(24 << 30);
        let plan = PoolPlan::new(&host, 10_000, true);
        let on_demand = plan.rest(host.mappings) / 7;
        assert!(u64::from(plan.slots) + on_demand >= 10_000, "{plan:?} and {on_demand}");
    }

    #[test]
    fn few_mappings_make_a_small_pool_or_none() {
        let few = |mappings| PoolPlan::new(&Host { mappings, ..host(1 << 30) }, 1_000, true).slots;
        assert_eq!(few(65_530), 1_000);
        assert!((MIN_SLOTS..1_000).contains(&u64::from(few(8_192))));
        assert_eq!(few(100), 0);
    }

    #[test]
    fn written_pages_are_scanned_only_where_nothing_is_swapped() {
        assert_eq!(PoolPlan::new(&host(1 << 30), 100, true).reset, Reset::Written);
        let swapping = Host { swap: Some("swap is on".to_owned()), ..host(1 << 30) };
        assert_eq!(PoolPlan::new(&swapping, 100, true).reset, Reset::All("swap is on".to_owned()));
        assert!(matches!(PoolPlan::new(&host(1 << 30), 100, false).reset, Reset::All(_)));
    }

    #[test]
    fn what_is_planned_is_told() {
        let plan = PoolPlan {
            slots: 10,
            resident: 0,
            stacks: Stacks::Emptied,
            reset: Reset::All("swap".to_owned()),
        };
        assert_eq!(plan.to_string(), "10 slots; all pages are reset: swap");
        let plan = PoolPlan { resident: 8192, reset: Reset::Written, ..plan };
        assert_eq!(plan.to_string(), "10 slots; only written pages are reset, and up to 8 KiB of them kept");
    }
}
