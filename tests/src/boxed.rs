//! The gateway as the image that `deploy/Dockerfile` makes, in a container as small as a task of Fargate.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::engine::{Engine, SERVERS};
use crate::gateway::binary;
use crate::registry::free_address;
use crate::site::Site;

/// What the image is called.
pub const GATEWAY: &str = "toolgate-test:gateway";

/// Time for an engine to make the image, and for a gateway to be ready on a part of a processor.
const PATIENCE: Duration = Duration::from_secs(120);

/// How it starts: no rights, nothing to write but its state, nobody's user.
const HARDENED: [&str; 10] = [
    "--read-only",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--user",
    "65532:65532",
    "--tmpfs",
    "/state:rw,uid=65532,gid=65532,mode=700",
    "--network=host",
];

/// A running container of the image; removed on drop.
pub struct Boxed {
    engine: Engine,
    id: String,
    address: String,
}

impl Boxed {
    /// Starts one with so many processors and so much memory, and waits until it is ready. `servers` are
    /// the lines of its config after `[gateway]`; it listens on loopback.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn start(site: &Site, size: (&str, &str), more: &[&str], servers: &str) -> Self {
        let engine = Engine::of_the_machine();
        make(&engine);
        let address = free_address().to_string();
        let gateway = format!("[gateway]\nlisten = \"{address}\"\nlog = \"json\"\n");
        site.write("box.toml", gateway + servers);
        let mount = format!("{}:/etc/toolgate/toolgate.toml:ro", site.path("box.toml").display());
        let mut args = vec!["run", "--detach", "--volume", &mount, "--cpus", size.0];
        args.extend(["--memory", size.1, "--memory-swap", size.1]);
        args.extend(HARDENED.iter().chain(more));
        args.push(GATEWAY);
        let since = Instant::now();
        let boxed = Self { id: engine.docker(&args), engine, address };
        let ready = format!("http://{}/readyz", boxed.address);
        while !reqwest::get(&ready).await.is_ok_and(|reply| reply.status().is_success()) {
            assert!(since.elapsed() < PATIENCE, "it is not ready:\n{}", boxed.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        boxed
    }

    /// A client of all its servers.
    pub fn client(&self) -> Client {
        Client::new(&format!("http://{}", self.address), "/mcp")
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        let output = self.engine.command(&["logs", &self.id]).output().expect("docker runs");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Waits for a server: the gateway serves the others while one takes its time, as compiling does where
    /// there is little of a processor.
    ///
    /// # Panics
    /// When it is not ready for two minutes.
    pub async fn ready(&self, server: &str) {
        let (line, end) = (format!(r#""message":"ready","server":"{server}""#), Instant::now() + PATIENCE);
        while !self.log().contains(&line) {
            assert!(Instant::now() < end, "{server} is not ready: {}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Runs a command of the image's program in it.
    pub fn run(&self, args: &[&str]) -> Output {
        let args = [&["exec", &self.id, "/toolgate"], args].concat();
        self.engine.command(&args).output().expect("docker runs")
    }

    /// Tells it to end, and waits for that; its exit code, and whether the kernel killed it for its memory.
    pub fn stop(&self) -> (String, bool) {
        self.engine.docker(&["stop", "--time", "60", &self.id]);
        let state = self.engine.docker(&[
            "inspect",
            "--format",
            "{{.State.ExitCode}} {{.State.OOMKilled}}",
            &self.id,
        ]);
        let (code, killed) = state.split_once(' ').expect("two words");
        (code.to_owned(), killed == "true")
    }
}

impl Drop for Boxed {
    fn drop(&mut self) {
        // With what it kept: a volume would stay.
        drop(self.engine.command(&["rm", "--force", "--volumes", &self.id]).output());
    }
}

/// Makes the image, once per process, from the binary of this build without its symbols.
pub fn make(engine: &Engine) {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        let context = tempfile::tempdir().expect("a temporary folder");
        let stripped = context.path().join("toolgate");
        let strip = Command::new("strip").arg("-o").arg(&stripped).arg(binary()).status();
        assert!(strip.is_ok_and(|status| status.success()), "strip, of Debian's binutils, makes a copy");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/Dockerfile");
        let file = file.display().to_string();
        let (on, from) = (format!("RUST={SERVERS}"), context.path().display().to_string());
        let args = ["build", "--quiet", "--force-rm", "--file", &file, "--build-arg", &on];
        engine.docker(&[&args[..], &["--build-arg", "PREBUILT=toolgate", "--tag", GATEWAY, &from]].concat());
    });
}
