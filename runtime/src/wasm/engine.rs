//! The engine: one per process, shared by every server and every call.
//!
//! Everything that is the same for all guests is decided here: which WebAssembly they may be made
//! of, how they are metered, how large their stacks are, and what they are linked against. What
//! differs per server is in `component`, what differs per call in `state`.
//!
//! There is one meter (see [`Metering`]): each one costs, and together they cost more than twice.
//! And there are two wasmtime engines that differ in nothing but where instances get their memory:
//! from a pool, or on demand. Code compiled for one runs in both.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use wasmtime::component::Linker;
use wasmtime::{Config, WasmBacktraceDetails};

use super::capability::files::Folders;
use super::compiler::{self, Compiler};
use super::descriptors::{self, Descriptors};
use super::link;
use super::load::LoadError;
use super::pool::{Pool, PoolPlan};
use super::room::Rooms;
use super::state::State;
use super::ticker::Ticker;
use crate::budget::Budget;
use crate::host::Host;
use crate::limits::Limits;
use crate::scheduler::{Lane, Scheduler};

/// Fuel between two yields: about 0.1 ms of guest time, which is how long a guest that spins may hold
/// a thread before others get their turn.
pub(super) const YIELD_INTERVAL: u64 = 200_000;

/// Bytes of native stack for guest code. Against endless recursion, which then traps.
const MAX_WASM_STACK: usize = 1024 * 1024;

/// Bytes of the stack that a call runs on: guest code and the host functions that it calls.
pub(super) const ASYNC_STACK: usize = 2 * 1024 * 1024;

/// Frames kept of a guest's backtrace. Against deep recursion making an error expensive.
const BACKTRACE_FRAMES: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not zero");

/// Bytes of a component before it is read any further. Against a publisher who fills memory; an
/// interpreter with its library is below 20 MiB.
const MAX_COMPONENT: u64 = 64 * 1024 * 1024;

/// Bytes of a memory's initial image that is stored whole. Interpreters have tens of megabytes.
const MAX_IMAGE: u64 = 64 * 1024 * 1024;

/// Calls at a time, where nobody says.
const CALLS: u64 = 1_000;

/// How guests are kept from running without end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metering {
    /// Every instruction is counted: a budget, an exact account, and a yield every so often.
    #[default]
    Fuel,
    /// Guests yield as time passes, and only the deadline ends them; nothing is counted.
    Epoch,
}

impl Metering {
    /// The fuel of a call, if it is counted.
    pub(super) fn budget(self, limits: &Limits) -> Option<u64> {
        match self {
            Self::Fuel => Some(limits.fuel),
            Self::Epoch => None,
        }
    }

    /// The name in configs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fuel => "fuel",
            Self::Epoch => "epoch",
        }
    }
}

impl std::str::FromStr for Metering {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "fuel" => Ok(Self::Fuel),
            "epoch" => Ok(Self::Epoch),
            _ => Err(()),
        }
    }
}

/// What an [`Engine`] can be told.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Components larger than this many bytes are refused.
    pub max_component: u64,
    /// Compilations that take longer are given up.
    pub compile_timeout: Duration,
    /// Compilations at a time.
    pub compile_concurrency: usize,
    /// Where components are compiled.
    pub compiler: Compiler,
    /// How guests are kept from running without end.
    pub metering: Metering,
    /// The pool of instances.
    pub pool: PoolPlan,
    /// Memory mappings that the process may have.
    pub mappings: u64,
    /// File descriptors that the process may have.
    pub descriptors: u64,
    /// Where calls go that take long; `None` for threads of its own.
    pub scheduler: Option<Arc<Scheduler>>,
}

impl EngineOptions {
    /// Time that a component may take to compile. Against modules built to be slow to compile.
    pub const COMPILE_TIMEOUT: Duration = Duration::from_secs(120);

    /// What suits this machine, for so many calls at a time.
    #[must_use]
    pub fn for_host(host: &Host, calls: u64) -> Self {
        Self {
            max_component: MAX_COMPONENT,
            compile_timeout: Self::COMPILE_TIMEOUT,
            compile_concurrency: host.processors.max(2),
            compiler: Compiler::default(),
            metering: Metering::default(),
            pool: PoolPlan::for_host(host, calls),
            mappings: host.mappings,
            descriptors: host.descriptors,
            scheduler: None,
        }
    }
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self::for_host(&Host::read(), CALLS)
    }
}

/// The engine could not be set up on this machine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime does not work.
    #[error("the wasm engine does not work on this machine: {0:#}")]
    Wasmtime(wasmtime::Error),
    /// There are no threads.
    #[error("the threads for long calls can't be started")]
    Threads(#[from] std::io::Error),
}

/// Compiles components and holds what all of them are linked against. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    on_demand: Allocator,
    pooled: Option<Allocator>,
    rooms: Rooms,
    compatibility: [u8; 32],
    compiling: Semaphore,
    descriptors: Budget,
    folders: Folders,
    scheduler: Arc<Scheduler>,
    options: EngineOptions,
    _ticker: Option<Ticker>,
}

/// A wasmtime engine, which decides where instances get their memory, and what they link against.
pub(super) struct Allocator {
    pub(super) wasmtime: wasmtime::Engine,
    pub(super) linker: Linker<State>,
}

