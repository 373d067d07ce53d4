//! Attempts on the network other than the inside of HTTP, which is in `http`.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use crate::{Component, Seen, exported::network::Guest, http};

/// Written at a time by who sends without end.
const CHUNK: usize = 64 * 1024;

/// After so many refusals in a row nobody takes any more.
const STUCK: usize = 5;

impl Guest for Component {
    fn http(method: String, url: String, headers: Vec<(String, String)>, body: Option<String>) -> Seen {
        http::request(&method, &url, &headers, body.as_deref())
    }

    fn http_raw(scheme: String, authority: Option<String>, path: Option<String>) -> Seen {
        http::raw_request(&scheme, authority.as_deref(), path.as_deref())
    }

    fn http_upload(url: String, bytes: u64) -> Seen {
        http::upload(&url, bytes)
    }

    fn http_many(url: String, count: u32) -> Seen {
        http::many(&url, count)
    }

    fn http_abandon(url: String, count: u32) -> Seen {
        http::abandon(&url, count)
    }

    fn http_follow(url: String) -> Seen {
        http::follow(&url)
    }

    fn http_headers(url: String, count: u32) -> Seen {
        let headers: Vec<_> = (0..count).map(|n| (format!("x-{n}"), "y".to_owned())).collect();
        http::request("GET", &url, &headers, None)
    }

    fn http_often(url: String, turns: u32) -> Seen {
        let seen: BTreeSet<_> = (0..turns)
            .map(|_| http::request("GET", &url, &[], None).unwrap_or_else(|error| format!("({error})")))
            .collect();
        Ok(seen.into_iter().collect::<Vec<_>>().join("\n"))
    }

    fn tcp(address: String, text: String) -> Seen {
        exchange(&address, &text).map_err(|error| error.to_string())
    }

    fn tcp_leave(address: String, text: String, told: String) -> Seen {
        let stream = TcpStream::connect(&address).map_err(|error| error.to_string())?;
        let sent = send_until_stuck(&stream, &text).map_err(|error| error.to_string())?;
        exchange(&address, &format!("GET {told}{sent} HTTP/1.0\r\n\r\n"))
            .map_err(|error| error.to_string())?;
        std::mem::forget(stream);
        Ok("left while sending".to_owned())
    }

    fn tcp_listen(address: String) -> Seen {
        match TcpListener::bind(address).and_then(|listener| listener.local_addr()) {
            Ok(address) => Ok(format!("listening on {address}")),
            Err(error) => Err(error.to_string()),
        }
    }

    fn udp_bind(address: String) -> Seen {
        match UdpSocket::bind(address).and_then(|socket| socket.local_addr()) {
            Ok(address) => Ok(format!("bound to {address}")),
            Err(error) => Err(error.to_string()),
        }
    }

    fn udp_send(address: String, text: String) -> Seen {
        let unspecified = if address.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
        let sent = UdpSocket::bind(unspecified).and_then(|socket| socket.send_to(text.as_bytes(), address));
        sent.map(|bytes| format!("sent {bytes} bytes")).map_err(|error| error.to_string())
    }

    fn resolve(name: String) -> Seen {
        let addresses = (name.as_str(), 0).to_socket_addrs().map_err(|error| error.to_string())?;
        Ok(addresses.map(|address| address.ip().to_string()).collect::<Vec<_>>().join("\n"))
    }
}

fn exchange(address: &str, text: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(text.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// How many bytes went out after the answer to `text`, as far as the guest knows.
fn send_until_stuck(mut stream: &TcpStream, text: &str) -> io::Result<usize> {
    stream.write_all(text.as_bytes())?;
    stream.read_exact(&mut [0; 2])?;
    stream.set_nonblocking(true)?;
    let (mut sent, mut refused) = (0, 0);
    // Once may be by chance, as what was written travels on.
    while refused < STUCK {
        match stream.write(&[b'x'; CHUNK]) {
            Ok(bytes) => (sent, refused) = (sent + bytes, 0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                refused += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}
