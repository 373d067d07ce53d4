//! `toolgate serve` as its own process: how soon it answers, and what it occupies.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::fixture::Guest;

/// Between two looks whether the gateway answers; small against what is measured.
const POLL: Duration = Duration::from_micros(200);

/// How long a start may take before it counts as broken.
const START: Duration = Duration::from_secs(30);

/// A running gateway; killed on drop.
pub struct Gateway(Child);

/// One start: the process, the time to its first answered call, and the connection that made it.
pub struct Started {
    /// The process.
    pub gateway: Gateway,
    /// From spawning the process to the end of the first answered call.
    pub first_answer: Duration,
    /// The connection.
    pub client: Client,
}

impl Gateway {
    /// Resident memory in bytes, as the kernel counts it (`VmRSS`).
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("its status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
        kib * 1024
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Already gone is fine; there is nobody left to tell.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts `toolgate serve` with this guest as its only server and calls it as soon as it listens.
pub async fn start(site: &Path, guest: &Guest) -> Started {
    let address = free_address();
    let config = site.join("toolgate.toml");
    fs::write(&config, configuration(&address, guest)).expect("a config");
    let since = Instant::now();
    let child = Command::new(binary())
        .args(["serve", "--config"])
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the built binary starts");
    let gateway = Gateway(child);
    let client = first_answer(&address, guest, since).await;
    Started { gateway, first_answer: since.elapsed(), client }
}

async fn first_answer(address: &str, guest: &Guest, since: Instant) -> Client {
    loop {
        if let Ok(mut client) = Client::connect(address, guest).await
            && let Ok(true) = client.call().await
        {
            return client;
        }
        assert!(since.elapsed() < START, "toolgate serve does not answer on {address}");
        tokio::time::sleep(POLL).await;
    }
}

fn configuration(address: &str, guest: &Guest) -> String {
    format!(
        "[gateway]\nlisten = \"{address}\"\nstate-dir = \"state\"\n\n[servers.{}]\ncomponent = \"file:{}\"\n",
        guest.name,
        guest.path().display()
    )
}

/// The binary that lies beside this benchmark's.
fn binary() -> PathBuf {
    let bench = std::env::current_exe().expect("the path of this benchmark");
    let path = bench.ancestors().nth(2).expect("target/PROFILE").join("toolgate");
    assert!(path.is_file(), "{} is missing: run `cargo xtask bench`", path.display());
    path
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").to_string()
}
