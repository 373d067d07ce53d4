//! What this machine, or the container on it, gives to the process.
//!
//! Read once at the start; pools, admission and `toolgate doctor` are sized by it. Everything is
//! read from files of the kernel, below a root that tests can set. What can't be read counts as
//! the worst case, so that a machine which tells less gets a gateway that risks less.

use std::fs;
use std::path::{Path, PathBuf};

mod cgroup;

use self::cgroup::Cgroups;

/// Memory mappings of a process where the kernel does not say, which is also Linux's default.
const DEFAULT_MAPPINGS: u64 = 65_530;

/// Descriptors of a process where the kernel does not say: what systems give programs to begin with.
const DEFAULT_DESCRIPTORS: u64 = 1_024;

/// Bytes of memory assumed where nothing says how many there are: the smallest common container.
const UNKNOWN_MEMORY: u64 = 512 * 1024 * 1024;

/// What there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Bytes of memory that this process may use.
    pub memory: u64,
    /// What says so.
    pub memory_from: MemorySource,
    /// Processors that this process may use, see [`processors`].
    pub processors: usize,
    /// Memory mappings that this process may have (`vm.max_map_count`).
    pub mappings: u64,
    /// File descriptors that this process may have.
    pub descriptors: u64,
    /// Why this process's memory may be swapped out; `None` if it can't be.
    pub swap: Option<String>,
}

/// Where a limit of memory comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemorySource {
    /// The limit file of a control group.
    Cgroup(PathBuf),
    /// The machine's memory: no control group sets less.
    Machine,
    /// Nothing could be read.
    Unknown,
}

impl Host {
    /// Reads this machine.
    #[must_use]
    pub fn read() -> Self {
        Self::below(Path::new("/"))
    }

    /// Reads the machine whose `proc` and `sys` are below `root`.
    fn below(root: &Path) -> Self {
        let cgroups = Cgroups::read(root);
        let machine = meminfo(&text(&root.join("proc/meminfo")));
        let (memory, memory_from) = match (cgroups.memory(), machine) {
            (Some((limit, file)), total) if total.is_none_or(|total| limit < total) => {
                (limit, MemorySource::Cgroup(file))
            }
            (_, Some(total)) => (total, MemorySource::Machine),
            _ => (UNKNOWN_MEMORY, MemorySource::Unknown),
        };
        let mappings = text(&root.join("proc/sys/vm/max_map_count"));
        Self {
            memory,
            memory_from,
            processors: processors(),
            mappings: mappings.trim().parse().unwrap_or(DEFAULT_MAPPINGS),
            descriptors: descriptors(&text(&root.join("proc/self/limits"))).unwrap_or(DEFAULT_DESCRIPTORS),
            swap: swap(root, &cgroups),
        }
    }
}

/// Processors that this process may use: those that it is bound to, or as many as the quota of its control
/// groups comes to, if these are fewer; at least one.
#[must_use]
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Memory is never swapped out where there is nothing to swap to, or where the control group lets
/// none of it go there. The limits of version 1 bound memory and swap together, so they can't say.
fn swap(root: &Path, cgroups: &Cgroups) -> Option<String> {
    if cgroups.forbids_swap() {
        return None;
    }
    let file = root.join("proc/swaps");
    match fs::read_to_string(&file) {
        Ok(swaps) => {
            let device = swaps.lines().nth(1)?.split_whitespace().next()?.to_owned();
            Some(format!("swap is on `{device}` and no control group forbids it"))
        }
        Err(error) => Some(format!("whether there is swap is unknown: `{}`: {error}", file.display())),
    }
}

/// The limit in force, of the two that the line has.
fn descriptors(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests;
