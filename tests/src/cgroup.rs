//! A control group with a limit of memory, as a container has, for one gateway.
//!
//! Made in the root of the hierarchy that has the memory controller, be it of version 1 or 2; it takes
//! root, and a hierarchy that can be written. Where that is not there, the test fails and says what is
//! missing: a promise that nobody could check is not kept.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::gateway;
use crate::site::Site;

/// What a failure to make one ends with.
const NEEDS: &str = "this test needs root and a writable hierarchy of control groups with the memory \
                     controller; in a container, `--privileged --cgroupns=host`";

/// A group without swap. Removed on drop, when what ran there must have ended.
pub struct Cgroup {
    dir: PathBuf,
    files: &'static Files,
}

/// Where a version has its numbers.
struct Files {
    limit: &'static str,
    /// With the least that may be swapped. Not there where the kernel does not count swap.
    swap: (&'static str, Swap),
    usage: &'static str,
    peak: &'static str,
    /// With a line `oom_kill COUNT`.
    kills: &'static str,
}

enum Swap {
    /// Swap alone is limited.
    Zero,
    /// Memory and swap are limited together.
    AsLimit,
}

const V1: Files = Files {
    limit: "memory.limit_in_bytes",
    swap: ("memory.memsw.limit_in_bytes", Swap::AsLimit),
    usage: "memory.usage_in_bytes",
    peak: "memory.max_usage_in_bytes",
    kills: "memory.oom_control",
};

const V2: Files = Files {
    limit: "memory.max",
    swap: ("memory.swap.max", Swap::Zero),
    usage: "memory.current",
    peak: "memory.peak",
    kills: "memory.events",
};

impl Cgroup {
    /// A new group that may have this many bytes.
    ///
    /// # Panics
    /// Where none can be made.
    pub fn with_memory(bytes: u64) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let (root, files) =
            hierarchy().or_else(mounted).unwrap_or_else(|| panic!("none is mounted: {NEEDS}"));
        if root.join("cgroup.controllers").exists() {
            delegate(&root);
        }
        let name = format!("toolgate-e2e-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let dir = root.join(name);
        fs::create_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}: {NEEDS}", dir.display()));
        let group = Self { dir, files };
        group.write(files.limit, bytes);
        let (swap, least) = &files.swap;
        if group.dir.join(swap).exists() {
            group.write(swap, if matches!(least, Swap::Zero) { 0 } else { bytes });
        }
        group
    }

    /// `toolgate` in a site, started inside of the group: what it reads of its limits is the group's.
    pub fn command(&self, site: &Site) -> Command {
        let plain = gateway::command(site);
        let mut command = Command::new("sh");
        // The shell enters before it becomes the gateway, so that all of the gateway is counted.
        command.args(["-c", r#"echo $$ > "$0/cgroup.procs" && exec "$@""#]).arg(&self.dir);
        command.arg(plain.get_program()).current_dir(site.dir()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }

    /// Bytes in use now, page cache included.
    pub fn usage(&self) -> u64 {
        self.number(self.files.usage)
    }

    /// The most bytes that were in use at a time.
    pub fn peak(&self) -> u64 {
        self.number(self.files.peak)
    }

    /// Processes that the kernel killed for want of memory.
    pub fn kills(&self) -> u64 {
        let text = self.read(self.files.kills);
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("no oom_kill in {text:?}"))
    }

    fn number(&self, file: &str) -> u64 {
        let text = self.read(file);
        text.trim().parse().unwrap_or_else(|error| panic!("{file}: {error}: {text:?}"))
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.dir.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    fn write(&self, file: &str, bytes: u64) {
        let path = self.dir.join(file);
        fs::write(&path, bytes.to_string())
            .unwrap_or_else(|error| panic!("{}: {error}: {NEEDS}", path.display()));
    }
}

impl Drop for Cgroup {
    /// The kernel lets go of a process a moment after it was waited for.
    fn drop(&mut self) {
        let end = Instant::now() + Duration::from_secs(5);
        while let Err(error) = fs::remove_dir(&self.dir) {
            if error.kind() == ErrorKind::NotFound || Instant::now() > end {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Mounts the memory controller where the system would have it, on a machine whose system did not.
fn mounted() -> Option<(PathBuf, &'static Files)> {
    const MOUNT: &str = "mount -t tmpfs cgroup /sys/fs/cgroup && mkdir /sys/fs/cgroup/memory && \
                         mount -t cgroup -o memory cgroup /sys/fs/cgroup/memory";
    let mounted = Command::new("sh").args(["-c", MOUNT]).status().is_ok_and(|status| status.success());
    mounted.then(hierarchy).flatten()
}

/// Where the memory controller is, by the table of mounts.
fn hierarchy() -> Option<(PathBuf, &'static Files)> {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc/self/mounts");
    let of = |wanted: fn(&str, &str) -> bool| {
        mounts.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            let [_, dir, kind, options, ..] = fields[..] else { return None };
            wanted(kind, options).then(|| PathBuf::from(dir))
        })
    };
    let v1 = of(|kind, options| kind == "cgroup" && options.split(',').any(|option| option == "memory"));
    let v2 = || of(|kind, _| kind == "cgroup2");
    v1.map(|dir| (dir, &V1)).or_else(|| v2().map(|dir| (dir, &V2)))
}

/// Version 2 has a controller in a group only if the group above hands it down.
fn delegate(root: &Path) {
    let file = root.join("cgroup.subtree_control");
    let handed = fs::read_to_string(&file).unwrap_or_default();
    if handed.split_whitespace().all(|controller| controller != "memory") {
        fs::write(&file, "+memory").unwrap_or_else(|error| panic!("{}: {error}: {NEEDS}", file.display()));
    }
}
