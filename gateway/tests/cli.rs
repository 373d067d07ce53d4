//! The command line as people and scripts meet it: what is printed where, and how it ends.
//!
//! Runs the built binary in a folder of its own, with an environment of its own. Addresses, paths
//! and digests are replaced, so that what is pinned is the same on every machine.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const COMPONENT: &str = r#"(component
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

const CONFIG: &str = r#"
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
const REVISION: &str = "2026-07-28";

struct Site {
    dir: TempDir,
}

impl Site {
    fn new(config: &str) -> Self {
        let site = Self { dir: tempfile::tempdir().unwrap() };
        site.write("toolgate.toml", config.as_bytes());
        site.write("calc.wasm", &wat::parse_str(COMPONENT).unwrap());
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        command.args(args).current_dir(self.dir.path()).env_clear();
        command.env("TOOLGATE_STATE_DIR", self.path("state")).stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Run {
        Run::of(self.command(args).output().unwrap(), self.dir.path())
    }
}

/// What a command did.
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Run {
    fn of(output: Output, dir: &Path) -> Self {
        let text = |bytes| normalized(String::from_utf8(bytes).unwrap(), dir);
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// All of it, for a snapshot.
    fn shown(&self) -> String {
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

macro_rules! pin {
    ($name:expr, $run:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!($name, $run.shown()));
    }};
}

#[test]
fn every_command_explains_itself_with_an_example() {
    let site = Site::new("");
    pin!("help", site.run(&["--help"]));
    for command in ["serve", "stdio", "call", "list", "inspect", "check", "pull", "push"] {
        let run = site.run(&[command, "--help"]);
        assert!(run.stdout.contains("Example:"), "{command}");
        pin!(format!("help-{command}"), run);
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    let site = Site::new(CONFIG);
    pin!("usage-no-command", site.run(&[]));
    pin!("usage-unknown-command", site.run(&["serv"]));
    pin!("usage-unknown-option", site.run(&["list", "--jsn"]));
    pin!("usage-listen", site.run(&["serve", "--listen", "localhost"]));
    pin!("usage-no-reference", site.run(&["pull", "./calc.wasm"]));
    pin!("usage-call-no-tool", site.run(&["call", "calc"]));
    pin!("usage-call-not-json", site.run(&["call", "calc__add", "{a: 1}"]));
    pin!("usage-call-not-an-object", site.run(&["call", "calc__add", "[1, 2]"]));
    pin!("usage-call-no-file", site.run(&["call", "calc__add", "@none.json"]));
    pin!("usage-call-unknown-server", site.run(&["call", "clac__add"]));
    pin!("usage-call-unknown-tool", site.run(&["call", "calc", "multiply"]));
}

#[test]
fn a_config_that_is_missing_or_wrong_is_told() {
    let site = Site::new("[gateway]\nlissten = \"127.0.0.1:0\"\n\n[servers.calc]\n");
    pin!("config-missing", site.run(&["check", "--config", "none.toml"]));
    pin!("config-a-directory", site.run(&["check", "--config", "."]));
    pin!("config-faults", site.run(&["check"]));
    site.write("latin1.toml", b"# caf\xe9\n");
    pin!("config-not-utf8", site.run(&["serve", "--config", "latin1.toml"]));
    site.write("large.toml", &vec![b'\n'; 1024 * 1024 + 1]);
    pin!("config-too-large", site.run(&["stdio", "--config", "large.toml"]));
    let mut from_env = site.command(&["list"]);
    let run = Run::of(from_env.env("TOOLGATE_CONFIG", "elsewhere.toml").output().unwrap(), site.dir.path());
    assert!(run.stderr.starts_with("error: cannot read the config elsewhere.toml\n"), "{}", run.stderr);
}

#[test]
fn a_log_filter_that_makes_no_sense_is_told() {
    let site = Site::new(CONFIG);
    let output = site.command(&["check"]).env("TOOLGATE_LOG", "loud").output().unwrap();
    pin!("log-filter", Run::of(output, site.dir.path()));
    let output = site.command(&["check"]).env("TOOLGATE_LOG", "warn,toolgate=loud").output().unwrap();
    pin!("log-filter-level", Run::of(output, site.dir.path()));
}

#[test]
fn check_shows_what_each_server_resolves_to_and_fails_if_one_is_unavailable() {
    let site = Site::new(CONFIG);
    pin!("check-ready", site.run(&["check"]));
    let broken = "
[servers.absent]
component = \"file:absent.wasm\"
[servers.container]
image = \"mcp/fetch:1.2\"
[servers.far]
backend = \"remote\"
[servers.garbage]
component = \"file:garbage.wasm\"
[servers.module]
component = \"file:module.wasm\"
[servers.truncated]
component = \"file:truncated.wasm\"
";
    site.write("toolgate.toml", format!("{CONFIG}{broken}").as_bytes());
    site.write("garbage.wasm", b"not wasm");
    site.write("module.wasm", &wat::parse_str("(module)").unwrap());
    let component = fs::read(site.path("calc.wasm")).unwrap();
    site.write("truncated.wasm", &component[..component.len() / 2]);
    pin!("check-unavailable", site.run(&["check"]));
    let run = site.run(&["check", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let states: Vec<_> = report["servers"].as_array().unwrap().iter().map(|s| s["state"].clone()).collect();
    assert_eq!(states.iter().filter(|state| *state == "ready").count(), 1, "{report}");
    assert_eq!((run.code, states.len()), (Some(1), 7));
    assert!(!run.stdout.contains("never-shown"));
}

#[test]
fn a_clash_of_tool_names_names_the_key_to_change() {
    let site = Site::new(&format!("{CONFIG}\n[servers.calc.rename]\nadd = \"answer\"\n"));
    pin!("check-clash", site.run(&["check"]));
    let site = Site::new(&format!("{CONFIG}\n[servers.calc.rename]\nsum = \"total\"\n"));
    pin!("check-rename-of-nothing", site.run(&["check"]));
    let site = Site::new(&format!("{CONFIG}\n[servers.calc.rename]\nadd = \"sum\"\n"));
    assert!(site.run(&["list"]).stdout.contains("calc__sum"));
}

#[test]
fn a_grant_that_cannot_be_given_is_told() {
    let config = CONFIG.replace("host = \".\"", "host = \"no-such-directory\"");
    pin!("check-no-directory", Site::new(&config).run(&["check"]));
}

#[test]
fn check_shows_where_a_secret_goes_and_never_what_it_is() {
    let secrets = "secrets = [
    { from = \"env:API_TOKEN\", header = \"authorization\", value = \"Bearer {}\", to = \"https://api.example.com\" },
    { from = \"file:token\", env = \"PGPASSWORD\" },
]
env = ";
    let site = Site::new(&CONFIG.replace("env = ", secrets));
    let check = |args: &[&str]| {
        let output = site.command(args).env("API_TOKEN", "never-shown").output().unwrap();
        Run::of(output, site.dir.path())
    };
    pin!("check-secret-missing", check(&["check"]));
    site.write("token", b"never-shown\n");
    pin!("check-secrets", check(&["check"]));
    assert!(!check(&["check", "--json"]).stdout.contains("never-shown"));
}

#[test]
fn list_prints_the_names_that_clients_see() {
    let site = Site::new(&format!("{CONFIG}\n[servers.absent]\ncomponent = \"file:absent.wasm\"\n"));
    pin!("list", site.run(&["list"]));
    let run = site.run(&["list", "--json"]);
    let tools: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(tools[1]["name"], "calc__add");
    assert_eq!(tools[1]["inputSchema"]["required"], serde_json::json!(["a", "b"]));
}

#[test]
fn call_prints_the_result_and_what_it_used() {
    let site = Site::new(CONFIG);
    for words in [&["calc__add"][..], &["calc", "add"]] {
        let run = site.run(&[&["call"], words, &["{\"a\": 40, \"b\": 2}"]].concat());
        assert_eq!((run.code, run.stdout.as_str()), (Some(0), "42\n"), "{}", run.stderr);
        assert!(run.stderr.contains("fuel ") && run.stderr.contains("memory "), "{}", run.stderr);
    }
    site.write("arguments.json", b"{\"a\": 1, \"b\": 2}\n");
    assert_eq!(site.run(&["call", "calc__add", "@arguments.json"]).stdout, "3\n");
    let mut child = site.command(&["call", "calc__add", "-"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"a\": 2, \"b\": 3}").unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"5\n");
    let run = site.run(&["call", "calc__answer", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&report["structuredContent"]["result"], &report["isError"]), (&42.into(), &false.into()));
    assert!(report["usage"]["fuel"].as_u64().unwrap() > 0);
}

#[test]
fn a_call_that_fails_ends_with_1() {
    let site = Site::new(CONFIG);
    let run = site.run(&["call", "calc__spin"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    assert!(
        run.stderr.ends_with("error: out of fuel: the call burned its budget of 1000000\n"),
        "{}",
        run.stderr
    );
    let run = site.run(&["call", "calc__add", "{\"a\": -1, \"b\": 2}"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("error: invalid arguments: "), "{}", run.stderr);
    let run = site.run(&["call", "calc__spin", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, &report["error"]["code"]), (Some(1), &"fuel".into()));
}

#[test]
fn inspect_needs_no_config() {
    let site = Site::new("");
    fs::remove_file(site.path("toolgate.toml")).unwrap();
    pin!("inspect", site.run(&["inspect", "file:calc.wasm"]));
    let run = site.run(&["inspect", "file:calc.wasm", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["tools"][0]["name"], "answer");
    pin!("inspect-absent", site.run(&["inspect", "file:absent.wasm"]));
    pin!("inspect-no-server", site.run(&["inspect", "calc"]));
    site.write("module.wasm", &wat::parse_str("(module)").unwrap());
    pin!("inspect-module", site.run(&["inspect", "file:module.wasm"]));
}

#[test]
fn inspect_takes_the_name_of_a_server() {
    let site = Site::new(CONFIG);
    assert!(site.run(&["inspect", "calc"]).stdout.contains("[servers.calc]"));
    pin!("inspect-unknown-server", site.run(&["inspect", "clac"]));
}

#[test]
fn what_is_pushed_to_a_layout_can_be_pulled_and_served() {
    let site = Site::new("[servers.calc]\ncomponent = \"oci-layout:registry:calc\"\n");
    let pushed = site.run(&["push", "calc.wasm", "oci-layout:registry:calc", "--json"]);
    assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
    pin!("push", site.run(&["push", "calc.wasm", "oci-layout:registry:calc"]));
    let pulled = site.run(&["pull", "oci-layout:registry:calc", "--output", "copy.wasm"]);
    assert_eq!(pulled.code, Some(0), "{}", pulled.stderr);
    assert_eq!(fs::read(site.path("copy.wasm")).unwrap(), fs::read(site.path("calc.wasm")).unwrap());
    assert_eq!(site.run(&["call", "calc__answer"]).stdout, "42\n");
    pin!("pull-unknown-tag", site.run(&["pull", "oci-layout:registry:clac"]));
    pin!("push-no-file", site.run(&["push", "none.wasm", "oci-layout:registry:calc"]));
    pin!("push-to-a-file", site.run(&["push", "calc.wasm", "file:copy.wasm"]));
}

#[test]
fn a_state_directory_that_cannot_be_used_costs_time_and_nothing_else() {
    let site = Site::new(CONFIG);
    site.write("state", b"a file is in its place");
    let run = site.run(&["call", "calc__answer"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "42\n"), "{}", run.stderr);
    assert!(run.stderr.starts_with("warning: the state directory DIR/state: "), "{}", run.stderr);
}

#[test]
fn processes_may_share_a_state_directory() {
    let site = Site::new(CONFIG);
    let start = || {
        let mut command = site.command(&["call", "calc__answer"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<Child> = (0..4).map(|_| start()).collect();
    for child in children {
        let run = Run::of(child.wait_with_output().unwrap(), site.dir.path());
        assert_eq!((run.code, run.stdout.as_str()), (Some(0), "42\n"), "{}", run.stderr);
        assert!(!run.stderr.contains("warning"), "{}", run.stderr);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let site = Site::new(CONFIG);
    let mut child = site.command(&["check", "--json"]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(output.status.success());
}

#[test]
fn a_port_in_use_is_told() {
    let site = Site::new(CONFIG);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut run = site.run(&["serve", "--listen", &address]);
    run.stderr = run.stderr.replace(&address, "ADDRESS");
    pin!("serve-port-in-use", run);
}

#[test]
fn serve_tells_its_address_and_ends_on_a_signal() {
    let site = Site::new(&format!("{CONFIG}\n[servers.absent]\ncomponent = \"file:absent.wasm\"\n"));
    for signal in [Signal::TERM, Signal::INT] {
        let mut child = site.command(&["serve", "--listen", "127.0.0.1:0", "--port-file", "port"]);
        let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let address = wait_for(&site.path("port"));
        kill_process(Pid::from_child(&child), signal).unwrap();
        let run = Run::of(child.wait_with_output().unwrap(), site.dir.path());
        assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""), "{}", run.stderr);
        assert!(run.stderr.contains(&format!("serving at http://{}/mcp", address.trim())), "{}", run.stderr);
        let unavailable = run.stderr.lines().find(|line| line.contains("unavailable")).unwrap();
        let event: serde_json::Value = serde_json::from_str(unavailable).unwrap();
        assert_eq!((&event["server"], &event["level"]), (&"absent".into(), &"ERROR".into()));
        fs::remove_file(site.path("port")).unwrap();
    }
}

#[test]
fn serve_answers_calls_and_a_second_signal_does_not_wait_for_them() {
    let site =
        Site::new(&CONFIG.replace("fuel = 1_000_000", "fuel = 9_000_000_000_000_000_000\ndeadline = \"1h\""));
    let mut child = site.command(&["serve", "--listen", "127.0.0.1:0", "--port-file", "port"]);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let address = wait_for(&site.path("port"));
    let mut answered = post_call(address.trim(), "calc__answer");
    let mut reply = String::new();
    answered.read_to_string(&mut reply).unwrap();
    assert!(reply.contains(r#""structuredContent":{"result":42}"#), "{reply}");
    let _spinning = post_call(address.trim(), "calc__spin");
    std::thread::sleep(Duration::from_millis(300));
    let kill = |child: &Child| kill_process(Pid::from_child(child), Signal::TERM).unwrap();
    kill(&child);
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "the first signal lets the call go on");
    kill(&child);
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn a_log_that_nobody_reads_stops_nothing_and_is_whole_in_the_end() {
    // More lines than a pipe holds.
    const CALLS: usize = 400;
    let site = Site::new(CONFIG);
    let mut child = site.command(&["serve", "--listen", "127.0.0.1:0", "--port-file", "port"]);
    let child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let address = wait_for(&site.path("port"));
    for _ in 0..CALLS {
        let mut reply = String::new();
        let mut answered = post_call(address.trim(), "calc__answer");
        answered.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        answered.read_to_string(&mut reply).unwrap();
        assert!(reply.contains(r#""structuredContent":{"result":42}"#), "{reply}");
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let run = Run::of(child.wait_with_output().unwrap(), site.dir.path());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.len() > 64 << 10, "the pipe was never full");
    assert_eq!(run.stderr.lines().filter(|line| line.contains("\"outcome\":\"ok\"")).count(), CALLS);
    assert!(run.stderr.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[test]
fn a_server_that_was_unavailable_is_served_once_it_can_be() {
    let site = Site::new(CONFIG);
    fs::rename(site.path("calc.wasm"), site.path("later.wasm")).unwrap();
    let mut child = site.command(&["serve", "--listen", "127.0.0.1:0", "--port-file", "port"]);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let address = wait_for(&site.path("port"));
    let reply = || {
        let mut reply = String::new();
        post_call(address.trim(), "calc__answer").read_to_string(&mut reply).unwrap();
        reply
    };
    let refused = reply();
    assert!(refused.contains("unavailable") && !refused.contains("calc.wasm"), "{refused}");
    fs::rename(site.path("later.wasm"), site.path("calc.wasm")).unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while !reply().contains(r#""structuredContent":{"result":42}"#) {
        assert!(Instant::now() < end, "{}", reply());
        std::thread::sleep(Duration::from_millis(100));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn stdio_speaks_the_protocol_and_nothing_else() {
    let site = Site::new(&format!("{CONFIG}\n[servers.absent]\ncomponent = \"file:absent.wasm\"\n"));
    let mut child = site.command(&["stdio"]);
    let mut child =
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let call = format!("{}\n", call_body("calc__answer"));
    child.stdin.take().unwrap().write_all(call.as_bytes()).unwrap();
    let run = Run::of(child.wait_with_output().unwrap(), site.dir.path());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let lines: Vec<_> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 1, "{}", run.stdout);
    let reply: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(reply["result"]["structuredContent"], serde_json::json!({ "result": 42 }));
    assert!(run.stderr.contains("unavailable: absent.wasm"), "{}", run.stderr);
}

/// Sends one `tools/call` on a connection of its own.
fn post_call(address: &str, tool: &str) -> TcpStream {
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

fn call_body(tool: &str) -> String {
    let meta = serde_json::json!({
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = serde_json::json!({ "name": tool, "arguments": {}, "_meta": meta });
    serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string()
}

fn wait_for(path: &Path) -> String {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        match fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => assert!(Instant::now() < end, "{} does not appear", path.display()),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
