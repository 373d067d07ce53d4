//! The Docker engine that the suites run in, asked by its own command line client, and others that a test
//! may stop, slow down or fill.

mod podman;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use podman::Podman;
use tempfile::TempDir;

use crate::registry::free_address;

/// One program that misbehaves on request.
pub const ODD: &str = "toolgate-test:odd";
/// Servers that others wrote, each to be named by a command.
pub const SERVERS: &str = "toolgate-test:servers";
/// An image that does not say what to run.
pub const BARE: &str = "toolgate-test:bare";
/// An image for another machine.
pub const FOREIGN: &str = "toolgate-test:foreign";

/// Time for an engine to come up, and for containers to go.
const PATIENCE: Duration = Duration::from_secs(60);

/// An engine, by where it answers.
#[derive(Clone, Debug)]
pub struct Engine {
    host: Option<String>,
}

impl Engine {
    /// The machine's own.
    ///
    /// # Panics
    /// Where none answers: it is a part of the run, and is never left out.
    pub fn of_the_machine() -> Self {
        let engine = Self { host: None };
        assert!(engine.answers(), "no Docker engine answers: `cargo xtask test` starts one");
        engine
    }

    /// What its client prints, without white space around it.
    ///
    /// # Panics
    /// If it fails.
    pub fn docker(&self, args: &[&str]) -> String {
        let output = self.command(args).output().expect("docker runs");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "docker {}: {stderr}", args.join(" "));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Ids of the containers that have a label, running or not.
    pub fn containers(&self, label: &str) -> Vec<String> {
        let listed =
            self.docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &format!("label={label}")]);
        listed.lines().map(str::to_owned).collect()
    }

    /// Waits until so many containers have a label.
    ///
    /// # Panics
    /// When there are others for a minute.
    pub async fn settles_at(&self, label: &str, count: usize) -> Vec<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let containers = self.containers(label);
            if containers.len() == count {
                return containers;
            }
            assert!(Instant::now() < end, "{} containers of {label} and not {count}", containers.len());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Whether it answers.
    pub fn answers(&self) -> bool {
        let status = self.command(&["version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    /// Its client with these arguments, for who wants more of it than what it prints.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("docker");
        // The builder that every engine and client has; the other needs a plugin.
        command.env("DOCKER_BUILDKIT", "0");
        if let Some(host) = &self.host {
            command.args(["--host", host]);
        }
        command.args(args).stdin(Stdio::null());
        command
    }
}

/// An engine of a test's own, with the images of the machine's that it asks for.
pub struct OwnEngine {
    dir: TempDir,
    process: Child,
    /// Arguments besides those that all have.
    arguments: Vec<String>,
    /// `127.0.0.1:PORT`, where it answers by TLS.
    tls: Option<SocketAddr>,
    /// Its client.
    pub engine: Engine,
}

impl OwnEngine {
    /// Starts one. Its disk is a file system in memory of so many mebibytes.
    ///
    /// # Panics
    /// Where the machine does not let it, as it takes root's rights.
    pub fn start(mebibytes: u32) -> Self {
        Self::start_in(TempDir::with_prefix("toolgate-engine-").expect("a temporary folder"), mebibytes, None)
    }

    /// The same, answering also by TLS to who has a certificate.
    ///
    /// # Panics
    /// Where there is no `openssl` to make them.
    pub fn start_with_tls(mebibytes: u32) -> Self {
        let dir = TempDir::with_prefix("toolgate-engine-").expect("a temporary folder");
        certify(&dir.path().join("certificates"));
        Self::start_in(dir, mebibytes, Some(free_address()))
    }

    fn start_in(dir: TempDir, mebibytes: u32, tls: Option<SocketAddr>) -> Self {
        let disk = dir.path().join("disk");
        fs::create_dir(&disk).expect("a folder");
        let size = format!("size={mebibytes}m");
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &size, "engine"]).arg(&disk).status();
        assert!(
            mounted.is_ok_and(|status| status.success()),
            "a file system is mounted, which takes root's rights"
        );
        let engine = Engine { host: Some(format!("unix://{}", dir.path().join("sock").display())) };
        let arguments = tls.map(|address| tls_arguments(&dir.path().join("certificates"), address));
        let arguments = arguments.unwrap_or_default();
        let process = launch(dir.path(), &arguments);
        let own = Self { dir, process, arguments, tls, engine };
        own.wait();
        own
    }

    /// `tcp://127.0.0.1:PORT`.
    ///
    /// # Panics
    /// If it was not started with TLS.
    pub fn tls_host(&self) -> String {
        format!("tcp://{}", self.tls.expect("an engine with TLS"))
    }

    /// The folder with what a client needs: `ca.pem`, `cert.pem` and `key.pem`.
    pub fn certificates(&self) -> PathBuf {
        self.dir.path().join("certificates")
    }

    /// Brings an image of the machine's engine.
    pub fn load(&self, image: &str) {
        let archive = self.dir.path().join("image.tar");
        let archive = archive.to_str().expect("UTF-8");
        Engine::of_the_machine().docker(&["save", "--output", archive, image]);
        self.engine.docker(&["load", "--input", archive]);
        fs::remove_file(archive).expect("the archive");
    }

    /// `unix:///…`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("sock")
    }

    /// A file that takes what is left of its disk, but for some kilobytes.
    pub fn fill_disk(&self) {
        let mut file = File::create(self.dir.path().join("disk/filler")).expect("a file");
        let piece = vec![0; 64 * 1024];
        while file.write_all(&piece).is_ok() {}
    }

    /// Gives that room back.
    pub fn free_disk(&self) {
        fs::remove_file(self.dir.path().join("disk/filler")).expect("the filler");
    }

    /// Ends it at once, with its containers.
    pub fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        // One that has ended already is what is wanted.
        let _ended = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        drop(self.process.wait());
    }

    /// Starts it again.
    pub fn restart(&mut self) {
        self.process = launch(self.dir.path(), &self.arguments);
        self.wait();
    }

    /// Holds it, so that it takes requests and answers none, or lets it go on.
    pub fn hold(&self, held: bool) {
        let signal = if held { rustix::process::Signal::STOP } else { rustix::process::Signal::CONT };
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ended = rustix::process::kill_process(pid, signal);
    }

    fn wait(&self) {
        let end = Instant::now() + PATIENCE;
        while !self.engine.answers() {
            let log = || fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "the engine does not come up:\n{}", log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        self.hold(false);
        self.stop();
        let disk = self.dir.path().join("disk");
        drop(Command::new("umount").args(["--recursive", "--lazy"]).arg(disk).status());
    }
}

