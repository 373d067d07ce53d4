//! Bad input gets a clear error and loses nothing: each test pins what a person or a client reads.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use e2e::client::Client;
use e2e::gateway::{Gateway, command, run};
use e2e::guests;
use e2e::process::{forget_the_peak, peak, resident};
use e2e::site::Site;
use serde_json::{Value, json};

fn hello() -> String {
    format!("[servers.hello]\ncomponent = \"file:{}\"\n", guests::guest("hello").display())
}

async fn greets(client: &Client) {
    let result = client.call("hello__greet", json!({ "name": "Ada" })).await;
    assert_eq!(result["isError"], false, "{result}");
}

/// Why `toolgate check` does not serve a component of these bytes, and the hint, if there is one.
fn refusal(bytes: &[u8]) -> (String, Value) {
    let site = Site::new("[servers.x]\ncomponent = \"file:x.wasm\"\n");
    site.write("x.wasm", bytes);
    let mut server = refused(&site);
    let reason = server["reason"].as_str().unwrap().replace(&site.dir().display().to_string(), "SITE");
    (reason, server["hint"].take())
}

/// The one server of a site, which can't be served.
fn refused(site: &Site) -> Value {
    let output = run(site, &["check", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "error: 1 of 1 servers unavailable\n");
    let mut report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["servers"][0].take()
}

#[test]
fn a_broken_component_is_named_for_what_is_wrong_with_it() {
    // By hand, so that its bytes and the places of its faults are the same whoever builds it.
    let good = guests::wat("map");
    let invalid = "the component is not valid: failed to parse WebAssembly module";
    let (reason, _) = refusal(&good[..good.len() / 2]);
    assert_eq!(reason, format!("{invalid}: unexpected end-of-file (at offset 0xb1)"));
    let mut corrupt = good.clone();
    for byte in &mut corrupt[100..120] {
        *byte ^= 0x5a;
    }
    let (reason, _) = refusal(&corrupt);
    assert_eq!(reason, format!("{invalid}: unexpected end-of-file (at offset 0x70)"));
    let (reason, hint) = refusal(b"\0asm\x01\0\0\0");
    assert_eq!(reason, "file:SITE/x.wasm is a core wasm module, not a component");
    assert_eq!(hint, "build it for wasm32-wasip2, or wrap it with `wasm-tools component new`");
    let (reason, _) = refusal(b"#!/bin/sh\n");
    let expected = "file:SITE/x.wasm is not wasm: it does not start with `\\0asm` and a component's version";
    assert_eq!(reason, expected);
    assert_eq!(refusal(b"").0, "file:SITE/x.wasm is empty");
}

#[test]
fn an_oversized_component_is_refused_before_it_is_read() {
    let site = Site::new(&format!("[registries]\nmax-size = \"10KiB\"\n{}", hello()));
    let server = refused(&site);
    let hello = guests::guest("hello");
    assert_eq!(server["reason"], format!("{} is larger than the limit of 10240 bytes", hello.display()));
    assert_eq!(server["hint"], "raise [registries] max-size, if you trust it");
    assert!(server["artifact"].is_null(), "it was not read: {server}");
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
    let spaces = vec![b' '; 1 << 20];
    let chunk = [b"100000\r\n", &*spaces, b"\r\n"].concat();
    for (framing, part) in [("content-length: 104857600", spaces), ("transfer-encoding: chunked", chunk)] {
        let before = resident(gateway.pid());
        forget_the_peak(gateway.pid());
        assert_eq!(answer_to_100_mb(&gateway, framing, &part), "HTTP/1.1 413", "{framing}");
        let peak = peak(gateway.pid());
        assert!(peak < before + (24 << 20), "the body was held in memory: {before} became {peak}: {framing}");
    }
    greets(&gateway.client()).await;
}

/// Sends the head of a request and a hundred times the same part, as far as they are taken; gives the
/// start of the answer, which may come before the end.
fn answer_to_100_mb(gateway: &Gateway, framing: &str, part: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    let mut reader = stream.try_clone().unwrap();
    reader.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let answer = std::thread::spawn(move || {
        let mut start = [0; "HTTP/1.1 413".len()];
        reader.read_exact(&mut start).expect("an answer, and not only a reset");
        String::from_utf8(start.to_vec()).unwrap()
    });
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\n{framing}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..100 {
        if stream.write_all(part).is_err() {
            break;
        }
    }
    answer.join().unwrap()
}

/// Clients that stop reading are in `slow_readers`.
#[tokio::test]
async fn clients_that_send_slowly_hold_nobody_up() {
    let site = Site::new(&hello());
    let gateway = Gateway::start(&site).await;
    let slow: Vec<TcpStream> = (0..50)
        .map(|n| {
            let mut stream = TcpStream::connect(gateway.address()).unwrap();
            let part = if n % 2 == 0 {
                "POST /mcp HTTP/1.1\r\nhost: 127"
            } else {
                "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
                 accept: application/json, text/event-stream\r\ncontent-length: 100\r\n\r\n{\"jsonrpc\""
            };
            stream.write_all(part.as_bytes()).unwrap();
            stream
        })
        .collect();
    let start = Instant::now();
    greets(&gateway.client()).await;
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    for mut stream in slow {
        stream.set_nonblocking(true).unwrap();
        let waits = stream.read(&mut [0; 1]).unwrap_err();
        assert_eq!(waits.kind(), ErrorKind::WouldBlock, "it was still being waited for");
    }
}

#[test]
fn an_unknown_server_or_tool_is_told_with_what_there_is() {
    let site = Site::new(&hello());
    for (tool, expected) in [
        ("helo__greet", "error: the config has no server `helo`\nhint: did you mean `hello`?\n"),
        ("hello__great", "error: server hello has no tool `great`\nhint: did you mean `greet`?\n"),
    ] {
        let output = run(&site, &["call", tool]);
        assert_eq!(output.status.code(), Some(2), "wrong usage");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
    }
}