impl Allocator {
    fn new(wasmtime: wasmtime::Engine) -> Result<Self, EngineError> {
        let linker = link::wasi(&wasmtime).map_err(EngineError::Wasmtime)?;
        Ok(Self { wasmtime, linker })
    }
}

impl Engine {
    /// Sets up wasmtime and links WASI 0.2.
    ///
    /// # Errors
    /// If the processor or the operating system lacks what wasmtime needs, or gives no threads.
    pub fn new(mut options: EngineOptions) -> Result<Self, EngineError> {
        let config = config(options.metering);
        let on_demand = wasmtime::Engine::new(&config).map_err(EngineError::Wasmtime)?;
        let (pooled, pool) = match Pool::set_up(&config, &mut options.pool) {
            Some((engine, pool)) => (Some(Allocator::new(engine)?), Some(pool)),
            None => (None, None),
        };
        let rooms = Rooms::new(pool, options.pool.rest(options.mappings));
        let scheduler = match &options.scheduler {
            Some(scheduler) => Arc::clone(scheduler),
            None => Arc::new(Scheduler::start(Scheduler::threads_for(Host::read().processors))?),
        };
        let metered = [Some(&on_demand), pooled.as_ref().map(|pooled| &pooled.wasmtime)];
        let ticker = match options.metering {
            Metering::Fuel => None,
            Metering::Epoch => Some(Ticker::start(metered.into_iter().flatten().cloned().collect())),
        };
        Ok(Self(Arc::new(Inner {
            compatibility: compatibility(&on_demand),
            on_demand: Allocator::new(on_demand)?,
            pooled,
            rooms,
            compiling: Semaphore::new(options.compile_concurrency.max(1)),
            descriptors: descriptors::of_process(options.descriptors),
            folders: Folders::default(),
            scheduler,
            options,
            _ticker: ticker,
        })))
    }

    /// What the engine was told, with the pool as it is.
    #[must_use]
    pub fn options(&self) -> &EngineOptions {
        &self.0.options
    }

    /// Compiles the smallest component there is, the way all others are.
    ///
    /// # Errors
    /// If no component could be compiled.
    pub async fn check_compiler(&self) -> Result<(), LoadError> {
        const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";
        compiler::run(self, &Bytes::from_static(EMPTY)).await.map(drop)
    }

    /// The wasmtime engine whose instances are allocated on demand.
    pub(super) fn on_demand(&self) -> &wasmtime::Engine {
        &self.0.on_demand.wasmtime
    }

    /// Where instances are allocated on demand.
    pub(super) fn demand(&self) -> &Allocator {
        &self.0.on_demand
    }

    /// Where instances come from a pool.
    pub(super) fn pooled(&self) -> Option<&Allocator> {
        self.0.pooled.as_ref()
    }

    /// Room for instances, and the calls that wait for some.
    pub(super) fn rooms(&self) -> &Rooms {
        &self.0.rooms
    }

    /// Identifies everything that compiled code depends on: wasmtime's version, its settings and
    /// the processor.
    pub(super) fn compatibility(&self) -> &[u8; 32] {
        &self.0.compatibility
    }

    pub(super) fn compiling(&self) -> &Semaphore {
        &self.0.compiling
    }

    /// File descriptors for the calls of one more server.
    pub(super) fn descriptors(&self) -> Descriptors {
        Descriptors::of_server(&self.0.descriptors)
    }

    /// The folders that servers may write to.
    pub(super) fn folders(&self) -> &Folders {
        &self.0.folders
    }

    /// The turns of one more server on the threads for long calls.
    pub(super) fn lane(&self) -> Lane {
        self.0.scheduler.lane()
    }
}

/// An engine for compiling alone, whose code all others of this process's kind can run.
pub(super) fn compiling(metering: Metering) -> wasmtime::Result<wasmtime::Engine> {
    wasmtime::Engine::new(&config(metering))
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

fn config(metering: Metering) -> Config {
    let mut config = Config::new();
    match metering {
        Metering::Fuel => config.consume_fuel(true),
        Metering::Epoch => config.epoch_interruption(true),
    };
    stacks(&mut config);
    features(&mut config);
    // Initial contents are mapped copy-on-write and not copied, however sparse they are.
    config.memory_init_cow(true).memory_guaranteed_dense_image_size(MAX_IMAGE).table_lazy_init(true);
    config
}

fn stacks(config: &mut Config) {
    config
        .max_wasm_stack(MAX_WASM_STACK)
        .async_stack_size(ASYNC_STACK)
        .wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES))
        // Debug sections come from the publisher and are parsed by complex code.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        // Only native unwinders read it, and nothing here unwinds through guests.
        .native_unwind_info(false);
}

/// What toolchains emit for WASI 0.2, and no more: the newer a proposal, the less its code was
/// attacked. Threads, garbage collection and with it typed function references, exceptions, and
/// the async component model are compiled out of wasmtime, see the features in `Cargo.toml`.
fn features(config: &mut Config) {
    config
        .concurrency_support(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .wasm_component_model_map(true)
        .wasm_component_model_fixed_length_lists(true);
}

pub(super) fn compatibility(engine: &wasmtime::Engine) -> [u8; 32] {
    let mut hasher = Sha256Hasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().into()
}

/// Feeds a [`Hash`] to SHA-256: a name for stored files must not collide by accident.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}
