//! What a process costs, as the kernel counts it: processor time and resident memory.

use std::fs;
use std::io;
use std::time::Duration;

/// Clock ticks a second in `/proc/PID/stat`: Linux's `USER_HZ`, 100 for every architecture's user
/// space that is built for here. So processor time is exact to 10 ms only, and needs long runs.
const TICKS: u32 = 100;

/// A look at a process.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// User and system time of all its threads since it began.
    pub cpu: Duration,
    /// Resident bytes now.
    pub resident: u64,
    /// The most resident bytes since it began.
    pub resident_peak: u64,
}

/// Looks at a process; `self` is this one.
///
/// # Errors
/// When it is gone.
pub fn usage(pid: &str) -> io::Result<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let bytes = |key| kibibytes(&status, key).map(|kib| kib * 1024);
    let found = (cpu(&stat), bytes("VmRSS:"), bytes("VmHWM:"));
    let (Some(cpu), Some(resident), Some(resident_peak)) = found else {
        return Err(io::Error::other(format!("/proc/{pid} does not say what the process uses")));
    };
    Ok(Usage { cpu, resident, resident_peak })
}

/// Time that a virtual machine's processors were ready and the host let others run, all of them together
/// since it booted (proc_stat(5), `steal`). Zero where the kernel does not say.
#[must_use]
pub fn stolen() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    Duration::from_secs(1) * steal(&stat).unwrap_or(0) / TICKS
}

/// The eighth figure of the first line, which sums up all processors.
fn steal(stat: &str) -> Option<u32> {
    stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().nth(7)?.parse().ok()
}

/// Fields 14 and 15. The second field is the program's name and may hold anything, so counting
/// begins after its closing parenthesis.
fn cpu(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    Some(Duration::from_secs(1) * (ticks()? + ticks()?) / TICKS)
}

fn kibibytes(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{cpu, steal, usage};

    #[test]
    fn stolen_time_is_that_of_all_processors() {
        assert_eq!(steal("cpu  1 2 3 4 5 6 7 800 9 10\ncpu0 1 1 1 1 1 1 1 1 1 1\n"), Some(800));
        assert_eq!(steal("intr 1"), None);
    }

    #[test]
    fn time_is_found_behind_any_name() {
        let stat = "7 (a) b) (c) S 1 2 3 4 -1 5 6 7 8 9 250 50 0 0 20 0 7";
        assert_eq!(cpu(stat), Some(Duration::from_secs(3)));
    }

    #[test]
    fn this_process_occupies_memory() {
        let usage = usage("self").expect("this process is there");
        assert!(usage.resident > 100_000 && usage.resident_peak >= usage.resident, "{usage:?}");
    }
}
