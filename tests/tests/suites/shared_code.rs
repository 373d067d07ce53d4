//! Compiled code is mapped and not copied: gateways share the file, and calls share its heap image.
//!
//! Looked at from outside, by the mappings of the gateway's process.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use e2e::gateway::Gateway;
use e2e::guests;
use e2e::process;
use e2e::site::Site;
use serde_json::json;

/// Calls in flight at a time.
const CALLS: usize = 48;

/// Bytes of the heap image that each of them begins with.
const IMAGE: usize = 16 << 20;

/// What a call may keep resident at most. A copy of its image would be 16 times as much.
const EACH: u64 = 1 << 20;

/// How long each call waits: longer than it takes to begin all of them.
const WAIT: Duration = Duration::from_secs(10);

/// A mapping of a file of compiled code, see proc_pid_smaps(5).
#[derive(Debug)]
struct Mapping {
    inode: u64,
    permissions: String,
    bytes: u64,
    /// Bytes of it that are a copy of the process's own.
    own: u64,
}

/// The mappings of compiled code in a process.
fn mappings(pid: u32) -> Vec<Mapping> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
    let mut mappings: Vec<Option<Mapping>> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [range, permissions, _, _, inode, ..] if range.contains('-') => {
                let is_code = words.last().is_some_and(|path| path.ends_with(".cwasm"));
                mappings.push(is_code.then(|| mapping(range, permissions, inode)));
            }
            ["Anonymous:", kib, "kB"] => {
                if let Some(Some(mapping)) = mappings.last_mut() {
                    mapping.own = kib.parse::<u64>().unwrap() * 1024;
                }
            }
            _ => {}
        }
    }
    mappings.into_iter().flatten().collect()
}

fn mapping(range: &str, permissions: &str, inode: &str) -> Mapping {
    let (start, end) = range.split_once('-').unwrap();
    let address = |hex| u64::from_str_radix(hex, 16).unwrap();
    Mapping {
        inode: inode.parse().unwrap(),
        permissions: permissions.to_owned(),
        bytes: address(end) - address(start),
        own: 0,
    }
}

/// The file of compiled code that lies in a state directory.
fn only_code(site: &Site) -> u64 {
    let files = fs::read_dir(site.path("state/compiled")).unwrap().map(|entry| entry.unwrap().path());
    let code: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "cwasm")).collect();
    let [file] = &code[..] else { panic!("one file of code: {code:?}") };
    fs::metadata(file).unwrap().ino()
}

fn hello() -> String {
    format!("[servers.hello]\ncomponent = \"file:{}\"\n", guests::guest("hello").display())
}

async fn greets(gateway: &Gateway) {
    let result = gateway.client().call("hello__greet", json!({ "name": "Ada" })).await;
    assert_eq!(result["isError"], false, "{result}");
}

async fn warns_of_nothing(gateway: &Gateway) {
    let log = gateway.logged("serving at").await;
    assert!(!log.contains("\"WARN\""), "{log}");
}

#[tokio::test]
async fn a_second_gateway_maps_the_code_of_the_first_and_compiles_nothing() {
    let (site, other) = (Site::new(&hello()), Site::new(&hello()));
    let config = fs::read_to_string(other.config()).unwrap();
    let shared = format!("state-dir = \"{}\"", site.path("state").display());
    other.write("toolgate.toml", config.replace("state-dir = \"state\"", &shared));
    let first = Gateway::start(&site).await;
    greets(&first).await;
    let second = Gateway::start(&other).await;
    greets(&second).await;
    assert!(process::had_children(first.pid()), "a compiler that ran is seen");
    assert!(!process::had_children(second.pid()) && process::children(second.pid()).is_empty());
    let inode = only_code(&site);
    for gateway in [&first, &second] {
        warns_of_nothing(gateway).await;
        let mapped = mappings(gateway.pid());
        assert!(mapped.iter().any(|mapping| mapping.permissions == "r-xp"), "it runs from there: {mapped:?}");
        assert!(mapped.iter().all(|mapping| mapping.inode == inode), "{inode}: {mapped:?}");
        let written = |mapping: &&Mapping| mapping.permissions.starts_with("r-") && mapping.own > 0;
        assert_eq!(mapped.iter().filter(written).count(), 0, "no page is a copy: {mapped:?}");
    }
}

