//! The servers that are measured, each in a process of its own: `toolgate serve`, the bare echo
//! server, and wassette where it is installed.
//!
//! What they log goes to a file, as it would in use, so that writing it is paid for.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use toolgate::auth::ApiKey;
use toolgate::config::key_section;

use crate::connection::{Connection, Expect};
use crate::fixture::{Guest, root};
use crate::proc::{Usage, usage};
use crate::request::tools_call;
use crate::target::Target;

/// How long a start may take before it counts as broken; a server without a cache compiles first.
const START: Duration = Duration::from_secs(60);

/// A core to keep a process on; `None` leaves that to the kernel.
pub type Cpu = Option<u32>;

/// Lines of each server's config.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy<'a> {
    /// What is granted; nothing by default.
    pub grants: &'a str,
    /// Limits other than the default ones.
    pub limits: &'a str,
    /// Keys in the config, each of which opens every server. If there are any, the last is presented.
    pub keys: usize,
}

/// Where a server answers, and what it is.
#[derive(Clone, Debug)]
pub struct Place {
    /// The endpoint.
    pub target: Target,
    /// What requests bring along.
    pub headers: Vec<String>,
    /// Its process.
    pub pid: u32,
}

/// A running server; killed on drop.
pub struct Server {
    process: Process,
    /// Where it answers.
    pub target: Target,
    /// What requests bring along.
    pub headers: Vec<String>,
    /// From spawning it to the end of the first answered call.
    pub first_answer: Duration,
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Already gone is fine; there is nobody left to tell.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Server {
    /// `toolgate serve` with these guests, called until it answers.
    pub async fn toolgate(site: &Path, guests: &[Guest], policy: Policy<'_>, cpu: Cpu) -> Self {
        let target = Target { address: free_address(), path: "/mcp".to_owned() };
        let config = site.join("toolgate.toml");
        let (keys, headers) = keys(policy.keys);
        fs::write(&config, configuration(&target, guests, policy) + &keys).expect("a config");
        let mut command = pinned(&built("toolgate"), cpu);
        command.args(["serve", "--config"]).arg(&config);
        let first = &guests[0];
        let first = (first.public_tool(), first.arguments, headers);
        Self::start(command, site, target, first, Duration::from_micros(200)).await
    }

    /// wassette with one component, as a stateless server that answers with JSON.
    pub async fn wassette(site: &Path, binary: &Path, guest: &Guest, tool: &str, cpu: Cpu) -> Self {
        let target = Target { address: free_address(), path: "/mcp".to_owned() };
        let components = site.join("components");
        fs::create_dir_all(&components).expect("a folder");
        fs::copy(guest.path(), components.join("hello.wasm")).expect("a copy of the component");
        let mut command = pinned(binary, cpu);
        command.args(["serve", "--streamable-http", "--json-response", "true", "--disable-builtin-tools"]);
        command.arg("--component-dir").arg(&components);
        command.arg("--bind-address").arg(target.address.to_string());
        // By default it logs several lines for each call, which would not be a fair comparison.
        command.env("XDG_DATA_HOME", site).env("XDG_CONFIG_HOME", site).env("RUST_LOG", "error");
        let first = (tool.to_owned(), guest.arguments, Vec::new());
        Self::start(command, site, target, first, Duration::from_millis(100)).await
    }

    /// The bare echo server.
    pub fn echo(cpu: Cpu) -> Self {
        let since = Instant::now();
        let child = pinned(&built("echo"), cpu).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut process = Process(child.expect("the built echo server starts"));
        let mut address = String::new();
        let stdout = process.0.stdout.take().expect("its stdout");
        BufReader::new(stdout).read_line(&mut address).expect("its address");
        let target = Target { address: address.trim().parse().expect("its address"), path: "/".to_owned() };
        Self { process, target, headers: Vec::new(), first_answer: since.elapsed() }
    }

    /// What it uses now.
    pub fn usage(&self) -> Usage {
        usage(&self.pid().to_string()).expect("a running server")
    }

    /// Where it answers.
    pub fn place(&self) -> Place {
        Place { target: self.target.clone(), headers: self.headers.clone(), pid: self.pid() }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    async fn start(
        mut command: Command,
        site: &Path,
        target: Target,
        (tool, arguments, headers): (String, &str, Vec<String>),
        poll: Duration,
    ) -> Self {
        let log = site.join("log");
        let written = File::create(&log).expect("a log");
        let arguments = serde_json::from_str(arguments).expect("JSON");
        let request = tools_call(&target, &tool, &arguments, &headers);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(written);
        let since = Instant::now();
        let process = Process(command.spawn().expect("the server starts"));
        while !answers(target.address, &request).await {
            assert!(
                since.elapsed() < START,
                "{} does not answer:\n{}",
                command.get_program().display(),
                fs::read_to_string(&log).unwrap_or_default()
            );
            tokio::time::sleep(poll).await;
        }
        Self { process, target, headers, first_answer: since.elapsed() }
    }
}

async fn answers(address: SocketAddr, request: &Bytes) -> bool {
    match Connection::open(address).await {
        Ok(mut connection) => connection.exchange(request, Expect::ToolResult).await.is_ok(),
        Err(_) => false,
    }
}

/// A command that runs on one core, itself and all its threads.
pub fn pinned(program: &Path, cpu: Cpu) -> Command {
    let Some(cpu) = cpu else { return Command::new(program) };
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &cpu.to_string()]).arg(program);
    command
}

