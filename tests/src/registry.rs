//! The distribution registry, as Debian packages it, on a loopback port.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long the registry may take to listen.
const START: Duration = Duration::from_secs(10);

/// A running `docker-registry` with its own storage; stopped and deleted on drop.
pub struct Registry {
    process: Child,
    address: SocketAddr,
    _storage: TempDir,
}

impl Registry {
    /// A registry that everyone may read and write.
    pub fn anonymous() -> Self {
        Self::start(None)
    }

    /// A registry that demands basic auth of this user.
    pub fn with_basic_auth(user: &str, password: &str) -> Self {
        let line = Command::new("htpasswd")
            .args(["-Bbn", user, password])
            .output()
            .expect("htpasswd: run `cargo xtask test`, which installs apache2-utils")
            .stdout;
        Self::start(Some(&line))
    }

    /// `127.0.0.1:PORT`, as it stands in references and in `plain-http`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    fn start(htpasswd: Option<&[u8]>) -> Self {
        let storage = TempDir::with_prefix("toolgate-registry-").expect("a temporary folder");
        let address = free_address();
        let auth = htpasswd.map_or_else(String::new, |line| {
            let file = storage.path().join("htpasswd");
            fs::write(&file, line).expect("a password file");
            format!("auth:\n  htpasswd:\n    realm: toolgate\n    path: {}\n", file.display())
        });
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}\n{auth}",
            storage.path().display()
        );
        let file = storage.path().join("config.yml");
        fs::write(&file, config).expect("a registry config");
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry: run `cargo xtask test`, which installs it");
        let mut registry = Self { process, address, _storage: storage };
        registry.wait();
        registry
    }

    fn wait(&mut self) {
        let end = Instant::now() + START;
        while TcpStream::connect(self.address).is_err() {
            if let Ok(Some(status)) = self.process.try_wait() {
                panic!("docker-registry ended with {status}");
            }
            assert!(Instant::now() < end, "docker-registry does not listen on {}", self.address);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Already gone is fine; there is nobody left to tell.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A loopback address that was free a moment ago.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}
