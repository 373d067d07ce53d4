//! A temporary folder that holds all that one gateway reads and writes.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// One gateway's folder: `toolgate.toml`, `state/`, and whatever a test puts beside them.
pub struct Site {
    dir: TempDir,
}

impl Site {
    /// A fresh folder with this text as `toolgate.toml`. The gateway listens on a free loopback
    /// port and keeps its state inside the folder.
    pub fn new(servers: &str) -> Self {
        crate::client::provide_tls();
        let site = Self { dir: TempDir::with_prefix("toolgate-e2e-").expect("a temporary folder") };
        site.configure(servers);
        site
    }

    /// Replaces the config. `servers` follows a `[gateway]` table with the address and the state
    /// directory, unless it brings its own.
    pub fn configure(&self, servers: &str) {
        let text = if servers.contains("[gateway]") {
            servers.to_owned()
        } else {
            format!("[gateway]\nlisten = \"127.0.0.1:0\"\nstate-dir = \"state\"\n\n{servers}")
        };
        self.write("toolgate.toml", text);
    }

    /// Writes a file below the folder, with its parents.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("parents");
        fs::write(&path, content).expect("a file in the site");
        path
    }

    /// A path below the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The config file.
    pub fn config(&self) -> PathBuf {
        self.path("toolgate.toml")
    }
}