#[tokio::test]
async fn two_gateways_that_start_at_a_time_share_a_state_directory() {
    let (site, other) = (Site::new(&hello()), Site::new(&hello()));
    let config = fs::read_to_string(other.config()).unwrap();
    let shared = format!("state-dir = \"{}\"", site.path("state").display());
    other.write("toolgate.toml", config.replace("state-dir = \"state\"", &shared));
    let (first, second) = tokio::join!(Gateway::start(&site), Gateway::start(&other));
    for gateway in [&first, &second] {
        greets(gateway).await;
        warns_of_nothing(gateway).await;
    }
}

/// A component with a heap image of which no byte is zero, and a function that waits in a host call
/// and answers with the image's last byte.
fn waiter() -> Vec<u8> {
    let (pages, last) = (IMAGE / 65536, IMAGE - 1);
    let image = "x".repeat(IMAGE);
    let text = format!(
        r#"(component
          (import "wasi:io/poll@0.2.0" (instance $poll
            (export "pollable" (type $pollable (sub resource)))
            (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
          (alias export $poll "pollable" (type $pollable))
          (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
            (alias outer 1 $pollable (type $outer))
            (export "pollable" (type $pollable (eq $outer)))
            (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
          (core func $subscribe (canon lower (func $clock "subscribe-duration")))
          (core func $block (canon lower (func $poll "[method]pollable.block")))
          (core module $guest
            (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
            (import "host" "block" (func $block (param i32)))
            (memory {pages})
            (data (i32.const 0) "{image}")
            (func (export "wait") (param $milliseconds i32) (result i32)
              (i64.mul (i64.extend_i32_u (local.get $milliseconds)) (i64.const 1000000))
              (call $block (call $subscribe))
              (i32.load8_u (i32.const {last}))))
          (core instance $instance (instantiate $guest (with "host" (instance
            (export "subscribe" (func $subscribe)) (export "block" (func $block))))))
          (func (export "wait") (param "milliseconds" u32) (result u8)
            (canon lift (core func $instance "wait"))))"#
    );
    wat::parse_str(text).unwrap()
}

/// Mappings of a heap image that a guest may write to: one for each call in flight.
fn images(pid: u32) -> usize {
    let is_image = |mapping: &Mapping| mapping.permissions == "rw-p" && mapping.bytes >= IMAGE as u64;
    mappings(pid).iter().filter(|mapping| is_image(mapping)).count()
}

#[tokio::test]
async fn calls_share_the_heap_image_of_their_component() {
    let site = Site::new(&format!(
        "[admission]\nmemory = \"8GiB\"\n[servers.waiter]\ncomponent = \"file:waiter.wasm\"\n\
         [servers.waiter.limits]\nmemory = \"{IMAGE}B\"\nconcurrency = {CALLS}\n"
    ));
    site.write("waiter.wasm", waiter());
    let gateway = Gateway::start(&site).await;
    let call = |wait: Duration| {
        let client = gateway.client_of("waiter");
        async move { client.call("wait", json!({ "milliseconds": wait.as_millis() as u64 })).await }
    };
    assert_eq!(call(Duration::ZERO).await["structuredContent"], json!({ "result": b'x' }));
    let before = process::resident(gateway.pid());
    let waiting: Vec<_> = (0..CALLS).map(|_| tokio::spawn(call(WAIT))).collect();
    let end = Instant::now() + WAIT;
    while images(gateway.pid()) < CALLS {
        assert!(Instant::now() < end, "{} calls map their image", images(gateway.pid()));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let grown = process::resident(gateway.pid()).saturating_sub(before);
    assert!(grown < EACH * CALLS as u64, "{CALLS} calls took {} MiB", grown >> 20);
    for call in waiting {
        let result = call.await.unwrap();
        assert_eq!(result["structuredContent"], json!({ "result": b'x' }), "{result}");
        let micros = result["_meta"]["toolgate/usage"]["wallMicros"].as_u64().unwrap();
        assert!(u128::from(micros) >= WAIT.as_micros(), "it was in flight: {result}");
    }
}
