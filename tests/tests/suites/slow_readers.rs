//! Clients that stop reading in the middle of a large reply: they are cut off, hold up nobody, and
//! what they were to be sent is given back.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use e2e::gateway::Gateway;
use e2e::guests;
use e2e::site::Site;
use serde_json::json;

/// A reply of twice as many bytes, since text and structured content both have them: more than the
/// buffers of both sockets take.
const BYTES: usize = 12 << 20;
/// As configured below.
const WRITE_TIMEOUT: Duration = Duration::from_millis(400);

fn site() -> Site {
    Site::new(&format!(
        "[gateway]\nlisten = \"127.0.0.1:0\"\nstate-dir = \"state\"\nwrite-timeout = \"400ms\"\n\
         [servers.bad]\ncomponent = \"file:{}\"\n\
         [servers.bad.limits]\noutput = \"16MiB\"\nmemory = \"64MiB\"\nconcurrency = 2\n",
        guests::guest("misbehave").display()
    ))
}

/// Calls `huge-string` and reads the first bytes of the reply.
fn stuck(gateway: &Gateway) -> TcpStream {
    let params = json!({
        "name": "bad__huge-string", "arguments": { "bytes": BYTES },
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "e2e", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\naccept: application/json\r\n\
         mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: bad__huge-string\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut start = [0; 256];
    stream.read_exact(&mut start).unwrap();
    assert!(start.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&start));
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_stop_reading_mid_reply_are_cut_off_and_hold_up_nobody() {
    let site = site();
    let gateway = Gateway::start(&site).await;
    let client = gateway.client();
    // One after the other, as more than two calls at a time are not admitted; by then none has ended.
    let stuck: Vec<TcpStream> = (0..4).map(|_| stuck(&gateway)).collect();
    let start = Instant::now();
    let result = client.call("bad__count", json!({})).await;
    assert_eq!(result["isError"], false, "no place is held by who does not read: {result}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());

    tokio::time::sleep(WRITE_TIMEOUT * 3).await;
    for mut stream in stuck {
        let mut rest = Vec::new();
        // Ends by a reset or by an early end; never with all of it.
        drop(stream.read_to_end(&mut rest));
        assert!(rest.len() < 2 * BYTES, "the whole reply came: {} bytes", rest.len());
    }
    let log = gateway.logged("huge-string").await;
    let records =
        log.lines().filter(|line| line.contains("\"outcome\":\"ok\"") && line.contains("huge-string"));
    assert_eq!(records.count(), 4, "one record for each call:\n{log}");
}
