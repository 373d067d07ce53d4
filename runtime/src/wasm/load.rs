//! From bytes to a compiled component, or an error that says what to do.
//!
//! Publishers are not trusted: what they send is measured and looked at before it is compiled, and
//! compiling is bounded in time and number. It runs on threads that may block, never on those that
//! serve calls. Compiled code is taken from the cache where there is one.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::spawn_blocking;
use wasmtime::component::Component;

use super::compiled::CompiledCache;
use super::engine::Engine;
use crate::artifact::{Artifact, Digest};
use crate::limits::Limits;
use crate::secret::SecretError;
use crate::wit::DiscoveryError;

/// Why a component can't be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// More bytes than the gateway reads.
    #[error("the component has {size} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Bytes it has.
        size: u64,
        /// Bytes it may have.
        limit: u64,
    },
    /// Not WebAssembly at all.
    #[error("the artifact is not WebAssembly: it starts with `{start}`, not with `\\0asm`")]
    NotWasm {
        /// The first bytes.
        start: String,
    },
    /// A core module.
    #[error(
        "the artifact is a core WebAssembly module, not a component; build it for wasm32-wasip2, \
         or wrap it by `wasm-tools component new`"
    )]
    CoreModule,
    /// Truncated, corrupted, or of a kind that is not supported.
    #[error("the component is not valid: {reason}")]
    Invalid {
        /// What the validator says.
        reason: String,
    },
    /// The compiler gave up, or had to be given up.
    #[error("the component did not compile within {} s", .after.as_secs())]
    CompileTimeout {
        /// The limit.
        after: Duration,
    },
    /// A fault of the compiler.
    #[error("the compiler crashed on the component: {0}")]
    CompilerCrash(String),
    /// Imports that nothing provides.
    #[error("the component imports what is not provided: {}", .0.join(", "))]
    Imports(Vec<String>),
    /// An import of the right name and the wrong type.
    #[error("the component imports an interface in another form than WASI 0.2 has it: {reason}")]
    Link {
        /// What the linker says.
        reason: String,
    },
    /// Functions that can't be offered under their names.
    #[error(transparent)]
    Tools(#[from] DiscoveryError),
    /// It can never run within the limits.
    #[error(
        "the component needs {needs} {what}, more than the limit; set `{what}` in its limits to {needs} or more"
    )]
    Limits {
        /// `memory` (bytes), `tables` or `memories`.
        what: &'static str,
        /// What it needs to start.
        needs: u64,
    },
    /// A secret that can't be read, or not be used as intended.
    #[error("the secret {secret} can't be used: {cause}")]
    Secret {
        /// What it is for and where it comes from.
        secret: String,
        /// What is wrong with it.
        cause: SecretError,
    },
    /// A granted directory that can't be opened.
    #[error("the grant `{line}` can't be used: {cause}; create the directory or correct `host`")]
    Files {
        /// The line of the config.
        line: String,
        /// What the system says.
        cause: io::Error,
    },
}

/// A compiled component, and what is worth telling about how it came to be.
pub(super) struct Compiled {
    pub(super) component: Component,
    pub(super) notes: Vec<String>,
}

/// Compiles `artifact` or takes its code from the cache.
pub(super) async fn compile(
    engine: &Engine,
    artifact: &Artifact,
    cache: Option<&CompiledCache>,
) -> Result<Compiled, LoadError> {
    check(&artifact.bytes, engine.options().max_component)?;
    let mut notes = Vec::new();
    if let Some(cache) = cache {
        let (cache, engine, digest) = (cache.clone(), engine.clone(), artifact.digest);
        let (found, note) = blocking(move || cache.load(&engine, &digest)).await?;
        notes.extend(note);
        if let Some(component) = found {
            return Ok(Compiled { component, notes });
        }
    }
    let (component, note) = compile_now(engine, artifact, cache).await?;
    notes.extend(note);
    Ok(Compiled { component, notes })
}

/// Looks at the first bytes, so that common mistakes get their own message.
fn check(bytes: &[u8], limit: u64) -> Result<(), LoadError> {
    let size = bytes.len() as u64;
    if size > limit {
        return Err(LoadError::TooLarge { size, limit });
    }
    match bytes {
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(LoadError::CoreModule),
        [0, b'a', b's', b'm', ..] => Ok(()),
        _ => {
            let start = bytes.get(..bytes.len().min(8)).unwrap_or_default();
            let start = start.escape_ascii().to_string();
            Err(LoadError::NotWasm { start })
        }
    }
}

/// Waits for its turn and compiles. A compilation that takes too long is given up: its thread
/// can't be stopped, but its turn goes to the next, so that one component can't keep others from
/// being served.
async fn compile_now(
    engine: &Engine,
    artifact: &Artifact,
    cache: Option<&CompiledCache>,
) -> Result<(Component, Option<String>), LoadError> {
    let after = engine.options().compile_timeout;
    let (shared, bytes) = (engine.clone(), artifact.bytes.clone());
    let (cache, digest) = (cache.cloned(), artifact.digest);
    let work = move || compile_blocking(&shared, &bytes, cache.as_ref(), &digest);
    let _turn = engine.compiling().acquire().await;
    let timed_out = |_| LoadError::CompileTimeout { after };
    let compiled = tokio::time::timeout(after, blocking(work)).await;
    compiled.map_err(timed_out)??
}

fn compile_blocking(
    engine: &Engine,
    bytes: &Bytes,
    cache: Option<&CompiledCache>,
    digest: &Digest,
) -> Result<(Component, Option<String>), LoadError> {
    let compiled = Component::from_binary(engine.wasmtime(), bytes);
    let component = compiled.map_err(|error| LoadError::Invalid { reason: reason(&error) })?;
    let note = cache.and_then(|cache| cache.store(engine, digest, &component));
    Ok((component, note))
}

/// Runs what may take long or panic away from the threads that serve calls.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, LoadError> {
    let crashed = |error: tokio::task::JoinError| LoadError::CompilerCrash(error.to_string());
    spawn_blocking(work).await.map_err(crashed)
}

/// Refuses a component whose fixed needs are beyond its limits.
pub(super) fn check_limits(component: &Component, limits: &Limits) -> Result<(), LoadError> {
    const PAGE: u64 = 64 * 1024;
    // Unknown only for components that import modules, which nothing provides.
    let Some(needs) = component.resources_required() else {
        return Ok(());
    };
    let memory = needs.max_initial_memory_size.unwrap_or(0);
    let wanted = [
        ("memory", memory.saturating_mul(PAGE), limits.memory),
        ("tables", needs.num_tables.into(), limits.tables.into()),
        ("memories", needs.num_memories.into(), limits.memories.into()),
    ];
    match wanted.into_iter().find(|(_, needs, limit)| needs > limit) {
        Some((what, needs, _)) => Err(LoadError::Limits { what, needs }),
        None => Ok(()),
    }
}

/// An error of wasmtime on one line, without repeating itself.
pub(super) fn reason(error: &wasmtime::Error) -> String {
    const MAX: usize = 500;
    let text = format!("{error:#}");
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(MAX).map(shown).collect()
}
