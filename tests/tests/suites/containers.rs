//! In a container of 512 MB: a storm of calls that take all that they may waits, or is turned away, and
//! the gateway never needs more than there is. In one of a single processor: no more threads than that.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::cgroup::Cgroup;
use e2e::client::{Client, REVISION};
use e2e::gateway::{Gateway, command};
use e2e::guests;
use e2e::site::Site;
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;

/// What the container may have.
const CONTAINER: u64 = 512 * MIB;

/// What calls may take of it together, by default: five eighths.
const CALLS: u64 = CONTAINER / 8 * 5;

/// What the rest of the gateway needs beside small calls: code, connections, the allocator's own.
const REST: u64 = 32 * MIB;

/// How much more memory the gateway may hold when all is over: what the pool and the allocator keep.
const KEPT: u64 = 48 * MIB;

/// Calls of the small tool at a time; a third of them fits.
const SMALL: usize = 220;

/// Clients of the large tool, of whose calls four fit; eight may wait for memory, and 32 in line.
const LARGE: usize = 64;

/// How long these go on.
const STORM: Duration = Duration::from_secs(5);

/// Levels of a recursion that nearly fills the stack of a call.
const DEPTH: u32 = 10_000;

/// How long health may take, in a debug build on a busy machine.
const HEALTH: Duration = Duration::from_secs(2);

fn site() -> Site {
    let component = format!("component = \"file:{}\"", guests::guest("misbehave").display());
    Site::new(&format!(
        "[servers.small]\n{component}\n[servers.small.limits]\n\
         memory = \"1536KiB\"\noutput = \"1KiB\"\nstdio = \"1KiB\"\nconcurrency = {SMALL}\n\
         [servers.large]\n{component}\n[servers.large.limits]\n\
         memory = \"74MiB\"\noutput = \"64KiB\"\nconcurrency = 8\n\
         [servers.wide]\n{component}\n"
    ))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_calls_stays_within_the_memory_of_a_container_of_512_mb() {
    let site = site();
    let group = Cgroup::with_memory(CONTAINER);
    let mut gateway = Gateway::launch(&site, group.command(&site)).await;
    let idle = group.usage();

    storm_of_small_calls(&gateway).await;
    let small = group.peak();
    report(&format!("{} MiB idle, {} MiB at most with small calls", idle / MIB, small / MIB));
    assert!(small < CALLS + REST, "small calls took {} MiB", small / MIB);
    settled(&group, idle).await;

    let stuck = stuck(&gateway);
    let before = group.usage();
    let (served, refused) = storm_of_large_calls(&gateway, &group).await;
    report(&format!(
        "{} MiB with stuck clients, {} MiB at most; {served} large calls served, {refused} turned away",
        before / MIB,
        group.peak() / MIB
    ));
    assert!(served > 0 && refused > 0, "{served} calls were served, and {refused} turned away");
    assert_eq!(group.kills(), 0, "the kernel had to kill");
    assert!(group.peak() < CONTAINER, "the limit was reached");
    assert!(gateway.is_alive());

    drop(stuck);
    settled(&group, idle).await;
    let after = gateway.client_of("large").call("count", json!({})).await;
    assert_eq!(after["structuredContent"], json!({ "result": 1 }));
}

#[test]
fn what_calls_may_take_follows_from_the_container() {
    let site = Site::new("");
    let group = Cgroup::with_memory(CONTAINER);
    let fact = told(group.command(&site), "memory");
    assert!(fact.starts_with("536.8 MB by "), "{fact}");
    assert!(fact.ends_with("calls take up to 335.5 MB together"), "{fact}");
    let outside = told(command(&site), "memory");
    assert!(!outside.contains("536.8 MB by"), "the group is this test's alone");
}

#[tokio::test]
async fn threads_follow_the_quota_of_processors_of_the_container() {
    let site = Site::new("");
    let group = Cgroup::with_processors(1);
    let told = told(group.command(&site), "processors");
    let gateway = Gateway::launch(&site, group.command(&site)).await;
    let (workers, guests) = (threads(&gateway, "tokio-"), threads(&gateway, "guest-low-"));
    let expected =
        format!("1: {workers} threads for the event loop, {guests} long calls and 2 compilations ");
    assert!(told.starts_with(&expected), "{told:?}, and {expected:?}");
    assert_eq!(workers, 2, "one would wait where a short call waits for the disk");
    let here = std::thread::available_parallelism().unwrap();
    let outside = self::told(command(&site), "processors");
    assert!(outside.starts_with(&format!("{here}: ")), "the quota is this test's alone: {outside}");
}

/// What the doctor says of something.
fn told(mut command: Command, what: &str) -> String {
    let findings = command.args(["doctor", "--json"]).output().unwrap();
    let findings: Vec<Value> = serde_json::from_slice(&findings.stdout).unwrap();
    let finding = findings.iter().find(|finding| finding["what"] == what).unwrap();
    finding["fact"].as_str().unwrap().to_owned()
}

/// Threads of the gateway's process whose name begins so.
fn threads(gateway: &Gateway, name: &str) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", gateway.pid())).unwrap();
    // One may end meanwhile.
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|found| found.starts_with(name)).count()
}

