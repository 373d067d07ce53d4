//! A folder with a config and a component, in which the built binary runs with an environment of its
//! own. Addresses, paths and digests are replaced, so that what is pinned is the same everywhere.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, unused_macros, reason = "each test binary uses a part of it")]

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) const COMPONENT: &str = r#"(component
    (core module $code
        (memory (export "memory") 1)
        (func (export "answer") (result i32) i32.const 42)
        (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
        (func (export "spin") (loop br 0)))
    (core instance $code (instantiate $code))
    (func (export "answer") (result u32) (canon lift (core func $code "answer")))
    (func (export "add") (param "a" u32) (param "b" u32) (result u32)
        (canon lift (core func $code "add")))
    (func (export "spin") (canon lift (core func $code "spin"))))"#;

pub(crate) const CONFIG: &str = r#"
[servers.calc]
component = "file:calc.wasm"

[servers.calc.grants]
http = ["GET https://api.example.com/v1/*"]
files = [{ host = ".", guest = "/data", mode = "ro" }]
env = { TOKEN = "never-shown" }

[servers.calc.limits]
fuel = 1_000_000
"#;

/// The stateless revision of the protocol.
pub(crate) const REVISION: &str = "2026-07-28";

pub(crate) struct Site {
    pub(crate) dir: TempDir,
}

impl Site {
    pub(crate) fn new(config: &str) -> Self {
        let site = Self { dir: tempfile::tempdir().unwrap() };
        site.write("toolgate.toml", config.as_bytes());
        site.write("calc.wasm", &wat::parse_str(COMPONENT).unwrap());
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        command.args(args).current_dir(self.dir.path()).env_clear();
        command.env("TOOLGATE_STATE_DIR", self.path("state")).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        Run::of(self.command(args).output().unwrap(), self.dir.path())
    }
}

/// What a command did.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(output: Output, dir: &Path) -> Self {
        let text = |bytes| normalized(String::from_utf8(bytes).unwrap(), dir);
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// All of it, for a snapshot.
    pub(crate) fn shown(&self) -> String {
        let code = self.code.unwrap();
        format!("exit code {code}\n--- stdout\n{}--- stderr\n{}", self.stdout, self.stderr)
    }
}

fn normalized(text: String, dir: &Path) -> String {
    let mut text = text.replace(&dir.display().to_string(), "DIR");
    let mut from = 0;
    while let Some(at) = text[from..].find("sha256:").map(|at| from + at + "sha256:".len()) {
        let digits = text[at..].chars().take_while(char::is_ascii_hexdigit).count();
        if digits == 64 {
            text.replace_range(at..at + digits, "DIGEST");
        }
        from = at;
    }
    text
}

/// Sends one `tools/call` on a connection of its own.
pub(crate) fn post_call(address: &str, tool: &str) -> TcpStream {
    let body = call_body(tool);
    let mut stream = TcpStream::connect(address).unwrap();
    let head = [
        "POST /mcp HTTP/1.1".to_owned(),
        format!("host: {address}"),
        "connection: close".to_owned(),
        "content-type: application/json".to_owned(),
        "accept: application/json, text/event-stream".to_owned(),
        format!("mcp-protocol-version: {REVISION}"),
        "mcp-method: tools/call".to_owned(),
        format!("mcp-name: {tool}"),
        format!("content-length: {}", body.len()),
    ];
    write!(stream, "{}\r\n\r\n{body}", head.join("\r\n")).unwrap();
    stream
}

pub(crate) fn call_body(tool: &str) -> String {
    let meta = serde_json::json!({
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = serde_json::json!({ "name": tool, "arguments": {}, "_meta": meta });
    serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string()
}

pub(crate) fn wait_for(path: &Path) -> String {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        match fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => assert!(Instant::now() < end, "{} does not appear", path.display()),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

macro_rules! pin {
    ($name:expr, $run:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!($name, $run.shown()));
    }};
}

pub(crate) use pin;
