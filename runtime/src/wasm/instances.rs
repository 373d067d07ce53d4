//! Where the instances of one server come from: the pool while it has room, else on demand.
//!
//! The pool is tried first. Code is loaded for on-demand instances when the first one is needed, or
//! at once where the component does not fit into the pool. A call never fails because the pool is
//! spent.

use tokio::sync::OnceCell;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

use super::code::Code;
use super::engine::{Allocator, Engine};
use super::load::{self, LoadError};
use super::pool::{Pool, Slot};
use super::state::State;
use crate::budget::Share;
use crate::sandbox::CallError;
use crate::wit::Function;

/// A component that was loaded and linked, to be instantiated.
pub(super) struct Linked {
    pub(super) pre: InstancePre<State>,
    /// One per function, in their order.
    pub(super) exports: Vec<ComponentExportIndex>,
}

/// What makes instances.
pub(super) struct Instances {
    engine: Engine,
    code: Code,
    functions: Vec<Export>,
    needs: Needs,
    pooled: Option<Linked>,
    on_demand: OnceCell<Linked>,
}

/// Room for one instance, and what to instantiate there. To be dropped after the store.
pub(super) struct Room<'a> {
    pub(super) linked: &'a Linked,
    _held: Held,
}

#[expect(dead_code, reason = "held until the call has ended")]
enum Held {
    Pool(Slot),
    Mappings(Share),
}

/// Where a function is exported.
struct Export {
    interface: Option<Box<str>>,
    name: Box<str>,
}

/// What an instance takes, whatever it does later.
#[derive(Clone, Copy, Debug)]
struct Needs {
    memories: u32,
    tables: u32,
}

impl Instances {
    /// Links `component`, which was loaded from `code` into `allocator`.
    pub(super) fn new(
        engine: &Engine,
        code: Code,
        loaded: Loaded,
        functions: &[Function],
    ) -> Result<Self, LoadError> {
        let functions: Vec<_> = functions.iter().map(Export::of).collect();
        let needs = Needs::of(&loaded.component);
        let linked = link(allocator(engine, loaded.pooled), &loaded.component, &functions)?;
        let (pooled, on_demand) = match loaded.pooled {
            true => (Some(linked), OnceCell::new()),
            false => (None, OnceCell::new_with(Some(linked))),
        };
        Ok(Self { engine: engine.clone(), code, functions, needs, pooled, on_demand })
    }

    /// Room for one more instance.
    ///
    /// # Errors
    /// If memory mappings are spent.
    pub(super) async fn room(&self) -> Result<Room<'_>, CallError> {
        if let Some(room) = self.in_pool() {
            return Ok(room);
        }
        let mappings = self.engine.mappings().take(self.needs.mappings()).ok_or_else(|| {
            CallError::Unavailable("too many calls run at a time for `vm.max_map_count`".to_owned())
        })?;
        let linked = self.on_demand.get_or_try_init(|| self.load_on_demand()).await;
        let linked = linked.map_err(|error| CallError::Internal(error.to_string()))?;
        Ok(Room { linked, _held: Held::Mappings(mappings) })
    }

    fn in_pool(&self) -> Option<Room<'_>> {
        let (linked, (_, pool)) = (self.pooled.as_ref()?, self.engine.pooled()?);
        let slot = pool.take(self.needs.memories, self.needs.tables)?;
        Some(Room { linked, _held: Held::Pool(slot) })
    }

    async fn load_on_demand(&self) -> Result<Linked, LoadError> {
        let (engine, code) = (self.engine.clone(), self.code.clone());
        let loading = load::blocking(move || code.load(engine.on_demand()));
        let component =
            loading.await?.map_err(|error| LoadError::Invalid { reason: load::reason(&error) })?;
        link(self.engine.demand(), &component, &self.functions)
    }
}

/// A component, and whether the pool has room for such.
pub(super) struct Loaded {
    pub(super) component: Component,
    pooled: bool,
}

/// Loads `code` for the pool, or for instances on demand where it does not fit.
///
/// # Errors
/// If it is for another engine.
pub(super) fn load(engine: &Engine, code: &Code) -> wasmtime::Result<Loaded> {
    let fits = |(allocator, pool): &(Allocator, Pool)| {
        let component = code.load(&allocator.wasmtime).ok()?;
        let Needs { memories, tables } = Needs::of(&component);
        pool.could_hold(memories, tables).then_some(Loaded { component, pooled: true })
    };
    match engine.pooled().and_then(fits) {
        Some(loaded) => Ok(loaded),
        None => Ok(Loaded { component: code.load(engine.on_demand())?, pooled: false }),
    }
}

fn allocator(engine: &Engine, pooled: bool) -> &Allocator {
    match engine.pooled() {
        Some((allocator, _)) if pooled => allocator,
        _ => engine.demand(),
    }
}

fn link(allocator: &Allocator, component: &Component, functions: &[Export]) -> Result<Linked, LoadError> {
    let linked = allocator.linker.instantiate_pre(component);
    let pre = linked.map_err(|error| LoadError::Link { reason: load::reason(&error) })?;
    let exports = functions.iter().map(|export| export.find(component));
    Ok(Linked { pre, exports: exports.collect::<Result<_, _>>()? })
}

impl Export {
    fn of(function: &Function) -> Self {
        Self { interface: function.interface.as_deref().map(Box::from), name: Box::from(&*function.export) }
    }

    fn find(&self, component: &Component) -> Result<ComponentExportIndex, LoadError> {
        let index = match &self.interface {
            Some(interface) => component
                .get_export_index(None, &**interface)
                .and_then(|interface| component.get_export_index(Some(&interface), &*self.name)),
            None => component.get_export_index(None, &*self.name),
        };
        index.ok_or_else(|| LoadError::Invalid {
            reason: format!("its export `{}` can't be found again", self.name),
        })
    }
}

impl Needs {
    fn of(component: &Component) -> Self {
        // Unknown only for components that import modules, which nothing provides.
        let needs = component.resources_required();
        needs.map_or(Self { memories: 1, tables: 1 }, |needs| Self {
            memories: needs.num_memories,
            tables: needs.num_tables,
        })
    }

    /// Memory mappings outside of the pool: of each memory what is before, in and behind its
    /// image, and the guards at both ends; a large table; and the stack with its guard.
    fn mappings(self) -> u64 {
        const STACK: u64 = 2;
        const MEMORY: u64 = 5;
        u64::from(self.memories) * MEMORY + u64::from(self.tables.saturating_sub(LITTLE_TABLES)) + STACK
    }
}

/// Tables that toolchains make are small, and come from the heap.
const LITTLE_TABLES: u32 = 4;
