//! Runs the attempts of a family, one after the other, and compares what was seen.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use e2e::client::{Client, REVISION};
use e2e::gateway;
use serde_json::{Value, json};
use tokio::sync::RwLock;
use tokio::task::JoinHandle;

use crate::attempt::{Action, Attempt, Call, Step, expand};
use crate::observed::Observed;
use crate::transcript::{Transcript, reply};
use crate::world::World;

/// Attempts share the machine; measurements want it alone.
pub(crate) static QUIET: RwLock<()> = RwLock::const_new(());

/// A call that was made: its step, and what came back.
struct Made {
    step: usize,
    tool: String,
    reply: Value,
    /// Its record comes after those of the steps that follow.
    last: bool,
}

/// What a step showed, line by line.
type Seen = Vec<(&'static str, String)>;

/// Tries everything of a family.
pub(crate) async fn family(name: &str) {
    let _others_too = QUIET.read().await;
    let folder = crate::folder().join(name);
    let mut world = World::start(&Path::new(name).join("toolgate.toml")).await;
    let mut wrong = Vec::new();
    for attempt in Attempt::all(&folder) {
        let seen = attempt_in(&mut world, name, &attempt).await;
        if seen == attempt.text {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&attempt.path, seen).unwrap();
        } else {
            wrong.push(difference(&attempt, &seen));
        }
    }
    assert!(wrong.is_empty(), "{}\nUPDATE=1 writes what was seen", wrong.join("\n"));
}

async fn attempt_in(world: &mut World, family: &str, attempt: &Attempt) -> String {
    world.furnish();
    let name = attempt.path.file_stem().unwrap().to_str().unwrap().to_owned();
    let begin = world.gateway.log().len();
    let mut untouchable = world.untouchable();
    let mut seen: Vec<Seen> = Vec::new();
    let (mut made, mut beside) = (Vec::new(), Vec::new());
    // Everything that callers and other processes saw, whole.
    let mut whole = String::new();
    for (index, step) in attempt.steps.iter().enumerate() {
        seen.push(Vec::new());
        match &step.action {
            Action::Shell(command) => {
                untouched(world, &name, &untouchable);
                seen[index] = shell(world, command);
                // What the host does itself is no escape.
                untouchable = world.untouchable();
            }
            Action::OverStdio(call) => seen[index] = over_stdio(world, family, call, &mut whole),
            Action::Call(call) => {
                let reply = send(world, family, call).await;
                made.push(Made { step: index, tool: call.tool.clone(), reply, last: false });
                // What follows comes after the call's end, not only after its reply.
                world.recorded(begin, made.len()).await;
            }
            Action::Beside(call) | Action::Outlasting(call) => {
                let last = matches!(step.action, Action::Outlasting(_));
                beside.push((index, call.tool.clone(), last, spawn(world, family, call)));
            }
        }
    }
    for (step, tool, last, call) in beside {
        made.push(Made { step, tool, reply: call.await.unwrap(), last });
    }
    world.recorded(begin, made.len()).await;
    let left = world.changeable();
    world.at_rest(&name).await;
    assert!(world.changeable() == left, "{name}: files change after the call");
    let log = world.gateway.log()[begin..].to_owned();
    describe(&name, &made, &log, &mut seen);
    let text = transcript(world, attempt, &seen);
    // A transcript cuts what is long and leaves out what callers see besides the text.
    whole.extend(made.iter().map(|made| made.reply.to_string()));
    world.check(&name, &whole, &log).await;
    untouched(world, &name, &untouchable);
    text
}

fn untouched(world: &World, name: &str, before: &BTreeMap<PathBuf, Vec<u8>>) {
    assert!(world.untouchable() == *before, "{name}: files outside of the grant changed");
}

fn describe(name: &str, made: &[Made], log: &str, seen: &mut [Seen]) {
    let mut observed: VecDeque<_> = Observed::calls(log).into_iter().enumerate().collect();
    let mut recorded = Vec::new();
    for made in made {
        seen[made.step].push(reply(&made.reply));
        let own = observed.iter().position(|(_, call)| call.is_of(&made.tool));
        match own.and_then(|at| observed.remove(at)) {
            Some((place, call)) => {
                call.check();
                seen[made.step].extend(call.lines());
                recorded.push((made, place));
            }
            None => seen[made.step].push(("record", "none: it never became a call".to_owned())),
        }
    }
    for (last, place) in recorded.iter().filter(|(made, _)| made.last) {
        let later = |(made, at): &&(&Made, usize)| !made.last && made.step > last.step && at > place;
        let late = recorded.iter().find(later).map(|(made, _)| made.tool.as_str());
        assert_eq!(late, None, "{name}: {} ended first, though it was to take longer", last.tool);
    }
}

