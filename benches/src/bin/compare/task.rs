//! The gateway in a container as small as a task of Fargate: how long it takes to be ready with nothing
//! cached, and what it serves then.
//!
//! It is the image of `deploy/Dockerfile`, which `cargo xtask bench` makes of this build, with as much of the
//! machine as the task has, without any right and without an engine's socket. Its components come from a
//! registry on the same host. The load generator is on the same cores, unpinned.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use benches::fixture::{HELLO, WORDS};
use benches::load::Report;
use benches::process::{Place, built, peer};
use benches::table::{Quantity, Reach, Row};
use benches::target::Target;
use tempfile::TempDir;

use crate::RUNS;
use crate::loading::Load;

/// Sizes of a task: processors and memory, as the engine is told them.
const SIZES: [(&str, &str); 2] = [("0.25", "512m"), ("1", "2g")];

/// As `cargo xtask bench` names it.
const IMAGE: &str = "toolgate-bench:gateway";

/// Starts with nothing cached.
const STARTS: usize = 5;

/// Clients at a time.
const CLIENTS: [usize; 3] = [1, 8, 64];

/// Time for the registry and for the gateway to come up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at whether it is ready.
const LOOK: Duration = Duration::from_millis(2);

/// All rows of this part.
pub(crate) async fn rows() -> Vec<Row> {
    let measured = match (peer("gateway-image"), Registry::start()) {
        (Ok(_), Ok(registry)) => Ok(registry),
        (Err(why), _) | (_, Err(why)) => Err(why),
    };
    match measured {
        Ok(registry) => SIZES.iter().flat_map(|size| size_rows(*size, &registry)).collect(),
        Err(why) => vec![Row::missing("in a task as small as Fargate has", why)],
    }
}

fn size_rows(size: (&str, &str), registry: &Registry) -> Vec<Row> {
    let name = format!("task of {} vCPU, {}", size.0, size.1);
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(Quantity::Time(Task::start(size, registry).ready));
    }
    let second = Reach::Below(Quantity::Time(Duration::from_secs(1)));
    let mut rows = vec![Row::runs(format!("{name}: process to ready, nothing cached"), starts).reach(second)];
    let task = Task::start(size, registry);
    for clients in CLIENTS {
        let load = Load { cpu: None, ..Load::of(&HELLO, clients) };
        let reports: Vec<_> = (0..RUNS).map(|_| load.run_at(&task.place)).collect();
        let plural = if clients == 1 { "client" } else { "clients" };
        let row = |what: &str, figure: fn(&Report) -> Quantity| {
            Row::runs(format!("{name}: {what}, {clients} {plural}"), reports.iter().map(figure).collect())
        };
        rows.push(row("calls", |report| Quantity::Rate(report.per_second)));
        rows.push(row("median", |report| Quantity::micros(report.latency.p50)));
        rows.push(row("p99", |report| Quantity::micros(report.latency.p99)));
        rows.push(row("resident memory at most", |report| {
            Quantity::Bytes(report.server.expect("its process was named").resident_peak)
        }));
    }
    rows
}

/// A running container; removed on drop.
struct Task {
    id: String,
    place: Place,
    /// From the start of its process, as the engine tells it, until it says that it is ready.
    ready: Duration,
}

impl Task {
    fn start((processors, memory): (&str, &str), registry: &Registry) -> Self {
        let address = free_address();
        let config = registry.site.path().join("toolgate.toml");
        fs::write(&config, registry.config(address)).expect("a config");
        let mount = format!("{}:/etc/toolgate/toolgate.toml:ro", config.display());
        let id = docker(&[
            "run",
            "--detach",
            "--cpus",
            processors,
            "--memory",
            memory,
            "--memory-swap",
            memory,
            "--network",
            "host",
            "--read-only",
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
            "--tmpfs",
            "/state:uid=65532,mode=700",
            "--volume",
            &mount,
            IMAGE,
        ]);
        let end = Instant::now() + PATIENCE;
        let ready = loop {
            if is_ready(address) {
                break seconds_since_epoch("now");
            }
            assert!(Instant::now() < end, "the task is not ready: {}", docker(&["logs", &id]));
            std::thread::sleep(LOOK);
        };
        let began = seconds_since_epoch(&docker(&["inspect", "--format", "{{.State.StartedAt}}", &id]));
        let pid = docker(&["inspect", "--format", "{{.State.Pid}}", &id]).parse().expect("a process");
        let target = Target { address, path: "/mcp".to_owned() };
        let ready = Duration::from_secs_f64((ready - began).max(0.0));
        Self { id, place: Place { target, headers: Vec::new(), pid }, ready }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        docker(&["rm", "--force", "--volumes", &self.id]);
    }
}

/// Debian's distribution registry, with the components in it.
struct Registry {
    process: Child,
    address: SocketAddr,
    site: TempDir,
}

impl Registry {
    fn start() -> Result<Self, String> {
        let (site, address) = (TempDir::new().expect("a folder"), free_address());
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}\n",
            site.path().display()
        );
        let file = site.path().join("registry.yml");
        fs::write(&file, config).expect("a config");
        let mut command = Command::new("docker-registry");
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = quiet.arg("serve").arg(&file).spawn();
        let process = process
            .map_err(|error| format!("docker-registry, of Debian's package, does not start: {error}"))?;
        let registry = Self { process, address, site };
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < end, "docker-registry does not listen on {address}");
            std::thread::sleep(LOOK);
        }
        registry.push();
        Ok(registry)
    }

    fn push(&self) {
        let config = self.site.path().join("push.toml");
        fs::write(&config, self.plain()).expect("a config");
        for guest in [HELLO, WORDS] {
            let reference = format!("oci://{}/{}:1", self.address, guest.name);
            let mut push = Command::new(built("toolgate"));
            push.args(["push", "--config"]).arg(&config).arg(guest.path()).arg(reference);
            let pushed = push.output().expect("the built gateway starts");
            assert!(pushed.status.success(), "{}", String::from_utf8_lossy(&pushed.stderr));
        }
    }

    fn plain(&self) -> String {
        format!("[registries]\nplain-http = [\"{}\"]\n", self.address)
    }

    fn config(&self, listen: SocketAddr) -> String {
        let servers = [HELLO, WORDS].map(|guest| {
            format!("[servers.{0}]\ncomponent = \"oci://{1}/{0}:1\"\n", guest.name, self.address)
        });
        format!("[gateway]\nlisten = \"{listen}\"\nlog = \"json\"\n") + &self.plain() + &servers.concat()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Already gone is fine; there is nobody left to tell.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Whether `/readyz` says so.
fn is_ready(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let mut answer = String::new();
    let asked = write!(stream, "GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
}

/// A time in RFC 3339, or `now`, by the machine's own `date`: to the microsecond in a floating number.
fn seconds_since_epoch(time: &str) -> f64 {
    printed(Command::new("date").args(["+%s.%N", "--date", time])).parse().expect("seconds")
}

fn docker(args: &[&str]) -> String {
    printed(Command::new("docker").args(args))
}

fn printed(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}
