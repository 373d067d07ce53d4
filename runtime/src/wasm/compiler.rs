//! From WebAssembly to native code, in a process of its own where there is a program for it.
//!
//! Compilers are not made to withstand their input: what takes hours or all memory to compile, or
//! crashes the compiler, must harm nobody. So the bytes go to a child process with limits of its
//! own, which can be killed, and code comes back in a file. Code that runs inside the gateway is
//! the same either way: the child needs no more trust than the compiler has.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};

use super::code;
use super::engine::{Engine, Metering, compiling};
use super::load::{self, LoadError};

/// Address space of the child. An interpreter of 18 MB takes less than 1 GiB.
const ADDRESS_SPACE: u64 = 4 * 1024 * 1024 * 1024;

/// Processors that one compilation uses; each thread takes address space.
const THREADS: u64 = 4;

/// Bytes of what the child says that are read.
const MAX_WORDS: u64 = 4096;

/// The child's status when it is the component that is at fault.
const INVALID: u8 = 65;

/// Where components are compiled.
#[derive(Clone, Debug, Default)]
pub enum Compiler {
    /// On a thread of this process, which can't be killed.
    #[default]
    Thread,
    /// In this program, started anew with these arguments and two more, the metering and the
    /// seconds of processor time; it must call [`compile`] with them.
    Process(Vec<String>),
}

/// Compiles `bytes` for `engine`; the code is in the returned file, which nobody else knows.
pub(super) async fn run(engine: &Engine, bytes: &Bytes) -> Result<File, LoadError> {
    match &engine.options().compiler {
        Compiler::Thread => {
            let (engine, bytes) = (engine.clone(), bytes.clone());
            load::blocking(move || on_thread(&engine, &bytes)).await?
        }
        Compiler::Process(arguments) => {
            let arguments = arguments.iter().map(String::as_str);
            let options = engine.options();
            let cpu = cpu(options.compile_timeout).to_string();
            in_process(arguments.chain([options.metering.as_str(), &cpu]), bytes).await
        }
    }
}

/// Seconds of processor time for a compilation that may take this long, on all its threads.
fn cpu(time: Duration) -> u64 {
    time.as_secs().max(1).saturating_mul(THREADS)
}

fn on_thread(engine: &Engine, bytes: &[u8]) -> Result<File, LoadError> {
    let compiled = engine.on_demand().precompile_component(bytes);
    let code = compiled.map_err(|error| LoadError::Invalid { reason: load::reason(&error) })?;
    let mut file = code::unnamed().map_err(LoadError::Code)?;
    file.write_all(&code).map_err(LoadError::Code)?;
    Ok(file)
}

async fn in_process(arguments: impl Iterator<Item = &str>, bytes: &Bytes) -> Result<File, LoadError> {
    let code = code::unnamed().map_err(LoadError::Code)?;
    let out = code.try_clone().map_err(LoadError::Code)?;
    let mut child = spawn(arguments, out).map_err(LoadError::Compiler)?;
    let fed = feed(child.stdin.take(), bytes);
    let words = read_words(child.stderr.take());
    // It may end before it has read everything; then its status says why.
    let (_, words) = tokio::join!(fed, words);
    let status = child.wait().await.map_err(LoadError::Compiler)?;
    match status.code() {
        Some(0) => Ok(code),
        Some(status) if status == i32::from(INVALID) => Err(LoadError::Invalid { reason: words }),
        _ => Err(LoadError::CompilerCrash(crash(status, &words))),
    }
}

/// The descriptor of this very program works also after its file was replaced.
fn spawn<'a>(arguments: impl Iterator<Item = &'a str>, out: File) -> io::Result<Child> {
    Command::new("/proc/self/exe")
        .args(arguments)
        .env_clear()
        .env("RAYON_NUM_THREADS", THREADS.to_string())
        .env("MALLOC_ARENA_MAX", "2")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(out)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

async fn feed(stdin: Option<ChildStdin>, bytes: &Bytes) -> io::Result<()> {
    match stdin {
        Some(mut stdin) => stdin.write_all(bytes).await,
        None => Ok(()),
    }
}

async fn read_words(stderr: Option<ChildStderr>) -> String {
    let mut words = Vec::new();
    if let Some(stderr) = stderr {
        // What it said before a fault is still worth telling.
        stderr.take(MAX_WORDS).read_to_end(&mut words).await.ok();
    }
    load::one_line(&String::from_utf8_lossy(&words))
}

fn crash(status: ExitStatus, words: &str) -> String {
    match words {
        "" => status.to_string(),
        words => format!("{status}: {words}"),
    }
}

/// The child's part: reads a component from `input`, writes its code to `output` and returns the
/// status to exit with. What is wrong with the component goes to `words`.
///
/// Gives itself limits first: `cpu` of processor time, 4 GiB of address space, and to be the first
/// to go when memory runs out.
#[must_use]
pub fn compile(
    metering: Metering,
    cpu: Duration,
    input: &mut dyn Read,
    output: &mut dyn Write,
    words: &mut dyn Write,
) -> u8 {
    const FAILED: u8 = 70;
    let compiled = confine(cpu)
        .map_err(|error| (FAILED, format!("its limits can't be set: {error}")))
        .and_then(|()| compile_all(metering, input))
        .and_then(|code| output.write_all(&code).map_err(|error| (FAILED, error.to_string())));
    match compiled {
        Ok(()) => 0,
        Err((status, why)) => {
            // Nobody may be there to hear it.
            writeln!(words, "{why}").ok();
            status
        }
    }
}

fn compile_all(metering: Metering, input: &mut dyn Read) -> Result<Vec<u8>, (u8, String)> {
    const UNREADABLE: u8 = 66;
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).map_err(|error| (UNREADABLE, error.to_string()))?;
    let engine = compiling(metering).map_err(|error| (UNREADABLE, load::reason(&error)))?;
    engine.precompile_component(&bytes).map_err(|error| (INVALID, load::reason(&error)))
}

fn confine(cpu: Duration) -> io::Result<()> {
    let limit = |resource, most: u64| {
        // Lower ones stay.
        let most = getrlimit(resource).maximum.map_or(most, |hard| hard.min(most));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
    };
    limit(Resource::As, ADDRESS_SPACE)?;
    limit(Resource::Cpu, cpu.as_secs().max(1))?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, code::MAX_CODE)?;
    // Where it can't be set, the kernel chooses by size, and the child is often the largest.
    std::fs::write("/proc/self/oom_score_adj", "1000").ok();
    Ok(())
}
