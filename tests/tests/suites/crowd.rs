//! A thousand clients that come, list, call and go at random for a minute: each is answered right, and nothing is left
//! of them.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use e2e::client::Client;
use e2e::gateway::Gateway;
use e2e::guests;
use e2e::process::resident;
use e2e::site::Site;
use serde_json::json;

const CLIENTS: u64 = 1000;
const TIME: Duration = Duration::from_secs(60);

/// Longest pause of a client between two things that it does.
const PAUSE: u64 = 6000;

/// Bytes by which memory may have grown at the end: what the allocator keeps.
const MORE: u64 = 64 << 20;

fn site() -> Site {
    Site::new(&format!(
        "[gateway]\nlisten = \"127.0.0.1:0\"\nstate-dir = \"state\"\nmax-connections = 3000\n\
         [servers.hello]\ncomponent = \"file:{}\"\n[servers.e]\ncomponent = \"file:{}\"\n",
        guests::guest("hello").display(),
        guests::tool("everything").display()
    ))
}

/// Numbers that look random, the same for each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[derive(Default)]
struct Done {
    answered: AtomicU64,
    sessions: AtomicU64,
    dropped: AtomicU64,
}

async fn a_client(number: u64, url: String, until: Instant, done: Arc<Done>) {
    let mut dice = Dice(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    while Instant::now() < until {
        // A connection of its own, which goes with it.
        let client = Client::new(&url, "/mcp");
        match dice.below(3) {
            0 => {
                for _ in 0..dice.below(4) {
                    lists_and_calls(&client, &mut dice).await;
                    done.answered.fetch_add(1, Ordering::Relaxed);
                }
            }
            1 => {
                in_a_session(&client, &mut dice).await;
                done.sessions.fetch_add(1, Ordering::Relaxed);
            }
            _ => {
                let call = client.call("e__test_tool_with_progress", json!({}));
                let patience = Duration::from_millis(dice.below(90));
                // It takes 100 ms, so most are given up; what is answered all the same is answered right.
                drop(tokio::time::timeout(patience, call).await);
                done.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        tokio::time::sleep(Duration::from_millis(dice.below(PAUSE))).await;
    }
}

async fn lists_and_calls(client: &Client, dice: &mut Dice) {
    if dice.below(4) == 0 {
        assert!(client.list().await.len() > 25);
    }
    let name = format!("n{}", dice.below(1_000_000));
    let result = client.call("hello__greet", json!({ "name": name })).await;
    let expected = format!("Hello, {name}! Your name has {} letters.", name.len());
    assert_eq!(result["structuredContent"]["result"], expected, "{result}");
}

async fn in_a_session(client: &Client, dice: &mut Dice) {
    let info = json!({ "name": "crowd", "version": "1" });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info });
    let initialize = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
    let opened = client.post(&[], initialize.to_string()).await;
    assert_eq!(opened.status, 200, "{opened:?}");
    let token = opened.headers["mcp-session-id"].to_str().unwrap();
    let name = format!("n{}", dice.below(1_000_000));
    let params = json!({ "name": "hello__greet", "arguments": { "name": name } });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let answer = client.post(&[("mcp-session-id", token)], call.to_string()).await;
    assert!(answer.text.contains(&format!("Hello, {name}!")), "{answer:?}");
}

fn descriptors(gateway: &Gateway) -> usize {
    fs::read_dir(format!("/proc/{}/fd", gateway.pid())).unwrap().count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_at_random_for_a_minute_are_answered_and_leave_nothing() {
    super::capacity::allow_descriptors();
    let site = site();
    let gateway = Gateway::start(&site).await;
    lists_and_calls(&gateway.client(), &mut Dice(1)).await;
    let (memory, open) = (resident(gateway.pid()), descriptors(&gateway));
    let (until, done) = (Instant::now() + TIME, Arc::<Done>::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| tokio::spawn(a_client(number, gateway.url(""), until, Arc::clone(&done))))
        .collect();
    for client in clients {
        client.await.expect("a client that is answered right");
    }
    let counts = [&done.answered, &done.sessions, &done.dropped].map(|count| count.load(Ordering::Relaxed));
    assert!(counts.iter().all(|count| *count > CLIENTS), "each did a bit of all: {counts:?}");
    let settled = Instant::now() + Duration::from_secs(30);
    while descriptors(&gateway) > open + 16 || resident(gateway.pid()) > memory + MORE {
        let (memory_now, open_now) = (resident(gateway.pid()), descriptors(&gateway));
        assert!(
            Instant::now() < settled,
            "{memory} bytes and {open} descriptors are {memory_now} and {open_now}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    lists_and_calls(&gateway.client(), &mut Dice(2)).await;
}
