//! Bad input gets a clear error and loses nothing: each test pins what a person or a client reads.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use e2e::client::Client;
use e2e::gateway::{Gateway, command, run};
use e2e::guests;
use e2e::site::Site;
use serde_json::json;

fn hello() -> String {
    format!("[servers.hello]\ncomponent = \"file:{}\"\n", guests::guest("hello").display())
}

async fn greets(client: &Client) {
    let result = client.call("hello__greet", json!({ "name": "Ada" })).await;
    assert_eq!(result["isError"], false, "{result}");
}

/// What `toolgate check` says of a server whose component is this file.
fn check(bytes: &[u8]) -> String {
    let site = Site::new("[servers.x]\ncomponent = \"file:x.wasm\"\n");
    site.write("x.wasm", bytes);
    let output = run(&site, &["check"]);
    assert_eq!(output.status.code(), Some(1));
    let told = [output.stdout, output.stderr].concat();
    String::from_utf8(told).unwrap()
}

#[test]
fn a_broken_component_is_named_for_what_is_wrong_with_it() {
    let good = std::fs::read(guests::guest("hello")).unwrap();
    let told = check(&good[..good.len() / 2]);
    assert!(told.contains("x.wasm"), "{told}");
    let mut corrupt = good.clone();
    for byte in &mut corrupt[2_000..2_200] {
        *byte ^= 0x5a;
    }
    assert!(check(&corrupt).contains("the component is not valid"), "{}", check(&corrupt));
    let module = b"\0asm\x01\0\0\0";
    assert!(check(module).contains("core wasm module"), "{}", check(module));
    assert!(check(b"#!/bin/sh\n").contains("is not wasm"), "{}", check(b"#!/bin/sh\n"));
    assert!(check(b"").contains("empty"), "{}", check(b""));
}

#[test]
fn an_oversized_component_is_refused_before_it_is_read() {
    let site = Site::new(&format!("[registries]\nmax-size = \"10KiB\"\n{}", hello()));
    let output = run(&site, &["check"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(told.contains("larger than") || told.contains("limit"), "{told}");
}

#[tokio::test]
async fn one_broken_server_never_keeps_the_others_from_serving() {
    let site = Site::new(&format!(
        "{}[servers.broken]\ncomponent = \"file:nothing.wasm\"\n[servers.image]\nimage = \"mcp/fetch\"\n",
        hello()
    ));
    let gateway = Gateway::start(&site).await;
    greets(&gateway.client()).await;
    let health = reqwest::get(gateway.url("/health")).await.unwrap().text().await.unwrap();
    assert!(health.contains("unavailable"), "{health}");
    let reply = gateway.client().try_call("broken__anything", json!({})).await;
    assert!(!reply.to_string().contains("nothing.wasm"), "host detail: {reply}");
}

#[tokio::test]
async fn a_port_in_use_is_said_with_a_way_out() {
    let site = Site::new(&hello());
    let gateway = Gateway::start(&site).await;
    let output = command(&site).args(["serve", "--listen", gateway.address()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    for part in ["error:", gateway.address(), "in use", "hint:"] {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
    greets(&gateway.client()).await;
}

#[test]
fn faults_of_a_config_are_all_told_with_their_lines() {
    let site = Site::new("");
    site.write(
        "toolgate.toml",
        "[gateway]\nlissten = \"127.0.0.1:0\"\n[servers.x]\ncomponent = 7\n[servers.x.limits]\nfuel = \"lots\"\n\
         [servers.x.grants]\nhttp = [\"https://api.example.com\"]\n",
    );
    let output = run(&site, &["check"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stderr).unwrap();
    for part in
        ["toolgate.toml:2", "lissten", "listen", "toolgate.toml:4", "toolgate.toml:6", "toolgate.toml:8"]
    {
        assert!(told.contains(part), "{part:?} is not in\n{told}");
    }
}

#[tokio::test]
async fn malformed_requests_are_answered_and_the_gateway_goes_on() {
    let site = Site::new(&hello());
    let gateway = Gateway::start(&site).await;
    let client = gateway.client();
    for (body, code) in [
        ("{", -32700),
        ("", -32700),
        ("[]", -32600),
        ("7", -32600),
        ("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", -32600),
        ("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}", -32600),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", -32600),
    ] {
        let reply = client.post(&[], body).await;
        assert_eq!(reply.status, 400, "{body}: {}", reply.text);
        assert_eq!(reply.json()["error"]["code"], code, "{body}: {}", reply.text);
    }
    let deep = "[".repeat(200_000);
    assert_eq!(client.post(&[], deep).await.status, 400);
    greets(&client).await;
}

#[tokio::test]
async fn headers_that_do_not_fit_the_body_are_refused() {
    let site = Site::new(&hello());
    let gateway = Gateway::start(&site).await;
    let client = gateway.client();
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "e2e", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "hello__greet", "arguments": { "name": "x" }, "_meta": meta },
    })
    .to_string();
    let good =
        [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "hello__greet")];
    assert_eq!(client.post(&good, body.clone()).await.status, 200);
    for bad in [
        [good[0], ("mcp-method", "tools/list"), good[2]],
        [good[0], good[1], ("mcp-name", "other__tool")],
        [("mcp-protocol-version", "1999-01-01"), good[1], good[2]],
    ] {
        let reply = client.post(&bad, body.clone()).await;
        assert_eq!(reply.status, 400, "{bad:?}: {}", reply.text);
    }
    for (name, value) in [("origin", "https://evil.example"), ("host", "evil.example")] {
        let headers = [good[0], good[1], good[2], (name, value)];
        let reply = client.post(&headers, body.clone()).await;
        assert!(matches!(reply.status, 400 | 403 | 421), "{name}: {} {}", reply.status, reply.text);
    }
}

#[tokio::test]
async fn a_body_of_100_mb_is_refused_without_being_read_into_memory() {
    let site = Site::new(&hello());
    let gateway = Gateway::start(&site).await;
    let before = resident(gateway.pid());
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\ncontent-length: 100000000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = vec![b' '; 1 << 20];
    for _ in 0..100 {
        if stream.write_all(&chunk).is_err() {
            break;
        }
    }
    let mut reply = [0; 64];
    let read = stream.read(&mut reply).unwrap_or(0);
    if read > 0 {
        assert!(String::from_utf8_lossy(&reply[..read]).contains("413"), "{reply:?}");
    }
    assert!(resident(gateway.pid()) < before + (24 << 20), "the body was held in memory");
    greets(&gateway.client()).await;
}

#[tokio::test]
async fn clients_that_stop_reading_or_send_slowly_hold_nobody_up() {
    let site = Site::new(&hello());
    let gateway = Gateway::start(&site).await;
    let stuck: Vec<TcpStream> = (0..50)
        .map(|n| {
            let mut stream = TcpStream::connect(gateway.address()).unwrap();
            let part = if n % 2 == 0 {
                "POST /mcp HTTP/1.1\r\nhost: 127"
            } else {
                "GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
            };
            stream.write_all(part.as_bytes()).unwrap();
            stream
        })
        .collect();
    let start = Instant::now();
    greets(&gateway.client()).await;
    assert!(start.elapsed() < Duration::from_secs(2));
    drop(stuck);
}

#[test]
fn an_unknown_server_or_tool_is_told_with_what_there_is() {
    let site = Site::new(&hello());
    for args in [["call", "helo__greet"], ["call", "hello__great"]] {
        let output = run(&site, &args);
        assert_eq!(output.status.code(), Some(2), "wrong usage");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("error:") && told.contains("hello"), "{told}");
    }
}

fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