/// All at once, each with its memory and its stack full. Those beyond what fits wait, and are served.
async fn storm_of_small_calls(gateway: &Gateway) {
    let hold = || {
        let client = gateway.client_of("small");
        tokio::spawn(async move { hold_all(&client, 1000).await })
    };
    let calls: Vec<_> = (0..SMALL).map(|_| hold()).collect();
    for call in calls {
        let reply = call.await.unwrap();
        assert_eq!(reply["result"]["isError"], false, "{reply}");
    }
}

/// Again and again, while health is asked for. How many were served, and how many turned away.
async fn storm_of_large_calls(gateway: &Gateway, group: &Cgroup) -> (usize, usize) {
    let end = Instant::now() + STORM;
    let clients: Vec<_> =
        (0..LARGE).map(|_| tokio::spawn(large_calls(gateway.client_of("large"), end))).collect();
    let http = reqwest::Client::builder().timeout(HEALTH).build().unwrap();
    while Instant::now() < end {
        let answer = http.get(gateway.url("/livez")).send().await;
        let answer = answer.unwrap_or_else(|error| panic!("{error}; the kernel killed {}", group.kills()));
        assert!(answer.status().is_success());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut counts = (0, 0);
    for client in clients {
        let (served, refused) = client.await.unwrap();
        counts = (counts.0 + served, counts.1 + refused);
    }
    counts
}

async fn large_calls(client: Client, end: Instant) -> (usize, usize) {
    let (mut served, mut refused) = (0, 0);
    while Instant::now() < end {
        let reply = hold_all(&client, 200).await;
        match reply["error"]["message"].as_str() {
            None => {
                assert_eq!(reply["result"]["isError"], false, "{reply}");
                served += 1;
            }
            Some(message) => {
                assert_eq!(message, "overloaded: too many calls of server \"large\" in flight");
                refused += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    (served, refused)
}

async fn hold_all(client: &Client, milliseconds: u64) -> Value {
    client.try_call("hold-all", json!({ "depth": DEPTH, "milliseconds": milliseconds })).await
}

/// Clients that fill what there is for answers and for bodies: they do not read, and do not send the
/// last byte.
fn stuck(gateway: &Gateway) -> Vec<TcpStream> {
    let unread = (0..24).map(|_| {
        std::thread::sleep(Duration::from_millis(60));
        ask(gateway, "huge-string", &json!({ "bytes": 4_000_000 }), 0)
    });
    let mut stuck: Vec<_> = unread.collect();
    stuck.extend((0..36).map(|_| ask(gateway, "fail", &json!({ "message": "x".repeat(4_000_000) }), 1)));
    stuck
}

/// Sends a call of the wide tool but for its last `missing` bytes.
fn ask(gateway: &Gateway, tool: &str, arguments: &Value, missing: usize) -> TcpStream {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientInfo": { "name": "e2e", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "name": tool, "arguments": arguments, "_meta": meta });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    let head = format!(
        "POST /mcp/wide HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: application/json\r\n\
         mcp-protocol-version: {REVISION}\r\nmcp-method: tools/call\r\nmcp-name: {tool}\r\n\
         content-length: {}\r\n\r\n",
        gateway.address(),
        body.len()
    );
    let sent = head.as_bytes().iter().chain(&body.as_bytes()[..body.len() - missing]);
    // A body for which nothing is left is refused before it was sent.
    drop(stream.write_all(&sent.copied().collect::<Vec<_>>()));
    stream
}

/// Waits until the memory went back.
async fn settled(group: &Cgroup, idle: u64) {
    let end = Instant::now() + Duration::from_secs(10);
    while group.usage() > idle + KEPT {
        assert!(Instant::now() < end, "{} MiB are left of {} MiB", group.usage() / MIB, idle / MIB);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[allow(clippy::print_stderr, reason = "the numbers are worth reading, also where all is well")]
fn report(line: &str) {
    eprintln!("{line}");
}
