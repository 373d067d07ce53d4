//! A Docker engine: the machine's own where one answers, else Debian's, for as long as it is needed.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::apt::{self, Need};
use crate::layout;
use crate::process::{self, Failure, Result};
use crate::progress::step;

const NEEDS: [Need; 2] = [
    Need { program: "dockerd", package: "docker.io" },
    // Debian's newer releases have it apart.
    Need { program: "docker", package: "docker-cli" },
];

/// What mounts control groups on a machine whose init did not.
const CGROUPS: [Need; 1] = [Need { program: "cgroupfs-mount", package: "cgroupfs-mount" }];

/// Time for an engine to come up, and to go.
const PATIENCE: Duration = Duration::from_secs(60);

/// An engine that answers; one that was started here ends when the value is dropped.
pub(crate) struct Engine(Option<Child>);

impl Engine {
    /// Waits for one that answers.
    pub(crate) fn ensure() -> Result<Self> {
        if answers() {
            return Ok(Self(None));
        }
        apt::ensure(&NEEDS)?;
        if !has_cgroups() {
            apt::ensure(&CGROUPS)?;
            process::run(&mut Command::new("cgroupfs-mount"))?;
        }
        step("starting a Docker engine", start)
    }
}

/// Whether an engine answers.
pub(crate) fn answers() -> bool {
    let mut command = Command::new("docker");
    let quiet = command.arg("version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Whether control groups are mounted, without which no engine limits anything.
fn has_cgroups() -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(2).is_some_and(|kind| kind.starts_with("cgroup")))
}

fn start() -> Result<Engine> {
    let log = layout::root().join("target/dockerd.log");
    let failed = |e| Failure::new(format!("{}: {e}", log.display()));
    let file = File::create(&log).map_err(failed)?;
    let mut dockerd = Command::new("dockerd");
    // Without the bridge and the firewall's rules that everybody's containers would have: the machine
    // stays as it is, and loopback as fast as it was.
    dockerd.args(["--iptables=false", "--ip6tables=false", "--bridge=none"]);
    dockerd.stdin(Stdio::null()).stdout(file.try_clone().map_err(failed)?).stderr(file);
    let child = dockerd.spawn().map_err(|e| process::not_started(&dockerd, &e))?;
    let mut engine = Engine(Some(child));
    let end = Instant::now() + PATIENCE;
    while !answers() {
        let ended = engine.0.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
        if ended || Instant::now() > end {
            return Err(Failure::new(format!("dockerd does not come up; {} says why", log.display()))
                .hint("start a Docker engine and run again; starting one takes root's rights"));
        }
        sleep(Duration::from_millis(100));
    }
    Ok(engine)
}

impl Drop for Engine {
    /// By a signal that it knows, so that what it has started ends with it.
    fn drop(&mut self) {
        let Some(child) = &mut self.0 else { return };
        if let (Ok(None), Ok(process)) = (child.try_wait(), libc::pid_t::try_from(child.id())) {
            // SAFETY: a system call without memory. The child has not been waited for, so its id names
            // no other process.
            unsafe { libc::kill(process, libc::SIGTERM) };
        }
        let end = Instant::now() + PATIENCE;
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < end {
            sleep(Duration::from_millis(50));
        }
        drop(child.kill());
        drop(child.wait());
    }
}
