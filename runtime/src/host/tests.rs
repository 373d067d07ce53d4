//! Machines as their kernels describe them, laid out below a temporary root.

#![allow(clippy::unwrap_used, reason = "a test that can't set up its files has failed")]

use std::fs;
use std::path::Path;

use super::{Host, MemorySource};

const MEMINFO: &str = "MemTotal:       16000000 kB\nMemFree: 1 kB\n";
const NO_SWAPS: &str = "Filename\t\t\tType\t\tSize\tUsed\tPriority\n";

struct Machine(tempfile::TempDir);

impl Machine {
    fn new(files: &[(&str, &str)]) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        for (path, content) in files {
            let path = machine.root().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        machine
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn host(&self) -> Host {
        Host::below(self.root())
    }
}

#[test]
fn without_control_groups_the_machine_s_memory_counts() {
    let host = Machine::new(&[("proc/meminfo", MEMINFO)]).host();
    assert_eq!(host.memory, 16_000_000 * 1024);
    assert_eq!(host.memory_from, MemorySource::Machine);
    assert!(host.processors >= 1);
}

#[test]
fn a_container_s_limit_counts_where_it_is_lower() {
    let machine = Machine::new(&[
        ("proc/meminfo", MEMINFO),
        ("proc/self/cgroup", "0::/\n"),
        ("sys/fs/cgroup/memory.max", "536870912\n"),
    ]);
    let host = machine.host();
    assert_eq!(host.memory, 512 << 20);
    let file = machine.root().join("sys/fs/cgroup/memory.max");
    assert_eq!(host.memory_from, MemorySource::Cgroup(file));
}

#[test]
fn the_lowest_limit_on_the_way_up_counts() {
    let machine = Machine::new(&[
        ("proc/meminfo", MEMINFO),
        ("proc/self/cgroup", "0::/pods/a/b\n"),
        ("sys/fs/cgroup/pods/a/b/memory.max", "max\n"),
        ("sys/fs/cgroup/pods/a/memory.max", "1000000000\n"),
        ("sys/fs/cgroup/pods/memory.max", "3000000000\n"),
    ]);
    assert_eq!(machine.host().memory, 1_000_000_000);
}

#[test]
fn version_1_is_read_also_where_only_the_container_s_own_group_is_mounted() {
    let files = [
        ("proc/meminfo", MEMINFO),
        ("proc/self/cgroup", "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n"),
    ];
    assert_eq!(Machine::new(&files).host().memory, 256 << 20);
}

#[test]
fn version_1_s_unlimited_is_no_limit() {
    let files = [
        ("proc/meminfo", MEMINFO),
        ("proc/self/cgroup", "4:memory:/\n"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
    ];
    assert_eq!(Machine::new(&files).host().memory_from, MemorySource::Machine);
}

#[test]
fn a_machine_that_tells_nothing_is_taken_for_a_small_one_that_may_swap() {
    let host = Machine::new(&[]).host();
    assert_eq!((host.memory, host.memory_from), (512 << 20, MemorySource::Unknown));
    assert_eq!(host.mappings, 65_530);
    assert!(host.swap.unwrap().contains("unknown"));
}

#[test]
fn without_swap_devices_nothing_is_swapped() {
    assert_eq!(Machine::new(&[("proc/swaps", NO_SWAPS)]).host().swap, None);
}

#[test]
fn a_swap_device_is_named_unless_the_control_group_forbids_it() {
    let swaps = format!("{NO_SWAPS}/dev/zram0 partition 1000 0 100\n");
    let with = [("proc/swaps", swaps.as_str()), ("proc/self/cgroup", "0::/a\n")];
    assert!(Machine::new(&with).host().swap.unwrap().contains("/dev/zram0"));
    let forbidden = [with[0], with[1], ("sys/fs/cgroup/a/memory.swap.max", "0\n")];
    assert_eq!(Machine::new(&forbidden).host().swap, None);
    let limited = [with[0], with[1], ("sys/fs/cgroup/a/memory.swap.max", "4096\n")];
    assert!(Machine::new(&limited).host().swap.is_some());
}

#[test]
fn this_machine_can_be_read() {
    let host = Host::read();
    assert!(host.memory > 64 << 20, "{host:?}");
    assert!(host.mappings > 1_000, "{host:?}");
}

#[test]
fn the_limit_of_descriptors_in_force_counts() {
    let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                  Max open files            4096                 524288               files     \n";
    assert_eq!(Machine::new(&[("proc/self/limits", limits)]).host().descriptors, 4096);
    assert_eq!(Machine::new(&[]).host().descriptors, 1024);
    let unlimited = "Max open files            unlimited            unlimited            files     \n";
    assert_eq!(Machine::new(&[("proc/self/limits", unlimited)]).host().descriptors, 1024);
}
