//! Many calls at a time: the gateway has room, or says that it has not.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::gateway::{Gateway, run};
use e2e::guests;
use e2e::process::resident;
use e2e::site::Site;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use serde_json::{Value, json};

/// Calls in flight at a time. Each is six memory mappings, of which Linux gives a process 65,530.
const CALLS: usize = 10_000;

/// Descriptors that this many connections need at this end, and some for other tests of this process.
const DESCRIPTORS: u64 = CALLS as u64 + 4_000;

/// How long each of them waits in a host call; long enough that the first has not ended when the
/// last begins.
const WAIT: Duration = Duration::from_secs(60);

/// When they are counted, after the first was sent: before any of them may have ended.
const LOOK: Duration = Duration::from_secs(50);

/// What calls may take together is set by hand, since it is more than many a machine has: each has 4 MiB
/// set aside, half of it for its stack, so that 10,000 take 41 GiB. Set aside is what a call *may* take;
/// one that waits takes the hundred kilobytes or so that the test measures.
fn sleepers() -> Site {
    Site::new(&format!(
        "[gateway]\nlisten = \"127.0.0.1:0\"\nstate-dir = \"state\"\nmax-connections = 10100\n\
         header-timeout = \"90s\"\nidle-timeout = \"90s\"\n\
         [admission]\nconcurrency = {CALLS}\nmemory = \"44GiB\"\n\
         [servers.bad]\ncomponent = \"file:{}\"\n\
         [servers.bad.limits]\nconcurrency = {CALLS}\nmemory = \"2MiB\"\noutput = \"1KiB\"\nstdio = \"1KiB\"\n\
         deadline = \"240s\"\n",
        guests::guest("misbehave").display()
    ))
}

fn request(address: &str) -> Vec<u8> {
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {
            "name": "bad__sleep-for",
            "arguments": { "milliseconds": WAIT.as_millis() as u64 },
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "e2e", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    })
    .to_string();
    format!(
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\n\
         mcp-method: tools/call\r\nmcp-name: bad__sleep-for\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_calls_wait_in_host_calls_at_a_time() {
    allow_descriptors();
    let site = sleepers();
    let gateway = Gateway::start(&site).await;
    let (client, address) = (gateway.client(), gateway.address().to_owned());
    let idle = resident(gateway.pid());
    let request = request(&address);
    let since = Instant::now();
    let mut connections = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let mut connection = TcpStream::connect(&address).unwrap();
        connection.write_all(&request).unwrap();
        connections.push(connection);
    }
    tokio::time::sleep(LOOK.saturating_sub(since.elapsed())).await;
    let each = resident(gateway.pid()).saturating_sub(idle) / CALLS as u64;
    // Health is answered: nothing is spent but time.
    assert!(reqwest::get(gateway.url("/health")).await.unwrap().status().is_success());
    let looked = since.elapsed();
    assert!(looked < WAIT, "the first may have ended before they were counted: {looked:?}");
    for connection in connections {
        slept(connection, &gateway);
    }
    // Each took its time from when it began, so all had begun by then.
    let last = since.elapsed().saturating_sub(WAIT);
    assert!(last < looked, "the last began after {last:?}, and they were counted after {looked:?}");
    assert!(each < 250_000, "{each} bytes resident for each call");
    let after = client.call("bad__count", json!({})).await;
    assert_eq!(after["structuredContent"], json!({ "result": 1 }));
}

/// Reads the reply to a call that must have slept.
fn slept(mut connection: TcpStream, gateway: &Gateway) {
    let mut reply = String::new();
    connection.set_read_timeout(Some(Duration::from_secs(240))).unwrap();
    connection.read_to_string(&mut reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{reply}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["result"]["isError"], false, "{body}\n{}", causes(gateway));
    let micros = body["result"]["_meta"]["toolgate/usage"]["wallMicros"].as_u64().unwrap();
    assert!(micros >= WAIT.as_micros() as u64, "{body}");
}

/// More than 128, which is the backlog of a listener that says nothing of it.
#[tokio::test]
async fn a_thousand_clients_that_come_while_none_is_accepted_are_connected_at_once() {
    allow_descriptors();
    let gateway = Gateway::start(&Site::new("")).await;
    let address: SocketAddr = gateway.address().parse().unwrap();
    let pid = Pid::from_raw(gateway.pid().cast_signed()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    // One that the kernel drops is tried again after a second.
    let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(500)).unwrap();
    let mut clients: Vec<_> = (0..1_000).map(connect).collect();
    kill_process(pid, Signal::CONT).unwrap();
    for client in &mut clients {
        client.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    }
    for mut client in clients {
        let mut reply = String::new();
        client.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    }
}