/// A binary of this build.
///
/// # Panics
/// When it is not built.
pub fn built(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("the path of this program");
    let found = this.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not built beside {}: run `cargo xtask bench`", this.display()))
}

/// What `cargo xtask bench` installed beside us to compare with, or why there is none.
///
/// # Errors
/// The reason, for the table.
pub fn peer(name: &str) -> Result<PathBuf, String> {
    let path = root().join("target/bench-peers").join(name);
    if path.is_file() {
        return Ok(path.canonicalize().expect("a file that is there"));
    }
    let why = fs::read_to_string(path.with_extension("missing"));
    Err(why.unwrap_or_else(|_| "not installed: run `cargo xtask bench`".to_owned()).trim().to_owned())
}

/// What a program says that it is, on one line.
///
/// # Errors
/// Why it can't be asked, for the table.
pub fn version(program: &Path) -> Result<String, String> {
    let told = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let told = told.map_err(|error| format!("{} does not start: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&told.stdout);
    text.lines().next().map(str::to_owned).ok_or_else(|| format!("{} tells no version", program.display()))
}

fn configuration(target: &Target, guests: &[Guest], policy: Policy<'_>) -> String {
    let Policy { grants, limits, .. } = policy;
    let servers = guests.iter().map(|guest| {
        let file = guest.path().canonicalize().expect("a file that is there");
        format!(
            "[servers.{0}]\ncomponent = \"file:{1}\"\n[servers.{0}.grants]\n{grants}\n\
             [servers.{0}.limits]\n{limits}\n",
            guest.name,
            file.display()
        )
    });
    let head = format!("[gateway]\nlisten = \"{}\"\nstate-dir = \"state\"\n", target.address);
    head + &servers.collect::<String>()
}

/// The sections of so many keys, and the header of the last.
fn keys(count: usize) -> (String, Vec<String>) {
    let (mut sections, mut headers) = (String::new(), Vec::new());
    for index in 0..count {
        let key = ApiKey::generate().expect("random bytes");
        let name = format!("bench-{index}");
        let section = key_section(&name, &key.hash().to_string(), &name, &["*".to_owned()]);
        sections += &section.expect("a section");
        headers = vec![format!("authorization: Bearer {}", key.expose())];
    }
    (sections, headers)
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}
