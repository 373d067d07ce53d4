//! From bytes to a compiled component, or an error that says what to do.
//!
//! Publishers are not trusted: what they send is measured and looked at before it is compiled, and
//! compiling is bounded in time and number. It runs on threads that may block, never on those that
//! serve calls. Compiled code is taken from the cache where there is one.

use std::fs::File;
use std::io;
use std::time::Duration;

use tokio::task::spawn_blocking;
use wasmtime::component::Component;

use super::code::Code;
use super::compiled::CompiledCache;
use super::compiler;
use super::engine::Engine;
use super::instances::{self, Loaded};
use super::meter::TABLE_ELEMENT;
use super::pool::TABLE_ELEMENTS;
use crate::artifact::{Artifact, Digest};
use crate::limits::Limits;
use crate::offers::NoSuchTool;
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
    /// A fault of the compiler, or more memory than it may take.
    #[error("the compiler crashed on the component: {0}")]
    CompilerCrash(String),
    /// More processor time than it may take, or more code than is loaded.
    #[error("the component takes more to compile than {0}")]
    CompilerLimit(String),
    /// The compiler's process can't be started.
    #[error("the compiler can't be started: {0}")]
    Compiler(io::Error),
    /// Compiled code has no place.
    #[error("there is no place for compiled code: {0}")]
    Code(io::Error),
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
    /// A component that speaks MCP does not say what it offers.
    #[error("the component does not say what it offers: {0}")]
    Offers(String),
    /// It is renamed what it does not offer.
    #[error(transparent)]
    Rename(#[from] NoSuchTool),
    /// It can never run within the limits.
    #[error("the component needs {}, more than the limit; {} or more in its limits", amount(what, *.needs), set(what, *.needs))]
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
    /// A table that no limit allows.
    #[error(
        "the component needs a table of {needs} elements; {TABLE_ELEMENTS} are the most that a table may have"
    )]
    Table {
        /// Elements.
        needs: u64,
    },
    /// It takes more memory mappings than calls may have.
    #[error(
        "a call of the component takes {needs} memory mappings, and {most} are left to calls that do not fit \
         into the pool; raise `vm.max_map_count`"
    )]
    Mappings {
        /// What a call takes.
        needs: u64,
        /// What all calls outside of the pool may take together.
        most: u64,
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

fn amount(what: &str, needs: u64) -> String {
    if what == "memory" { format!("{needs} bytes of memory") } else { format!("{needs} {what}") }
}

/// As the config has it, where sizes have a unit.
fn set(what: &str, needs: u64) -> String {
    if what == "memory" { format!("set `memory = \"{needs}B\"`") } else { format!("set `{what} = {needs}`") }
}

/// A compiled component, and what is worth telling about how it came to be.
pub(super) struct Compiled {
    pub(super) loaded: Loaded,
    /// What it was loaded from.
    pub(super) code: Code,
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
        let (cache, shared, digest) = (cache.clone(), engine.clone(), artifact.digest);
        let (kept, note) = blocking(move || cache.load(&shared, &digest)).await?;
        notes.extend(note);
        if let Some(code) = kept {
            match load(engine, code).await? {
                Ok((loaded, code)) => {
                    notes.extend(copied(artifact, &loaded));
                    return Ok(Compiled { loaded, code, notes });
                }
                Err(why) => notes.push(format!("`{}` was compiled again: {why}", artifact.reference)),
            }
        }
    }
    let (code, note) = compile_now(engine, artifact, cache).await?;
    notes.extend(note);
    let (loaded, code) = load(engine, code).await?.map_err(|reason| LoadError::Invalid { reason })?;
    notes.extend(copied(artifact, &loaded));
    Ok(Compiled { loaded, code, notes })
}

/// What to tell of code that is not shared, as it can't be mapped.
fn copied(artifact: &Artifact, loaded: &Loaded) -> Option<String> {
    // What led to it names a descriptor, which tells nobody anything.
    let why = loaded.copied.as_ref()?.root_cause();
    Some(format!(
        "the code of `{}` is copied and shared with no other gateway, as it can't be mapped: {why}; \
         let `state-dir` be where files may be executed",
        artifact.reference
    ))
}

/// Loads code, or says why it can't be loaded.
async fn load(engine: &Engine, code: Code) -> Result<Result<(Loaded, Code), String>, LoadError> {
    let engine = engine.clone();
    let load = move || match instances::load(&engine, &code) {
        Ok(loaded) => Ok((loaded, code)),
        Err(error) => Err(reason(&error)),
    };
    blocking(load).await
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

/// Waits for its turn, compiles, and keeps the code where there is a cache. What takes too long is
/// given up, so that one component can't keep others from being served.
async fn compile_now(
    engine: &Engine,
    artifact: &Artifact,
    cache: Option<&CompiledCache>,
) -> Result<(Code, Option<String>), LoadError> {
    let after = engine.options().compile_timeout;
    let timed_out = |_| LoadError::CompileTimeout { after };
    let turn = engine.compiling().acquire().await;
    let compiled = tokio::time::timeout(after, compiler::run(engine, &artifact.bytes)).await;
    let file = compiled.map_err(timed_out)??;
    drop(turn);
    let (cache, engine, digest) = (cache.cloned(), engine.clone(), artifact.digest);
    blocking(move || keep(&engine, cache.as_ref(), &digest, file)).await
}

fn keep(
    engine: &Engine,
    cache: Option<&CompiledCache>,
    digest: &Digest,
    mut file: File,
) -> (Code, Option<String>) {
    let (kept, note) = cache.map_or((None, None), |cache| cache.store(engine, digest, &mut file));
    // SAFETY: the compiler wrote the file for this engine, and nobody else knows it.
    (kept.unwrap_or_else(|| unsafe { Code::from_trusted(file) }), note)
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
    // Of the largest memory and the largest table; there may be more of both.
    let memory = needs.max_initial_memory_size.unwrap_or(0).saturating_mul(PAGE);
    let table = needs.max_initial_table_size.unwrap_or(0).saturating_mul(TABLE_ELEMENT as u64);
    let wanted = [
        ("memory", memory.saturating_add(table), limits.memory),
        ("tables", needs.num_tables.into(), limits.tables.into()),
        ("memories", needs.num_memories.into(), limits.memories.into()),
    ];
    let elements = needs.max_initial_table_size.unwrap_or(0);
    if elements > TABLE_ELEMENTS as u64 {
        return Err(LoadError::Table { needs: elements });
    }
    match wanted.into_iter().find(|(_, needs, limit)| needs > limit) {
        Some((what, needs, _)) => Err(LoadError::Limits { what, needs }),
        None => Ok(()),
    }
}

/// An error of wasmtime on one line, without repeating itself.
pub(super) fn reason(error: &wasmtime::Error) -> String {
    one_line(&format!("{error:#}"))
}

/// What others wrote, on one line and bounded.
pub(super) fn one_line(text: &str) -> String {
    const MAX: usize = 500;
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.trim_end().chars().take(MAX).map(shown).collect()
}
