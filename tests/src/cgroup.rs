//! A control group with a limit of memory or of processors, as a container has, for one gateway.
//!
//! Made in the root of the hierarchy that has the controller, be it of version 1 or 2; it takes root, and a
//! hierarchy that can be written. Where that is not there, the test fails and says what is
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
                     and the cpu controller; in a container, `--privileged --cgroupns=host`";

/// Microseconds in which processor time is limited.
const PERIOD: u64 = 100_000;

/// A group. Removed on drop, when what ran there must have ended.
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
    /// With microseconds of processor time in each [`PERIOD`], and what follows them.
    quota: (&'static str, &'static str),
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
    // The period is PERIOD by default.
    quota: ("cpu.cfs_quota_us", ""),
};

const V2: Files = Files {
    limit: "memory.max",
    swap: ("memory.swap.max", Swap::Zero),
    usage: "memory.current",
    peak: "memory.peak",
    kills: "memory.events",
    quota: ("cpu.max", " 100000"),
};

impl Cgroup {
    /// A new group that may have this many bytes, and no swap.
    ///
    /// # Panics
    /// Where none can be made.
    pub fn with_memory(bytes: u64) -> Self {
        let group = Self::with_controller("memory");
        let files = group.files;
        group.write(files.limit, &bytes.to_string());
        let (swap, least) = &files.swap;
        if group.dir.join(swap).exists() {
            let most = if matches!(least, Swap::Zero) { 0 } else { bytes };
            group.write(swap, &most.to_string());
        }
        group
    }

    /// A new group that may use as much time as this many processors have.
    ///
    /// # Panics
    /// Where none can be made.
    pub fn with_processors(count: u64) -> Self {
        let group = Self::with_controller("cpu");
        let (quota, period) = group.files.quota;
        group.write(quota, &format!("{}{period}", count * PERIOD));
        group
    }

    fn with_controller(controller: &str) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let (root, files) = hierarchy(controller)
            .or_else(|| mounted(controller))
            .unwrap_or_else(|| panic!("{controller} is not mounted: {NEEDS}"));
        if root.join("cgroup.controllers").exists() {
            delegate(&root, controller);
        }
        let name = format!("toolgate-e2e-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let dir = root.join(name);
        fs::create_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}: {NEEDS}", dir.display()));
        Self { dir, files }
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

    fn write(&self, file: &str, value: &str) {
        let path = self.dir.join(file);
        fs::write(&path, value).unwrap_or_else(|error| panic!("{}: {error}: {NEEDS}", path.display()));
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

/// Mounts a controller where the system would have it, on a machine whose system did not.
fn mounted(controller: &str) -> Option<(PathBuf, &'static Files)> {
    const MOUNT: &str = "{ mountpoint -q /sys/fs/cgroup || mount -t tmpfs cgroup /sys/fs/cgroup; } && \
                         mkdir -p /sys/fs/cgroup/$0 && mount -t cgroup -o $0 cgroup /sys/fs/cgroup/$0";
    let mounted = Command::new("sh").args(["-c", MOUNT, controller]).status();
    mounted.is_ok_and(|status| status.success()).then(|| hierarchy(controller)).flatten()
}

/// Where a controller is, by the table of mounts.
fn hierarchy(controller: &str) -> Option<(PathBuf, &'static Files)> {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc/self/mounts");
    let of = |wanted: &dyn Fn(&str, &str) -> bool| {
        mounts.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            let [_, dir, kind, options, ..] = fields[..] else { return None };
            wanted(kind, options).then(|| PathBuf::from(dir))
        })
    };
    let v1 = of(&|kind, options| kind == "cgroup" && options.split(',').any(|option| option == controller));
    let v2 = || of(&|kind, _| kind == "cgroup2");
    v1.map(|dir| (dir, &V1)).or_else(|| v2().map(|dir| (dir, &V2)))
}

/// Version 2 has a controller in a group only if the group above hands it down.
fn delegate(root: &Path, controller: &str) {
    let file = root.join("cgroup.subtree_control");
    let handed = fs::read_to_string(&file).unwrap_or_default();
    if handed.split_whitespace().all(|handed| handed != controller) {
        fs::write(&file, format!("+{controller}"))
            .unwrap_or_else(|error| panic!("{}: {error}: {NEEDS}", file.display()));
    }
}
