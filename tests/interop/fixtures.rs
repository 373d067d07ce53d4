//! The fixtures of the conformance suite as a server of the official TypeScript SDK over HTTP, with sessions.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use e2e::guests;

use super::installed::{folder, node};

/// The server, until it is dropped.
pub(crate) struct Fixtures {
    process: Child,
    port: u16,
}

impl Fixtures {
    /// Starts it at a free port.
    pub(crate) fn start() -> Self {
        let mut process = node()
            .arg(guests::root().join("tests/interop/fixtures/server.cjs"))
            .arg("0")
            .env("SDK", folder().join("package.json"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().rsplit(' ').next().unwrap().parse();
        Self { process, port: port.unwrap_or_else(|error| panic!("{error}: {line}")) }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }
}

impl Drop for Fixtures {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