fn launch(dir: &Path, arguments: &[String]) -> Child {
    let path = |name: &str| dir.join(name).display().to_string();
    let mut command = Command::new("dockerd");
    command.args(["--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs"]);
    command.args(["--data-root", &path("disk"), "--exec-root", &path("run"), "--pidfile", &path("pid")]);
    command.args(["--host", &format!("unix://{}", path("sock"))]).args(arguments);
    logging(command, dir)
}

/// Starts an engine that logs to a file of its folder.
fn logging(mut command: Command, dir: &Path) -> Child {
    let log = File::options().create(true).append(true).open(dir.join("log")).expect("a log");
    let log_too = log.try_clone().expect("a log");
    let started = command.stdin(Stdio::null()).stdout(log_too).stderr(log).spawn();
    started.unwrap_or_else(|error| panic!("{command:?}: {error}: run `cargo xtask test`, which installs it"))
}

fn tls_arguments(certificates: &Path, address: SocketAddr) -> Vec<String> {
    let file = |option: &str, name: &str| format!("--{option}={}", certificates.join(name).display());
    let files =
        [file("tlscacert", "ca.pem"), file("tlscert", "server.pem"), file("tlskey", "server-key.pem")];
    let host = format!("--host=tcp://{address}");
    files.into_iter().chain(["--tlsverify".to_owned(), host]).collect()
}

/// Makes an authority, and certificates of an engine on this machine and of its client.
fn certify(folder: &Path) {
    const SCRIPT: &str = "
        key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $1; }
        sign() { # KEY SUBJECT EXTENSIONS CERTIFICATE
            printf '%b' \"$3\" > extensions
            openssl req -new -key $1 -subj /CN=$2 |
                openssl x509 -req -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile extensions -out $4
        }
        set -e
        key ca-key.pem; openssl req -x509 -new -key ca-key.pem -days 2 -subj /CN=authority -out ca.pem
        key server-key.pem; sign server-key.pem engine 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=serverAuth\\n' server.pem
        key key.pem; sign key.pem client 'extendedKeyUsage=clientAuth\\n' cert.pem";
    fs::create_dir(folder).expect("a folder");
    let made = Command::new("sh").args(["-c", SCRIPT]).current_dir(folder).output().expect("a shell");
    assert!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
}

/// A socket that passes everything on to an engine, later than it came.
pub struct SlowSocket {
    path: PathBuf,
    delay: Arc<AtomicU64>,
}

impl SlowSocket {
    /// Listens at `path` for the engine at `engine`.
    pub fn listen(path: PathBuf, engine: PathBuf) -> Self {
        let listener = UnixListener::bind(&path).expect("a socket");
        let delay = Arc::new(AtomicU64::new(0));
        let shared = Arc::clone(&delay);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(engine) = UnixStream::connect(&engine) else { continue };
                let (client_too, engine_too) =
                    (client.try_clone().expect("a copy"), engine.try_clone().expect("a copy"));
                let (to, from) = (Arc::clone(&shared), Arc::clone(&shared));
                std::thread::spawn(move || pass(client, engine, &to));
                std::thread::spawn(move || pass(engine_too, client_too, &from));
            }
        });
        Self { path, delay }
    }

    /// From now on each piece is so late.
    pub fn delay(&self, delay: Duration) {
        self.delay.store(u64::try_from(delay.as_millis()).expect("a short delay"), Ordering::Relaxed);
    }

    /// `unix:///…`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.path.display())
    }
}

fn pass(mut from: UnixStream, mut to: UnixStream, delay: &AtomicU64) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        std::thread::sleep(Duration::from_millis(delay.load(Ordering::Relaxed)));
        if to.write_all(&piece[..count]).is_err() {
            break;
        }
    }
    drop(to.shutdown(std::net::Shutdown::Write));
}