/// As many as the test needs, of those that this process may have. The gateway does so by itself.
pub(super) fn allow_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    assert!(limit.maximum.is_none_or(|most| most >= DESCRIPTORS), "`ulimit -Hn` is {limit:?}");
    setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS), ..limit }).unwrap();
}

/// The calls that failed, in the words of the log.
fn causes(gateway: &Gateway) -> String {
    let log = gateway.log();
    log.lines().filter(|line| line.contains("cause")).take(5).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_server_whose_calls_could_never_be_admitted_is_told_at_the_start() {
    let site = Site::new(&format!(
        "[admission]\nmemory = \"16MiB\"\n[servers.big]\ncomponent = \"file:{}\"\n",
        guests::guest("hello").display()
    ));
    let check = run(&site, &["check"]);
    let text = String::from_utf8_lossy(&check.stdout).into_owned();
    assert_eq!(check.status.code(), Some(1), "{text}");
    assert!(
        text.contains("a call of it may take ") && text.contains("and all calls together 16MiB"),
        "{text}"
    );
    assert!(text.contains("lower `memory` or `output` in its limits"), "{text}");
}

#[tokio::test]
async fn metered_by_epoch_a_call_tells_no_fuel_and_still_ends_at_its_deadline() {
    let site = Site::new(&format!(
        "[engine]\nmetering = \"epoch\"\n[servers.bad]\ncomponent = \"file:{}\"\n\
         [servers.bad.limits]\ndeadline = \"300ms\"\n",
        guests::guest("misbehave").display()
    ));
    let gateway = Gateway::start(&site).await;
    let client = gateway.client_of("bad");
    let result = client.call("spin", json!({})).await;
    assert_eq!(result["_meta"]["toolgate/error"], "deadline", "{result}");
    assert!(result["_meta"]["toolgate/usage"].get("fuel").is_none(), "{result}");
    let result = client.call("count", json!({})).await;
    assert_eq!(result["isError"], false, "{result}");
}

#[test]
fn doctor_says_what_the_machine_gives() {
    let site = Site::new("");
    let told = run(&site, &["doctor", "--json"]);
    let findings: Vec<Value> = serde_json::from_slice(&told.stdout).unwrap();
    let of = |what: &str| findings.iter().find(|finding| finding["what"] == what).unwrap();
    assert_eq!(told.status.code(), Some(0));
    assert_eq!(of("compiler")["state"], "ok");
    assert!(of("memory")["fact"].as_str().unwrap().contains("calls take up to"));
    let count = fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
    assert_eq!(of("memory mappings")["fact"], format!("vm.max_map_count is {}", count.trim()));
    let reset = of("instances")["fact"].as_str().unwrap();
    let swaps = fs::read_to_string("/proc/swaps").unwrap().lines().count() > 1;
    assert_eq!(swaps, !reset.contains("only written pages are reset") && !reset.contains("PAGEMAP_SCAN"));
}

#[test]
fn without_address_space_for_a_pool_calls_run_on_demand() {
    let site =
        Site::new(&format!("[servers.good]\ncomponent = \"file:{}\"\n", guests::guest("hello").display()));
    let binary = e2e::gateway::binary();
    // 16 GiB, of which a call on demand reserves 4; the smallest pool takes more than all of it.
    let limited = |args: &str| {
        let script = format!("ulimit -v 16777216; exec {} {args} --config toolgate.toml", binary.display());
        let output = Command::new("sh").args(["-c", &script]).current_dir(site.dir()).output().unwrap();
        assert!(output.status.success(), "{args}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let findings: Vec<Value> = serde_json::from_str(&limited("doctor --json")).unwrap();
    let instances = findings.iter().find(|finding| finding["what"] == "instances").unwrap();
    assert_eq!(instances["fact"], "no pool: every call runs on demand");
    let told = limited(r#"call good__greet '{"name":"Ada"}'"#);
    assert_eq!(told, "Hello, Ada! Your name has 3 letters.\n");
}
