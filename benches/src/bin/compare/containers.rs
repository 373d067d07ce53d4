//! A server in a container: from nothing, kept warm, and spoken to without a gateway.
//!
//! All by the sandbox itself, on the engine of the machine. The server is `tests/images/odd`, one static
//! program, so that what is measured is the way to it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::fixture::{invocation, root};
use benches::table::{Quantity, Reach, Row};
use toolgate_runtime::artifact::{Artifacts, ArtifactsOptions};
use toolgate_runtime::docker::{
    Address, DockerEngine, DockerError, DockerOptions, DockerServer, Identity, Lifetime, Surroundings, clear,
};
use toolgate_runtime::egress::Egress;
use toolgate_runtime::events::Ignore;
use toolgate_runtime::policy::Policy;
use toolgate_runtime::sandbox::Sandbox;

use crate::RUNS;

/// As `cargo xtask bench` names it.
const IMAGE: &str = "toolgate-test:odd";

/// The tool, and its arguments.
const TOOL: &str = "fail";
const ARGUMENTS: &str = r#"{"message":"Ada"}"#;

/// Containers that are started.
const STARTS: usize = 7;

/// Calls of one run.
const CALLS: usize = 2000;

const COLD: &str = "container and call, nothing kept ready";
const WARM: &str = "call of a warm container, median";
const DIRECT: &str = "call of the same server by docker run -i, median";
const PIPE: &str = "call of the same server as a process, median";
const START: &str = "start to first answer by docker run -i";

/// All rows of this part.
pub(crate) async fn rows() -> Vec<Row> {
    match engine() {
        Ok(engine) if engine.ping().await.is_ok() => measure(&engine).await,
        _ => [COLD, START, WARM, DIRECT, PIPE].map(|what| Row::missing(what, "no engine")).into(),
    }
}

/// The machine's own.
fn engine() -> Result<DockerEngine, DockerError> {
    DockerEngine::at(Address::usual(|name: &str| std::env::var(name).ok()))
}

async fn measure(engine: &DockerEngine) -> Vec<Row> {
    let identity = Identity::open(None);
    let cold = prepare(engine, &identity, Lifetime::Call, 0).await;
    let warm = prepare(engine, &identity, Lifetime::Warm, 1).await;
    // The one that was asked for its tools.
    call(&cold).await;
    let (mut colds, mut starts) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let since = Instant::now();
        call(&cold).await;
        colds.push(Quantity::Time(since.elapsed()));
        let since = Instant::now();
        Peer::in_container().call();
        starts.push(Quantity::Time(since.elapsed()));
    }
    let (mut direct, mut process) = (Peer::in_container(), Peer::of_this_machine());
    let (mut warms, mut directs, mut processes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let mut times = Vec::new();
        for _ in 0..CALLS {
            times.push(call(&warm).await);
        }
        warms.push(median(times));
        directs.push(median((0..CALLS).map(|_| direct.call()).collect()));
        processes.push(median((0..CALLS).map(|_| process.call()).collect()));
    }
    drop((cold, warm));
    clear(engine, &identity).await.expect("the engine answers");
    let (cold, start) = (Row::runs(COLD, colds), Row::runs(START, starts));
    let (warm, direct) = (Row::runs(WARM, warms), Row::runs(DIRECT, directs));
    let overhead = Row::difference("warm container over docker run -i", &warm, &direct)
        .reach(Reach::Below(Quantity::micros(200.0)));
    let ratio = Row::ratio("container and call over docker run -i", &cold, &start)
        .reach(Reach::Below(Quantity::Ratio(1.0)));
    vec![cold, start, ratio, warm, direct, Row::runs(PIPE, processes), overhead]
}

async fn prepare(
    engine: &DockerEngine,
    identity: &Identity,
    lifetime: Lifetime,
    warm: usize,
) -> DockerServer {
    let options = DockerOptions { lifetime, warm, ..DockerOptions::of(IMAGE.to_owned()) };
    let around = Surroundings {
        engine,
        owner: identity.owner("bench"),
        policy: Policy::default(),
        artifacts: &Artifacts::open(ArtifactsOptions::default()).expect("no settings"),
        egress: &Egress::default(),
        naming: &Default::default(),
        observer: Arc::new(Ignore),
        progress: &|_| (),
    };
    DockerServer::prepare(options, around).await.expect("cargo xtask bench makes the image")
}

async fn call(server: &DockerServer) -> Duration {
    let tool = server.describe().tools.iter().position(|tool| tool.name == TOOL).expect("the tool");
    let invocation = invocation(tool, ARGUMENTS);
    let since = Instant::now();
    server.call(invocation).await.expect("an outcome");
    since.elapsed()
}

fn median(mut times: Vec<Duration>) -> Quantity {
    times.sort_unstable();
    Quantity::Time(times[times.len() / 2])
}

/// The server, spoken to over pipes by hand.
struct Peer {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn in_container() -> Self {
        let mut command = Command::new("docker");
        command.args([
            "run",
            "--rm",
            "--interactive",
            "--network",
            "none",
            "--read-only",
            "--cap-drop",
            "ALL",
        ]);
        command.args(["--init", "--user", "65534:65534", IMAGE]);
        Self::start(command)
    }

    fn of_this_machine() -> Self {
        let target = root().join("tests/images/target");
        let triples = std::fs::read_dir(target).expect("a built program").map_while(Result::ok);
        let mut programs = triples.map(|entry| entry.path().join("release/odd"));
        Self::start(Command::new(programs.find(|path| path.is_file()).expect("a built program")))
    }

    fn start(mut command: Command) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = piped.spawn().expect("it starts");
        let input = process.stdin.take().expect("its input");
        let output = BufReader::new(process.stdout.take().expect("its output"));
        let mut peer = Self { process, input, output };
        let params =
            r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"b","version":"1"}}"#;
        peer.ask("initialize", params);
        peer
    }

    /// One call, and its time.
    fn call(&mut self) -> Duration {
        let since = Instant::now();
        self.ask("tools/call", &format!(r#"{{"name":"{TOOL}","arguments":{ARGUMENTS}}}"#));
        since.elapsed()
    }

    fn ask(&mut self, method: &str, params: &str) {
        let line = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        self.input.write_all(format!("{line}\n").as_bytes()).expect("it reads");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("it answers");
        assert!(answer.contains("\"result\""), "{answer}");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
