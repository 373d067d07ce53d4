//! The built `toolgate`, as a process.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::site::Site;

/// How long `serve` may take until it listens; generous, since tests run beside each other.
const START: Duration = Duration::from_secs(60);

/// A running `toolgate serve`; killed on drop.
pub struct Gateway {
    process: Child,
    address: String,
    log: Captured,
    stdout: Captured,
}

/// All that a gateway wrote until its end.
pub struct Written {
    /// How it ended.
    pub status: ExitStatus,
    /// What it logged.
    pub log: String,
    /// What it wrote to stdout: nothing, if it is well.
    pub stdout: String,
}

/// What a process writes to one stream, as it comes.
struct Captured {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Starts the gateway of a site and waits until it has written its address, which it does once calls are
    /// answered, or has ended.
    pub async fn start(site: &Site) -> Self {
        Self::start_with(site, &[]).await
    }

    /// The same with more environment variables.
    pub async fn start_with(site: &Site, env: &[(&str, &str)]) -> Self {
        let mut command = command(site);
        command.envs(env.iter().copied());
        Self::launch(site, command).await
    }

    /// The same by a command of the caller's: [`command`], or one that ends in it.
    pub async fn launch(site: &Site, mut command: Command) -> Self {
        let port_file = site.path("port");
        drop(std::fs::remove_file(&port_file));
        let mut process = command
            .args(["serve", "--port-file"])
            .arg(&port_file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the built binary starts");
        let log = Captured::from(process.stderr.take().expect("a pipe"));
        let stdout = Captured::from(process.stdout.take().expect("a pipe"));
        let mut gateway = Self { process, address: String::new(), log, stdout };
        gateway.address = gateway.wait_for(&port_file).await;
        gateway
    }

    /// A client of `/mcp`.
    pub fn client(&self) -> Client {
        Client::new(&self.url(""), "/mcp")
    }

    /// A client of `/mcp/{server}`.
    pub fn client_of(&self, server: &str) -> Client {
        Client::new(&self.url(""), &format!("/mcp/{server}"))
    }

    /// `http://HOST:PORT` and a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// All that it has logged so far.
    pub fn log(&self) -> String {
        self.log.so_far()
    }

    /// All that it has written to stdout so far: nothing, if it is well.
    pub fn stdout(&self) -> String {
        self.stdout.so_far()
    }

    /// Waits until the log contains a text.
    ///
    /// # Panics
    /// When it does not appear within five seconds.
    pub async fn logged(&self, text: &str) -> String {
        self.logged_within(Duration::from_secs(5), text).await
    }

    /// The same for what may take longer.
    ///
    /// # Panics
    /// When it does not appear in time.
    pub async fn logged_within(&self, patience: Duration, text: &str) -> String {
        let end = Instant::now() + patience;
        loop {
            let log = self.log();
            if log.contains(text) {
                return log;
            }
            assert!(Instant::now() < end, "{text:?} is not in the log:\n{log}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Sends SIGTERM and waits for the end.
    pub fn terminate(mut self) -> ExitStatus {
        self.stop()
    }

    /// The same; then all that it wrote, to the last byte.
    pub fn written(mut self) -> Written {
        let status = self.stop();
        Written { status, log: self.log.until_the_end(), stdout: self.stdout.until_the_end() }
    }

    fn stop(&mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a living process");
        self.process.wait().expect("an exit status")
    }

    /// Whether the process still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    async fn wait_for(&mut self, port_file: &std::path::Path) -> String {
        let end = Instant::now() + START;
        loop {
            let text = std::fs::read_to_string(port_file).unwrap_or_default();
            if text.ends_with('\n') {
                return text.trim().to_owned();
            }
            let ended = self.process.try_wait().expect("a status");
            assert!(ended.is_none(), "toolgate serve ended with {ended:?}:\n{}", self.log());
            assert!(Instant::now() < end, "toolgate serve does not listen:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Already gone is fine; there is nobody left to tell.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Runs `toolgate` in a site to its end.
pub fn run(site: &Site, args: &[&str]) -> Output {
    command(site).args(args).stdin(Stdio::null()).output().expect("the built binary starts")
}

/// `toolgate` in a site with a clean environment: nothing of the developer's leaks into a test.
pub fn command(site: &Site) -> Command {
    let mut command = Command::new(binary());
    command
        .current_dir(site.dir())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", site.dir())
        .env("TOOLGATE_CONFIG", site.config());
    command
}

/// The gateway in a mount namespace of its own, where `/etc/hosts` is this text. So the system's own resolver
/// says what a test wants.
pub fn with_hosts(site: &Site, hosts: &str, gateway: &Command) -> Command {
    let hosts = site.write("hosts", hosts);
    let mut command = Command::new("unshare");
    // Root has the right already; anybody else becomes root of a user namespace.
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--mount", "sh", "-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\""]).arg(hosts);
    ends_in(command, site, gateway)
}

/// With another command as the last arguments, in that one's place.
pub fn ends_in(mut command: Command, site: &Site, gateway: &Command) -> Command {
    command.arg(gateway.get_program()).args(gateway.get_args()).current_dir(site.dir()).env_clear();
    for (name, value) in gateway.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
}

/// The binary that lies beside this test's.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let path = test.ancestors().nth(2).expect("target/PROFILE").join("toolgate");
    assert!(path.is_file(), "{} is missing: run `cargo build --workspace`", path.display());
    path
}

impl Captured {
    fn from(pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let writer = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            // By bytes: a line that is not UTF-8 is worth as much as any other.
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                let mut text = writer.lock().expect("the text");
                text.push_str(&String::from_utf8_lossy(&line));
                text.push('\n');
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn so_far(&self) -> String {
        self.text.lock().expect("the text").clone()
    }

    /// Once nobody can write any more.
    fn until_the_end(&mut self) -> String {
        let reader = self.reader.take().expect("asked once");
        reader.join().expect("the reader");
        self.so_far()
    }
}
