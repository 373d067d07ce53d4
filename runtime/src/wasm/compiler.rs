//! From WebAssembly to native code, in a process of its own where there is a program for it.
//!
//! Compilers are not made to withstand their input: what takes hours or all memory to compile, or
//! crashes the compiler, must harm nobody. So the bytes go to a child process with limits of its
//! own, which can be killed, and code comes back in a file. Code that runs inside the gateway is
//! the same either way: the child needs no more trust than the compiler has.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{
    Resource, Rlimit, Signal, getrlimit, nice, set_parent_process_death_signal, setrlimit,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, Command};

use super::code;
use super::engine::{Engine, Metering, compiling};
use super::load::{self, LoadError};

/// Address space of the child. An interpreter of 18 MB takes less than 1 GiB.
const ADDRESS_SPACE: u64 = 4 * 1024 * 1024 * 1024;

/// Processors that one compilation uses; each thread takes address space.
const THREADS: u64 = 4;

/// By how much the child steps back behind the threads that serve calls. By Linux's weights these keep
/// nine tenths of a processor against each of its threads, and it keeps a tenth: it costs others little,
/// and however busy they are, an interpreter of 18 MB compiles within the time that is given by default.
const NICE: i32 = 10;

/// Bytes of what the child says that are read.
const MAX_WORDS: u64 = 4096;

/// The child's status when it is the component that is at fault.
const INVALID: u8 = 65;

/// The child's status when the component makes more code than is loaded.
const TOO_LARGE: u8 = 73;

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
            let cpu = cpu(options.compile_timeout);
            let seconds = cpu.to_string();
            let command = command(arguments.chain([options.metering.as_str(), &seconds]));
            in_process(command, cpu, bytes).await
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

/// Runs the child that `command` starts, which may take `cpu` seconds of processor time.
async fn in_process(mut command: Command, cpu: u64, bytes: &Bytes) -> Result<File, LoadError> {
    let code = code::unnamed().map_err(LoadError::Code)?;
    let out = code.try_clone().map_err(LoadError::Code)?;
    command.stdin(Stdio::piped()).stdout(out).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(LoadError::Compiler)?;
    let fed = feed(child.stdin.take(), bytes);
    let words = read_words(child.stderr.take());
    // It may end before it has read everything; then its status says why.
    let (_, words) = tokio::join!(fed, words);
    let status = child.wait().await.map_err(LoadError::Compiler)?;
    if status.success() { Ok(code) } else { Err(failure(status, words, cpu)) }
}

/// The descriptor of this very program works also after its file was replaced.
fn command<'a>(arguments: impl Iterator<Item = &'a str>) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command
        .args(arguments)
        .env_clear()
        .env("RAYON_NUM_THREADS", THREADS.to_string())
        .env("MALLOC_ARENA_MAX", "2")
        .current_dir("/");
    command
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

/// What a child's end says of the component.
fn failure(status: ExitStatus, words: String, cpu: u64) -> LoadError {
    if status.code() == Some(INVALID.into()) {
        return LoadError::Invalid { reason: words };
    }
    let ended_by = |signal: Signal| status.signal() == Some(signal.as_raw());
    if ended_by(Signal::XCPU) {
        return LoadError::CompilerLimit(format!("{cpu} s of processor time"));
    }
    if status.code() == Some(TOO_LARGE.into()) || ended_by(Signal::XFSZ) {
        return LoadError::CompilerLimit(format!("{} MiB of code", code::MAX_CODE >> 20));
    }
    let mut crash = status.to_string();
    if ended_by(Signal::KILL) {
        // `confine` sees to that.
        crash.push_str("; where memory runs out, the compiler is the first to be killed");
    }
    if !words.is_empty() {
        crash = format!("{crash}: {words}");
    }
    LoadError::CompilerCrash(crash)
}

/// The child's part: reads a component from `input`, writes its code to `output` and returns the
/// status to exit with. What is wrong with the component goes to `words`.
///
/// Gives itself limits first: `cpu` of processor time, 4 GiB of address space, 512 MiB of output, a low
/// priority, to be the first to go when memory runs out, and to end with the thread that started it.
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
    let code = engine.precompile_component(&bytes).map_err(|error| (INVALID, load::reason(&error)))?;
    // The limit of output holds as well, but only after so much was written.
    if code.len() as u64 > code::MAX_CODE {
        return Err((TOO_LARGE, format!("{} bytes of code", code.len())));
    }
    Ok(code)
}

fn confine(cpu: Duration) -> io::Result<()> {
    let limit = |resource, soft: u64, hard: u64| {
        // Lower ones stay.
        let most = |wanted: u64| Some(getrlimit(resource).maximum.map_or(wanted, |hard| hard.min(wanted)));
        setrlimit(resource, Rlimit { current: most(soft), maximum: most(hard) })
    };
    let seconds = cpu.as_secs().max(1);
    limit(Resource::As, ADDRESS_SPACE, ADDRESS_SPACE)?;
    // The soft limit ends it by a signal of its own, so that it can be told what was exceeded.
    limit(Resource::Cpu, seconds, seconds.saturating_add(1))?;
    limit(Resource::Core, 0, 0)?;
    limit(Resource::Fsize, code::MAX_CODE, code::MAX_CODE)?;
    // Of this thread, and so of all that it starts. Relative, as the gateway may have stepped back itself.
    nice(NICE)?;
    // A gateway that was killed stops nobody; what it started must not go on for nobody. The threads
    // that start compilers end only with the gateway.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // Where it can't be set, the kernel chooses by size, and the child is often the largest.
    std::fs::write("/proc/self/oom_score_adj", "1000").ok();
    Ok(())
}

#[cfg(test)]
mod tests;
