//! Grants: nothing without one, exactly the granted with one, and a line for the operator each
//! time that something is refused.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use e2e::client::Client;
use e2e::gateway::Gateway;
use e2e::guests;
use e2e::site::Site;
use serde_json::{Value, json};

async fn with_grants(site: &Site, grants: &str) -> (Gateway, Client) {
    site.configure(&format!(
        "[servers.bad]\ncomponent = \"file:{}\"\n[servers.bad.grants]\n{grants}\n",
        guests::guest("misbehave").display()
    ));
    let gateway = Gateway::start_with(site, &[("OF_THE_HOST", "canary-7141")]).await;
    let client = gateway.client_of("bad");
    (gateway, client)
}

async fn allowed(client: &Client, tool: &str, arguments: Value) -> String {
    let result = client.call(tool, arguments).await;
    assert_eq!(result["isError"], false, "{tool}: {result}");
    result["content"][0]["text"].as_str().unwrap().to_owned()
}

async fn refused(client: &Client, tool: &str, arguments: Value) -> String {
    let result = client.call(tool, arguments.clone()).await;
    assert_eq!(result["isError"], true, "{tool} {arguments}: {result}");
    assert!(result["_meta"]["toolgate/error"].is_null(), "the guest reads the refusal itself: {result}");
    result["content"][0]["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn without_a_grant_a_guest_sees_nothing_of_the_host() {
    let site = Site::new("");
    let (_gateway, client) = with_grants(&site, "").await;
    assert_eq!(allowed(&client, "environment", json!({})).await, "");
    assert_eq!(allowed(&client, "arguments", json!({})).await, "");
    assert_eq!(allowed(&client, "stdin", json!({})).await, "");
    assert!(!allowed(&client, "terminals", json!({})).await.contains("true"));
    for path in ["/etc/passwd", "/proc/self/environ", "toolgate.toml", "/", ".."] {
        refused(&client, "read-file", json!({ "path": path })).await;
    }
    refused(&client, "write-file", json!({ "path": "/tmp/toolgate-escape", "text": "x" })).await;
    assert!(!std::path::Path::new("/tmp/toolgate-escape").exists());
}

#[tokio::test]
async fn a_refused_file_names_the_line_that_would_allow_it() {
    let site = Site::new("");
    let (gateway, client) = with_grants(&site, "").await;
    refused(&client, "read-file", json!({ "path": "/etc/passwd" })).await;
    let log = gateway.logged("denied").await;
    let line = log.lines().find(|line| line.contains("denied")).unwrap();
    for part in ["[servers.bad.grants]", "files = [{", "/etc", "mode"] {
        assert!(line.contains(part), "{part:?} is not in {line}");
    }
}

#[tokio::test]
async fn a_read_only_grant_reads_and_nothing_else() {
    let site = Site::new("");
    site.write("data/a.txt", "content");
    let grants = "files = [{ host = \"data\", guest = \"/data\", mode = \"ro\" }]";
    let (_gateway, client) = with_grants(&site, grants).await;
    assert_eq!(allowed(&client, "read-file", json!({ "path": "/data/a.txt" })).await, "content");
    assert!(allowed(&client, "list-folder", json!({ "path": "/data" })).await.contains("a.txt"));
    for (tool, arguments) in [
        ("write-file", json!({ "path": "/data/a.txt", "text": "x" })),
        ("write-file", json!({ "path": "/data/new", "text": "x" })),
        ("append-file", json!({ "path": "/data/a.txt", "text": "x" })),
        ("write-raw", json!({ "folder": 0, "path": "a.txt", "text": "x" })),
        ("truncate", json!({ "path": "/data/a.txt" })),
        ("set-times", json!({ "path": "/data/a.txt" })),
        ("create-folder", json!({ "path": "/data/d" })),
        ("remove-file", json!({ "path": "/data/a.txt" })),
        ("rename", json!({ "source": "/data/a.txt", "target": "/data/b.txt" })),
        ("hard-link", json!({ "source": "/data/a.txt", "target": "/data/b.txt" })),
        ("symbolic-link", json!({ "target": "a.txt", "link": "/data/l" })),
    ] {
        refused(&client, tool, arguments).await;
    }
    assert_eq!(std::fs::read(site.path("data/a.txt")).unwrap(), b"content");
    assert_eq!(std::fs::read_dir(site.path("data")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_read_write_grant_ends_at_its_folder() {
    let site = Site::new("");
    site.write("secret.txt", "canary-2718");
    site.write("data/inner/a.txt", "content");
    std::os::unix::fs::symlink("../secret.txt", site.path("data/up")).unwrap();
    std::os::unix::fs::symlink(site.path("secret.txt"), site.path("data/absolute")).unwrap();
    std::os::unix::fs::symlink("/proc/self", site.path("data/proc")).unwrap();
    let grants = "files = [{ host = \"data\", guest = \"/data\", mode = \"rw\" }]";
    let (_gateway, client) = with_grants(&site, grants).await;
    allowed(&client, "write-file", json!({ "path": "/data/inner/b.txt", "text": "new" })).await;
    assert_eq!(std::fs::read(site.path("data/inner/b.txt")).unwrap(), b"new");
    for path in ["/data/../secret.txt", "/data/up", "/data/absolute", "/data/proc/environ"] {
        let seen = refused(&client, "read-file", json!({ "path": path })).await;
        assert!(!seen.contains("canary"), "{path}: {seen}");
    }
    for folder in 0..3 {
        for path in ["../secret.txt", "inner/../../secret.txt", "up", "/etc/passwd", "absolute", ""] {
            let arguments = json!({ "folder": folder, "path": path, "follow-links": true });
            let result = client.call("read-raw", arguments).await;
            assert_eq!(result["isError"], true, "{folder} {path}: {result}");
        }
    }
    refused(&client, "symbolic-link", json!({ "target": "/etc/passwd", "link": "/data/l" })).await;
    refused(&client, "hard-link", json!({ "source": "/data/../secret.txt", "target": "/data/h" })).await;
    refused(&client, "rename", json!({ "source": "/data/inner/a.txt", "target": "/data/../out.txt" })).await;
    assert!(site.path("secret.txt").exists() && !site.path("out.txt").exists());
}

#[tokio::test]
async fn a_fifo_in_a_grant_hangs_neither_the_call_nor_the_gateway() {
    let site = Site::new("");
    site.write("data/a.txt", "content");
    let fifo = site.path("data/fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let grants = "files = [{ host = \"data\", guest = \"/data\", mode = \"rw\" }]";
    let (_gateway, client) = with_grants(&site, grants).await;
    let start = Instant::now();
    refused(&client, "read-file", json!({ "path": "/data/fifo" })).await;
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(allowed(&client, "read-file", json!({ "path": "/data/a.txt" })).await, "content");
}

#[tokio::test]
async fn only_granted_variables_are_seen_and_config_store_has_the_same() {
    let site = Site::new("");
    site.write("store.wasm", guests::wat("config-store"));
    let env = "env = { LANG = \"en\" }";
    let store = "[servers.store]\ncomponent = \"file:store.wasm\"\n[servers.store.grants]";
    let (gateway, client) = with_grants(&site, &format!("{env}\n{store}\n{env}")).await;
    assert_eq!(allowed(&client, "environment", json!({})).await, "LANG=en");
    let all = gateway.client_of("store").call("get-all", json!({})).await;
    assert_eq!(all["structuredContent"], json!({ "result": [["LANG", "en"]] }), "{all}");
    assert!(!gateway.log().contains("canary-7141"));
}

#[tokio::test]
async fn http_reaches_the_granted_requests_only() {
    let (server, hits) = http_server();
    let site = Site::new("");
    let (gateway, client) = with_grants(&site, &format!("http = [\"GET http://{server}/v1/*\"]")).await;
    let get = |url: String| json!({ "method": "GET", "url": url, "headers": [], "body": null });
    let body = allowed(&client, "http", get(format!("http://{server}/v1/x"))).await;
    assert!(body.contains("hello from the server"), "{body}");
    let other = http_server().0;
    for url in [
        format!("http://{server}/v2/x"),
        format!("http://{server}/v1/../v2/x"),
        format!("http://{server}/v1/%2e%2e/v2/x"),
        format!("http://{other}/v1/x"),
        format!("https://{server}/v1/x"),
        format!("http://localhost:{}/v1/x", server.port()),
        format!("http://user@{server}/v1/x"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
    ] {
        refused(&client, "http", get(url)).await;
    }
    let post =
        json!({ "method": "POST", "url": format!("http://{server}/v1/x"), "headers": [], "body": "x" });
    refused(&client, "http", post).await;
    assert_eq!(hits.load(Ordering::Relaxed), 1, "only the granted request arrived");
    gateway.logged(&format!("GET http://{server}/v2/x")).await;
}

#[tokio::test]
async fn a_header_of_the_guest_cannot_change_the_host() {
    let (server, hits) = http_server();
    let site = Site::new("");
    let (_gateway, client) = with_grants(&site, &format!("http = [\"GET http://{server}/*\"]")).await;
    let with = |headers: Value| json!({ "method": "GET", "url": format!("http://{server}/"), "headers": headers, "body": null });
    let told = refused(&client, "http", with(json!([["host", "internal.example"]]))).await;
    assert_eq!(told, "header host refused: HeaderError::Forbidden");
    assert_eq!(hits.load(Ordering::Relaxed), 0, "nothing was sent");
    let seen = allowed(&client, "http", with(json!([]))).await;
    assert!(seen.contains(&format!("host: {server}")), "{seen}");
}

#[tokio::test]
async fn tcp_reaches_the_granted_address_only() {
    let (server, hits) = http_server();
    let site = Site::new("");
    let (gateway, client) = with_grants(&site, &format!("tcp = [\"{server}\"]")).await;
    let request = "GET / HTTP/1.0\r\n\r\n";
    let seen = allowed(&client, "tcp", json!({ "address": server.to_string(), "text": request })).await;
    assert!(seen.contains("hello from the server"), "{seen}");
    let (other, other_hits) = http_server();
    refused(&client, "tcp", json!({ "address": other.to_string(), "text": request })).await;
    assert_eq!((hits.load(Ordering::Relaxed), other_hits.load(Ordering::Relaxed)), (1, 0));
    gateway.logged(&format!("tcp = [\\\"{other}\\\"]")).await;
}

/// Connects to an address that nothing is granted for, and gives the grant that the log offers.
async fn offered(site: &Site, grants: &str, address: &str, attempt: &str) -> String {
    let (gateway, client) = with_grants(site, grants).await;
    refused(&client, "tcp", json!({ "address": address, "text": "" })).await;
    let denials = denials(&gateway, 1).await;
    assert_eq!(denials[0]["attempt"], attempt);
    let hint = denials[0]["hint"].as_str().unwrap();
    hint.strip_prefix("[servers.bad.grants] ").unwrap().to_owned()
}

#[tokio::test]
async fn the_line_that_the_log_offers_for_a_connection_is_the_line_that_helps() {
    let (server, hits) = http_server();
    let site = Site::new("");
    let address = server.to_string();
    let grants = offered(&site, "", &address, &format!("connect {address}")).await;
    assert_eq!(grants, format!("tcp = [\"{address}\"]"));
    assert_eq!(hits.load(Ordering::Relaxed), 0);
    let (_gateway, client) = with_grants(&site, &grants).await;
    let seen = allowed(&client, "tcp", json!({ "address": address, "text": "GET / HTTP/1.0\r\n\r\n" })).await;
    assert!(seen.contains("hello from the server"), "{seen}");
}

#[tokio::test]
async fn the_lines_that_the_log_offers_for_a_name_are_the_lines_that_help() {
    let (server, hits) = http_server();
    let site = Site::new("");
    let address = format!("localhost:{}", server.port());
    // While a name is looked up, nobody knows yet for which port.
    let grants = offered(&site, "", &address, "resolve localhost").await;
    assert_eq!(grants, "tcp = [\"localhost:PORT\"]");
    let grants = grants.replace("PORT", &server.port().to_string());
    let grants = offered(&site, &grants, &address, &format!("connect {address}")).await;
    assert_eq!(grants, format!("tcp = [\"{address} @127.0.0.1\"]"));
    assert_eq!(hits.load(Ordering::Relaxed), 0);
    let (_gateway, client) = with_grants(&site, &grants).await;
    let seen = allowed(&client, "tcp", json!({ "address": address, "text": "GET / HTTP/1.0\r\n\r\n" })).await;
    assert!(seen.contains("hello from the server"), "{seen}");
}

#[tokio::test]
async fn listening_udp_and_resolving_are_refused_without_a_grant() {
    let site = Site::new("");
    let (gateway, client) = with_grants(&site, "").await;
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_nonblocking(true).unwrap();
    let address = receiver.local_addr().unwrap().to_string();
    let any = json!({ "address": "127.0.0.1:0" });
    let attempts = [
        ("tcp-listen", any.clone(), "listen on 127.0.0.1:0", "no tool may listen"),
        ("udp-bind", any, "open a UDP socket", "no tool may use UDP"),
        ("udp-send", json!({ "address": address, "text": "x" }), "open a UDP socket", "no tool may use UDP"),
        (
            "resolve",
            json!({ "name": "localhost" }),
            "resolve localhost",
            "no tcp grant is for the host localhost",
        ),
    ];
    for (before, (tool, arguments, attempt, reason)) in attempts.into_iter().enumerate() {
        refused(&client, tool, arguments).await;
        let denials = denials(&gateway, before + 1).await;
        let denial = &denials[before];
        assert_eq!((&denial["attempt"], &denial["reason"]), (&json!(attempt), &json!(reason)), "{tool}");
    }
    assert!(receiver.recv(&mut [0; 8]).is_err(), "a datagram arrived");
}

/// The denials in the log, as many as there must be by now.
async fn denials(gateway: &Gateway, count: usize) -> Vec<Value> {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let log = gateway.log();
        let events = log.lines().map(|line| line.parse::<Value>().unwrap());
        let denials: Vec<_> = events.filter(|event| event["message"] == "denied").collect();
        if denials.len() >= count {
            assert_eq!(denials.len(), count, "{log}");
            return denials;
        }
        assert!(Instant::now() < end, "{count} denials are not in the log:\n{log}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_a_private_address_is_refused() {
    let (server, hits) = http_server();
    let site = Site::new("");
    let grant = format!("http = [\"GET http://localhost:{}/*\"]", server.port());
    let (gateway, client) = with_grants(&site, &grant).await;
    let url = format!("http://localhost:{}/", server.port());
    refused(&client, "http", json!({ "method": "GET", "url": url, "headers": [], "body": null })).await;
    assert_eq!(hits.load(Ordering::Relaxed), 0);
    gateway.logged("127.0.0.1").await;
}

/// A server that answers every request with its own head, and counts connections with a request.
fn http_server() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let hits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&hits);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap_or(0);
            if read == 0 {
                continue;
            }
            counter.fetch_add(1, Ordering::Relaxed);
            let body = format!("hello from the server\n{}", String::from_utf8_lossy(&head[..read]));
            let reply = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            drop(stream.write_all(reply.as_bytes()));
        }
    });
    (address, hits)
}
