//! Room for instances: a slot of the pool, or outside of it the memory mappings that one takes; and the
//! calls that wait because others have all of it.
//!
//! A call takes room before it begins and gives it back after its store is gone. One that finds too
//! little waits: the pool that is spent fails nobody. There are two lines, or a publisher whose component
//! does not fit into the pool would keep those waiting that do: what fits never waits for what does not,
//! and leaves the mappings to it while it waits. Nothing here instantiates.

use wasmtime::component::Component;

use super::pool::{Pool, Slot};
use crate::budget::{Budget, Queue, Share};

/// Calls that may wait, in either line: as many as admission ever lets in, each with its memory set aside
/// and until its deadline. So the line has an end that no call comes to.
const MAX_WAITING: u32 = 1_000_000;

/// Memory mappings of a memory outside of the pool: what is before, in and behind its image, and the
/// guards at both ends.
const MEMORY_MAPPINGS: u64 = 5;

/// Memory mappings of a stack with its guard.
const STACK_MAPPINGS: u64 = 2;

/// Tables that toolchains make are small, and come from the heap. Each beyond takes a mapping.
const LITTLE_TABLES: u32 = 4;

/// What an instance takes, whatever it does later.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needs {
    pub(super) memories: u32,
    pub(super) tables: u32,
}

/// All the room there is.
pub(super) struct Rooms {
    pub(super) pool: Option<Pool>,
    /// That calls outside of the pool may take together. Past the last one that the process may have,
    /// every allocation fails, not only those of guests.
    pub(super) mappings: Budget,
    /// For a slot, or mappings.
    fitting: Queue,
    /// For mappings alone.
    unfitting: Queue,
}

/// Room that was taken; given back on drop, when those in line hear of it.
pub(super) struct Held<'a> {
    pub(super) source: Source,
    _told: Told<'a>,
}

/// Where an instance gets its memory.
#[expect(dead_code, reason = "held until the call has ended")]
pub(super) enum Source {
    Pool(Slot),
    OnDemand(Share),
}

/// Tells those in line when it is dropped.
struct Told<'a>(&'a Rooms);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.0.fitting.tell();
        self.0.unfitting.tell();
    }
}

impl Needs {
    pub(super) fn of(component: &Component) -> Self {
        // Unknown only for components that import modules, which nothing provides.
        let needs = component.resources_required();
        needs.map_or(Self { memories: 1, tables: 1 }, |needs| Self {
            memories: needs.num_memories,
            tables: needs.num_tables,
        })
    }

    /// Memory mappings outside of the pool.
    pub(super) fn mappings(self) -> u64 {
        let tables = self.tables.saturating_sub(LITTLE_TABLES);
        u64::from(self.memories) * MEMORY_MAPPINGS + u64::from(tables) + STACK_MAPPINGS
    }
}

impl Rooms {
    pub(super) fn new(pool: Option<Pool>, mappings: u64) -> Self {
        let line = || Queue::new(MAX_WAITING);
        Self { pool, mappings: Budget::new(mappings), fitting: line(), unfitting: line() }
    }

    /// Room that is free, and that nobody waits for. `fits` says whether the pool could hold such.
    pub(super) fn take(&self, needs: Needs, fits: bool) -> Option<Held<'_>> {
        if self.line(fits).waiting() > 0 {
            return None;
        }
        self.take_now(needs, fits)
    }

    /// The same, waiting for it. `None` if the line is full.
    pub(super) async fn wait(&self, needs: Needs, fits: bool) -> Option<Held<'_>> {
        // Who left mappings to this call hears of it when it waits no more.
        let _told = Told(self);
        self.line(fits).wait_for(|| self.take_now(needs, fits)).await
    }

    fn line(&self, fits: bool) -> &Queue {
        if fits { &self.fitting } else { &self.unfitting }
    }

    fn take_now(&self, needs: Needs, fits: bool) -> Option<Held<'_>> {
        let slot = || self.pool.as_ref()?.take(needs.memories, needs.tables).map(Source::Pool);
        let mappings = || self.mappings.take(needs.mappings()).map(Source::OnDemand);
        let source = match fits {
            true if self.unfitting.waiting() > 0 => slot(),
            true => slot().or_else(mappings),
            false => mappings(),
        };
        Some(Held { source: source?, _told: Told(self) })
    }
}
