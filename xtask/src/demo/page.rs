//! One web page on a loopback port, for the `fetch` tool to read: the demo needs no internet.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::process::{Failure, Result};

/// How long a client may take. A stuck one would hold up the page for everyone.
const PATIENCE: Duration = Duration::from_secs(5);

const PAGE: &str = "<!doctype html>
<html><head><title>Greenhouse</title><script>alert('not content')</script></head>
<body><h1>Greenhouse</h1>
<p>Tomatoes like <strong>warm</strong> roots. See the <a href=\"/plan\">planting plan</a>.</p>
<ul><li>Sow in March</li><li>Plant out in May</li></ul>
</body></html>
";

/// The running page server. It ends with the process.
pub(super) struct Page {
    address: SocketAddr,
}

impl Page {
    /// Listens and serves in a thread.
    pub(super) fn serve() -> Result<Self> {
        let bound =
            TcpListener::bind("127.0.0.1:0").and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) =
            bound.map_err(|e| Failure::new(format!("no port for the demo's web page: {e}")))?;
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is its own loss.
                drop(answer(stream));
            }
        });
        Ok(Self { address })
    }

    /// `http://127.0.0.1:PORT`.
    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn answer(stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(&stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    // The rest of the head, up to the empty line; a GET has no body.
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let (status, body) = match request.starts_with("GET / ") {
        true => ("200 OK", PAGE),
        false => ("404 Not Found", "no such page\n"),
    };
    let length = body.len();
    write!(
        &stream,
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}
