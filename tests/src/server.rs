//! An HTTP server on a loopback port that answers as a test tells it: well, wrongly, or never.
//!
//! It stands for what is beyond anybody's control, registries and web sites. Each connection
//! carries one request, so that no fault of one answer touches the next.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Longest head of a request that is read.
const MAX_HEAD: usize = 64 * 1024;
/// Between two bytes of an answer that drips.
const DRIP: Duration = Duration::from_millis(20);

/// A request, as far as tests look at it.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Request line and headers as they came.
    pub head: String,
    /// How often this path was asked for before.
    pub before: usize,
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As it should.
    Whole,
    /// Not even a status is sent.
    Silent,
    /// Nothing more comes, and the connection stays open.
    Hang,
    /// The connection is closed although more was announced.
    Break,
    /// Zeros follow for ever, as fast as they are read.
    Endless,
    /// Zeros follow for ever, one at a time.
    Drip,
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    end: End,
}

impl Answer {
    /// A status and a body.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), end: End::Whole }
    }

    /// A page of HTML.
    pub fn html(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, body).header("content-type", "text/html; charset=utf-8")
    }

    /// A redirect.
    pub fn moved(to: impl Into<String>) -> Self {
        Self::new(302, "").header("location", to)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Changes how it ends.
    #[must_use]
    pub fn end(mut self, end: End) -> Self {
        self.end = end;
        self
    }
}

/// A running server; it ends with the process.
pub struct Server {
    address: SocketAddr,
    hits: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts a server that answers by this function.
    pub fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let hits = Arc::new(Mutex::new(Vec::new()));
        let (told, answer) = (Arc::clone(&hits), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (told, answer) = (Arc::clone(&told), Arc::clone(&answer));
                thread::spawn(move || {
                    // A client that went away is what some tests are about.
                    drop(converse(stream, &told, &*answer));
                });
            }
        });
        Self { address, hits }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `METHOD PATH` of all requests so far.
    pub fn hits(&self) -> Vec<String> {
        self.hits.lock().expect("the hits").clone()
    }
}

fn converse(
    mut stream: TcpStream,
    hits: &Mutex<Vec<String>>,
    answer: &dyn Fn(&Request) -> Answer,
) -> std::io::Result<()> {
    let head = read_head(&mut stream)?;
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let line = format!("{method} {path}");
    let before = {
        let mut hits = hits.lock().expect("the hits");
        let before = hits.iter().filter(|hit| **hit == line).count();
        hits.push(line);
        before
    };
    let request = Request { method: method.to_owned(), path: path.to_owned(), before, head: head.clone() };
    send(&mut stream, &answer(&request))
}

fn read_head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < MAX_HEAD {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    String::from_utf8(head).map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error))
}

fn send(stream: &mut TcpStream, answer: &Answer) -> std::io::Result<()> {
    if answer.end == End::Silent {
        return until_closed(stream);
    }
    let mut head = format!("HTTP/1.1 {} Told\r\nconnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    match answer.end {
        End::Whole => head.push_str(&format!("content-length: {}\r\n", answer.body.len())),
        End::Break | End::Hang => head.push_str(&format!("content-length: {}\r\n", answer.body.len() + 10)),
        // Without a length, the body goes on until the connection ends.
        End::Silent | End::Endless | End::Drip => {}
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    stream.write_all(&answer.body)?;
    match answer.end {
        End::Whole | End::Break | End::Silent => Ok(()),
        End::Hang => until_closed(stream),
        End::Endless => loop {
            stream.write_all(&[b'0'; 64 * 1024])?;
        },
        End::Drip => loop {
            stream.write_all(b"0")?;
            thread::sleep(DRIP);
        },
    }
}

fn until_closed(stream: &mut TcpStream) -> std::io::Result<()> {
    while stream.read(&mut [0; 64])? > 0 {}
    Ok(())
}