fn transcript(world: &World, attempt: &Attempt, seen: &[Seen]) -> String {
    let mut transcript = Transcript::new(&attempt.about, world.names());
    for (Step { line, .. }, seen) in attempt.steps.iter().zip(seen) {
        transcript.step(line);
        for (label, text) in seen {
            transcript.seen(label, text);
        }
    }
    transcript.into_text()
}

async fn send(world: &World, family: &str, call: &Call) -> Value {
    let (client, arguments) = prepare(world, family, call);
    post(&client, &call.tool, &arguments).await
}

fn spawn(world: &World, family: &str, call: &Call) -> JoinHandle<Value> {
    let (client, arguments) = prepare(world, family, call);
    let tool = call.tool.clone();
    tokio::spawn(async move { post(&client, &tool, &arguments).await })
}

fn prepare(world: &World, family: &str, call: &Call) -> (Client, String) {
    let client = world.client(call.server.as_deref().unwrap_or(family));
    (client, filled(world, &call.arguments))
}

/// With variables and repetitions written out.
pub(crate) fn filled(world: &World, text: &str) -> String {
    let variables = world.variables();
    let fill = |text: String, (name, value): (&&str, &String)| text.replace(&format!("${{{name}}}"), value);
    expand(&variables.iter().fold(text.to_owned(), fill))
}

/// A call whose arguments are sent as they are written, valid or not.
pub(crate) async fn post(client: &Client, tool: &str, arguments: &str) -> Value {
    let headers = [("mcp-protocol-version", REVISION), ("mcp-method", "tools/call"), ("mcp-name", tool)];
    let reply = client.post(&headers, request(tool, arguments)).await;
    serde_json::from_str(&reply.text)
        .unwrap_or_else(|_| json!({ "error": { "code": reply.status, "message": reply.text } }))
}

fn request(tool: &str, arguments: &str) -> String {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientInfo": { "name": "escape", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = format!("{{\"name\":\"{tool}\",\"arguments\":{arguments},\"_meta\":{meta}}}");
    format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{params}}}")
}

fn shell(world: &World, command: &str) -> Seen {
    let toolgate = gateway::command(&world.site);
    let environment = toolgate.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let output = Command::new("sh")
        // So that the gateway's own commands are at hand.
        .args(["-c", &format!("toolgate() {{ \"$TOOLGATE\" \"$@\"; }}; {command}")])
        .current_dir(world.site.dir())
        .env_clear()
        .envs(environment)
        .envs(world.variables())
        .env("TOOLGATE", toolgate.get_program())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if said.trim().is_empty() { Vec::new() } else { vec![("host", said.trim_end().to_owned())] }
}

/// One call through a `toolgate stdio` of its own; every line that the process wrote is looked at, and
/// added to `whole`.
fn over_stdio(world: &World, family: &str, call: &Call, whole: &mut String) -> Seen {
    let server = call.server.as_deref().unwrap_or(family);
    let tool = format!("{server}__{}", call.tool);
    let mut process = gateway::command(&world.site)
        .arg("stdio")
        .env("TOOLGATE_LOG", "warn,toolgate::call=info")
        .envs(world.variables())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let line = request(&tool, &filled(world, &call.arguments)) + "\n";
    // Closing the input ends the process once the call is answered.
    process.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let (out, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    whole.extend([&*out, &*log]);
    let replies: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(replies.len(), 1, "one request, one reply:\n{out}");
    let calls = Observed::calls(&log);
    assert_eq!(calls.len(), 1, "one call, one record:\n{log}");
    let mut seen = vec![reply(&replies[0])];
    seen.extend(calls[0].lines());
    seen
}

/// The first line that differs, and the whole of what was seen.
fn difference(attempt: &Attempt, seen: &str) -> String {
    let path = attempt.path.strip_prefix(crate::folder()).unwrap_or(Path::new("")).display();
    let mut lines = attempt.text.lines().zip(seen.lines());
    let (expected, now) = lines.find(|(expected, now)| expected != now).unwrap_or(("", "(more or less)"));
    format!("{path}: expected\n{expected}\nbut saw\n{now}\nof\n{seen}")
}
