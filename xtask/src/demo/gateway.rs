//! The running `toolgate serve` of the demo.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::signals;
use super::site::Site;
use crate::process::{self, Failure, Result};

/// How long the first start may take; it compiles the components for this machine.
const START: Duration = Duration::from_secs(120);

/// Between two looks at what may have happened: short for a person, long for a processor.
const GLANCE: Duration = Duration::from_millis(10);

/// `toolgate serve`; ended on drop.
pub(super) struct Gateway {
    process: Child,
    address: String,
    /// Whether log lines go to the terminal; they always go to the log file.
    shown: Arc<AtomicBool>,
}

impl Gateway {
    /// Starts it and waits until it listens. Signals must be counted by now: it gets none by itself.
    pub(super) fn start(site: &Site) -> Result<Self> {
        let port_file = site.path("port");
        // A leftover of the last run would name a port that nobody serves; absent is fine.
        drop(fs::remove_file(&port_file));
        let mut command = site.command();
        command.args(["serve", "--port-file"]).arg(&port_file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        let mut process = command.spawn().map_err(|e| process::not_started(&command, &e))?;
        let shown = Arc::new(AtomicBool::new(false));
        let log = site.path("gateway.log");
        if let Some(stderr) = process.stderr.take() {
            keep(stderr, &log, Arc::clone(&shown))?;
        }
        let mut gateway = Self { process, address: String::new(), shown };
        gateway.address = gateway.listening(&port_file, &log)?;
        Ok(gateway)
    }

    /// `HOST:PORT`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// What a client connects to.
    pub(super) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Shows the log and serves until someone ends it.
    pub(super) fn wait(&mut self) -> Result<()> {
        self.shown.store(true, Ordering::Relaxed);
        let mut passed_on = 0;
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(Failure::new(format!("toolgate serve: {status}"))),
                Ok(None) => std::thread::sleep(GLANCE),
                Err(e) => return Err(Failure::new(format!("toolgate serve: {e}"))),
            }
            while passed_on < signals::received() {
                signals::interrupt(&mut self.process);
                passed_on += 1;
            }
        }
    }

    fn listening(&mut self, port_file: &Path, log: &Path) -> Result<String> {
        let end = Instant::now() + START;
        while Instant::now() < end {
            let text = fs::read_to_string(port_file).unwrap_or_default();
            if let Some(address) = text.strip_suffix('\n') {
                return Ok(address.to_owned());
            }
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(not_serving(&status.to_string(), log));
            }
            if signals::received() > 0 {
                return Err(Failure::new("interrupted while the gateway started"));
            }
            std::thread::sleep(GLANCE);
        }
        Err(not_serving(&format!("does not listen after {} s", START.as_secs()), log))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Already gone is fine.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn not_serving(why: &str, log: &Path) -> Failure {
    let text = fs::read_to_string(log).unwrap_or_default();
    Failure::new(format!("toolgate serve: {why}\n{}", text.trim_end()))
        .hint("if the port is in use, run `cargo xtask demo --port 0`")
}

/// Copies the log to a file, and to the terminal while it is shown.
fn keep(stderr: ChildStderr, path: &Path, shown: Arc<AtomicBool>) -> Result<()> {
    use std::io::Write;
    let mut file = fs::File::create(path).map_err(|e| Failure::new(format!("{}: {e}", path.display())))?;
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(std::result::Result::ok) {
            // A full disk must not end the gateway, which would happen with nobody reading.
            drop(writeln!(file, "{line}"));
            if shown.load(Ordering::Relaxed) {
                eprintln!("{line}");
            }
        }
    });
    Ok(())
}
