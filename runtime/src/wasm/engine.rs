//! The engine: one per process, shared by every server and every call.
//!
//! Everything that is the same for all guests is decided here: which WebAssembly they may be made
//! of, how they are metered, how large their stacks are, and what they are linked against. What
//! differs per server is in `component`, what differs per call in `state`.
//!
//! Guests are metered by fuel only: it bounds their work and, because a store yields every
//! [`YIELD_INTERVAL`] units, it also bounds how long they hold a worker thread.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use wasmtime::component::Linker;
use wasmtime::{Config, WasmBacktraceDetails};

use super::link;
use super::state::State;

/// Fuel between two yields: about 1 ms of guest time, which is how late a deadline or another
/// task on the same worker thread can be. Against guests that spin.
pub(super) const YIELD_INTERVAL: u64 = 1_000_000;

/// Bytes of native stack for guest code. Against endless recursion, which then traps.
const MAX_WASM_STACK: usize = 1024 * 1024;

/// Bytes of the stack that a call runs on: guest code and the host functions that it calls.
const ASYNC_STACK: usize = 2 * 1024 * 1024;

/// Frames kept of a guest's backtrace. Against deep recursion making an error expensive.
const BACKTRACE_FRAMES: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not zero");

/// Bytes of a component before it is read any further. Against a publisher who fills memory; an
/// interpreter with its library is below 20 MiB.
const MAX_COMPONENT: u64 = 64 * 1024 * 1024;

/// Time that a component may take to compile. Against modules built to be slow to compile.
const COMPILE_TIMEOUT: Duration = Duration::from_secs(120);

/// Memory mappings of a process where the kernel does not say, which is also Linux's default.
const MAX_MAPPINGS: usize = 65_530;

/// What an [`Engine`] can be told.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Components larger than this many bytes are refused.
    pub max_component: u64,
    /// Compilations that take longer are given up.
    pub compile_timeout: Duration,
    /// Compilations at a time; each one uses all processors while it can.
    pub compile_concurrency: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { max_component: MAX_COMPONENT, compile_timeout: COMPILE_TIMEOUT, compile_concurrency: 2 }
    }
}

/// The engine could not be set up on this machine.
#[derive(Debug, thiserror::Error)]
#[error("the wasm engine does not work on this machine: {0:#}")]
pub struct EngineError(wasmtime::Error);

/// Compiles components and holds what all of them are linked against. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    wasmtime: wasmtime::Engine,
    linker: Linker<State>,
    compatibility: [u8; 32],
    compiling: Semaphore,
    mappings: Semaphore,
    options: EngineOptions,
}

impl Engine {
    /// Sets up wasmtime and links WASI 0.2.
    ///
    /// # Errors
    /// If the processor or the operating system lacks what wasmtime needs.
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let wasmtime = wasmtime::Engine::new(&config()).map_err(EngineError)?;
        let linker = link::wasi(&wasmtime).map_err(EngineError)?;
        let compatibility = compatibility(&wasmtime);
        let compiling = Semaphore::new(options.compile_concurrency.max(1));
        let mappings = Semaphore::new(mappings());
        Ok(Self(Arc::new(Inner { wasmtime, linker, compatibility, compiling, mappings, options })))
    }

    /// The wasmtime engine, for reading the types of a component.
    pub fn wasmtime(&self) -> &wasmtime::Engine {
        &self.0.wasmtime
    }

    pub(super) fn linker(&self) -> &Linker<State> {
        &self.0.linker
    }

    /// Identifies everything that compiled code depends on: wasmtime's version, its settings and
    /// the processor.
    pub(super) fn compatibility(&self) -> &[u8; 32] {
        &self.0.compatibility
    }

    pub(super) fn compiling(&self) -> &Semaphore {
        &self.0.compiling
    }

    /// Memory mappings that running calls may take together. A call takes a permit for each.
    pub(super) fn mappings(&self) -> &Semaphore {
        &self.0.mappings
    }

    pub(super) fn options(&self) -> &EngineOptions {
        &self.0.options
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

fn config() -> Config {
    let mut config = Config::new();
    meter(&mut config);
    features(&mut config);
    allocation(&mut config);
    config
}

fn meter(config: &mut Config) {
    config
        .consume_fuel(true)
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

/// Instances are allocated on demand. A memory reserves its full 4 GiB of address space, so that
/// it never moves and needs no bounds checks, and costs two or three mappings of the 65,530 that a
/// process has by default; initial contents are mapped copy-on-write and not copied. A pooling
/// allocator is set here and nowhere else.
fn allocation(config: &mut Config) {
    config.memory_init_cow(true).table_lazy_init(true);
}

pub(super) fn compatibility(engine: &wasmtime::Engine) -> [u8; 32] {
    let mut hasher = Sha256Hasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().into()
}

/// Half of the mappings that the kernel gives this process. Past the last one every allocation
/// fails, not only those of guests, so many calls at a time must not come near it.
fn mappings() -> usize {
    let read = std::fs::read_to_string("/proc/sys/vm/max_map_count");
    let most = read.ok().and_then(|text| text.trim().parse().ok());
    (most.unwrap_or(MAX_MAPPINGS) / 2).min(Semaphore::MAX_PERMITS)
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
