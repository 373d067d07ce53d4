//! What the system tells of a process from outside, by `/proc`.

use std::fs;
use std::time::Duration;

/// Ticks of `/proc/PID/stat` in a second: `USER_HZ`, which Linux has fixed.
const TICKS: u64 = 100;

/// All that there are.
pub fn all() -> impl Iterator<Item = u32> {
    let processes = fs::read_dir("/proc").expect("/proc").map_while(Result::ok);
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The processes that a process has started and not yet seen the end of.
pub fn children(pid: u32) -> Vec<u32> {
    all().filter(|child| parent(*child) == Some(pid)).collect()
}

/// `None` for a process that is gone.
pub fn parent(pid: u32) -> Option<u32> {
    stat(pid)?.get(1)?.parse().ok()
}

/// Whether a process has started others and seen the end of one: by the page faults of these, since a
/// program can't even begin without any.
///
/// # Panics
/// If it is gone.
pub fn had_children(pid: u32) -> bool {
    let stat = stat(pid).expect("a living process");
    stat[8] != "0"
}

/// Processor time that a process has taken so far, with all of its threads; `None` if it is gone.
pub fn processor_time(pid: u32) -> Option<Duration> {
    let stat = stat(pid)?;
    let ticks = |field: usize| stat.get(field)?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks(11)? + ticks(12)?) * 1000 / TICKS))
}

/// By how much its first thread steps back behind others; `None` if it is gone.
pub fn nice(pid: u32) -> Option<i32> {
    stat(pid)?.get(16)?.parse().ok()
}

/// Bytes that are resident.
///
/// # Panics
/// If it is gone.
pub fn resident(pid: u32) -> u64 {
    kib_in(&format!("/proc/{pid}/status"), "VmRSS:").expect("a living process")
}

/// The most bytes that were ever resident, or since that was forgotten.
///
/// # Panics
/// If it is gone.
pub fn peak(pid: u32) -> u64 {
    kib_in(&format!("/proc/{pid}/status"), "VmHWM:").expect("a living process")
}

/// Has the peak counted from now on (proc(5), `clear_refs`).
///
/// # Panics
/// If it is gone, or another user's.
pub fn forget_the_peak(pid: u32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("a living process");
}

/// Bytes that the machine could give without swapping.
///
/// # Panics
/// Where the kernel does not tell.
pub fn available_memory() -> u64 {
    kib_in("/proc/meminfo", "MemAvailable:").expect("MemAvailable")
}

/// A number of KiB that a file names, in bytes.
fn kib_in(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The fields behind the name, beginning with the state (proc_pid_stat(5), field 3).
fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, which is in brackets, may hold brackets and spaces.
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}
