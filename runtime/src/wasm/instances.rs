//! Where the instances of one server come from: the pool while it has room, else on demand.
//!
//! The pool is tried first. Code is loaded for on-demand instances when the first one is needed, or
//! at once where the component does not fit into the pool. A call never fails because the pool is
//! spent, or the mappings outside of it are: it waits, see `room`.

use tokio::sync::OnceCell;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

use super::code::Code;
use super::engine::{Allocator, Engine};
use super::load::{self, LoadError};
use super::room::{Held, Needs, Source};
use super::state::State;
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
    _held: Held<'a>,
}

/// Where a function is exported.
#[derive(Clone)]
pub(super) struct Export {
    interface: Option<Box<str>>,
    name: Box<str>,
}

impl Instances {
    /// Links `component`, which was loaded from `code` into `allocator`.
    pub(super) fn new(
        engine: &Engine,
        code: Code,
        loaded: Loaded,
        functions: Vec<Export>,
    ) -> Result<Self, LoadError> {
        let needs = Needs::of(&loaded.component);
        if !loaded.pooled {
            check_mappings(needs.mappings(), engine.rooms().mappings.total())?;
        }
        let linked = link(allocator(engine, loaded.pooled), &loaded.component, &functions)?;
        let (pooled, on_demand) = match loaded.pooled {
            true => (Some(linked), OnceCell::new()),
            false => (None, OnceCell::new_with(Some(linked))),
        };
        Ok(Self { engine: engine.clone(), code, functions, needs, pooled, on_demand })
    }

    /// Room for one more instance, if there is some at once.
    pub(super) fn room_now(&self) -> Option<Room<'_>> {
        let held = self.engine.rooms().take(self.needs, self.pooled.is_some())?;
        let linked = match held.source {
            Source::Pool(_) => self.pooled.as_ref(),
            Source::OnDemand(_) => self.on_demand.get(),
        };
        Some(Room { linked: linked?, _held: held })
    }

    /// The same, waiting until other calls have ended, or until code is loaded.
    ///
    /// # Errors
    /// If code can't be loaded.
    pub(super) async fn room(&self) -> Result<Room<'_>, CallError> {
        let (rooms, fits) = (self.engine.rooms(), self.pooled.is_some());
        let held = match rooms.take(self.needs, fits) {
            Some(held) => held,
            None => rooms.wait(self.needs, fits).await.ok_or_else(|| {
                CallError::Unavailable("too many calls wait for memory mappings".to_owned())
            })?,
        };
        let linked = match (&held.source, &self.pooled) {
            (Source::Pool(_), Some(linked)) => linked,
            _ => {
                let loaded = self.on_demand.get_or_try_init(|| self.load_on_demand()).await;
                loaded.map_err(|error| CallError::Internal(error.to_string()))?
            }
        };
        Ok(Room { linked, _held: held })
    }

    async fn load_on_demand(&self) -> Result<Linked, LoadError> {
        let (engine, code) = (self.engine.clone(), self.code.clone());
        let loading = load::blocking(move || code.load(engine.on_demand()));
        // Whether it was copied is known, and told, since it was first loaded.
        let (component, _) =
            loading.await?.map_err(|error| LoadError::Invalid { reason: load::reason(&error) })?;
        link(self.engine.demand(), &component, &self.functions)
    }
}

/// A component, and whether the pool has room for such.
pub(super) struct Loaded {
    pub(super) component: Component,
    /// Why its code was copied and not mapped, if it was.
    pub(super) copied: Option<wasmtime::Error>,
    pooled: bool,
}

/// Loads `code` for the pool, or for instances on demand where it does not fit.
///
/// # Errors
/// If it is for another engine.
pub(super) fn load(engine: &Engine, code: &Code) -> wasmtime::Result<Loaded> {
    let fits = |allocator: &Allocator| {
        let (component, copied) = code.load(&allocator.wasmtime).ok()?;
        let Needs { memories, tables } = Needs::of(&component);
        let pool = engine.rooms().pool.as_ref()?;
        pool.could_hold(memories, tables).then_some(Loaded { component, copied, pooled: true })
    };
    if let Some(loaded) = engine.pooled().and_then(fits) {
        return Ok(loaded);
    }
    let (component, copied) = code.load(engine.on_demand())?;
    Ok(Loaded { component, copied, pooled: false })
}

fn allocator(engine: &Engine, pooled: bool) -> &Allocator {
    match engine.pooled() {
        Some(allocator) if pooled => allocator,
        _ => engine.demand(),
    }
}

/// A call that could never have its room would wait for ever.
fn check_mappings(needs: u64, most: u64) -> Result<(), LoadError> {
    if needs > most { Err(LoadError::Mappings { needs, most }) } else { Ok(()) }
}

fn link(allocator: &Allocator, component: &Component, functions: &[Export]) -> Result<Linked, LoadError> {
    let linked = allocator.linker.instantiate_pre(component);
    let pre = linked.map_err(|error| LoadError::Link { reason: load::reason(&error) })?;
    let exports = functions.iter().map(|export| export.find(component));
    Ok(Linked { pre, exports: exports.collect::<Result<_, _>>()? })
}

impl Export {
    /// The function of that name, of an interface or at the level of the world.
    pub(super) fn new(interface: Option<&str>, name: &str) -> Self {
        Self { interface: interface.map(Box::from), name: name.into() }
    }

    /// That of a function.
    pub(super) fn of(function: &Function) -> Self {
        Self::new(function.interface.as_deref(), &function.export)
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
