//! A server that guests talk to: over TLS or without, it remembers what it was sent and sends it
//! back, in the ways that servers do that and in some that only hostile ones do. Of each connection it
//! also keeps the bytes as they came, so that what was never a request, or came before TLS, is seen too.
//!
//! `/echo` sends the head of the request back as body and its credentials as `x-echo` · `/drip` the
//! same, each byte in a chunk of its own · `/redirect?URL` points to the URL · `/silent` never
//! answers · `/cut` ends in the middle · `/gzip` claims to be compressed · `/garbage` is no HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

/// How long `/silent` keeps a connection.
const SILENCE: Duration = Duration::from_secs(10);

/// Longest head that is read.
const MAX_HEAD: usize = 64 * 1024;

/// How long the rest of a talk that failed is listened to.
const REST: Duration = Duration::from_secs(1);

/// A running server. Its threads end with the test.
pub struct Upstream {
    scheme: &'static str,
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    received: Arc<Mutex<Vec<Bytes>>>,
}

/// What came over one connection so far.
type Bytes = Arc<Mutex<Vec<u8>>>;

impl Upstream {
    /// Without TLS.
    pub fn plain() -> Self {
        Self::start(None)
    }

    /// With a certificate for 127.0.0.1 and `localhost` by the authority of [`authority`].
    pub fn tls() -> Self {
        Self::start(Some(config("good")))
    }

    /// With a certificate of the same authority, for another name.
    pub fn tls_for_another_name() -> Self {
        Self::start(Some(config("other")))
    }

    /// `https://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The heads of the requests so far.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("what was heard").clone()
    }

    /// What came over each connection so far, be it TLS, HTTP or neither.
    pub fn received(&self) -> Vec<String> {
        let received = self.received.lock().expect("what was received");
        let text = |bytes: &Bytes| String::from_utf8_lossy(&bytes.lock().expect("the bytes")).into_owned();
        received.iter().map(text).collect()
    }

    fn start(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let log = Arc::clone(&heard);
        let received = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (tls, log) = (tls.clone(), Arc::clone(&log));
                let tapped = Tapped { stream, bytes: Bytes::default() };
                connections.lock().expect("what was received").push(Arc::clone(&tapped.bytes));
                std::thread::spawn(move || accept(tapped, tls, &log));
            }
        });
        Self { scheme, address, heard, received }
    }
}

/// The certificate authority, as a PEM file.
pub fn authority() -> PathBuf {
    certificates().join("ca.pem")
}

fn certificates() -> PathBuf {
    crate::guests::root().join("runtime/src/egress/tests/certs")
}

fn config(name: &str) -> Arc<ServerConfig> {
    let file = |ending: &str| certificates().join(format!("{name}.{ending}"));
    let chain = CertificateDer::pem_file_iter(file("pem")).expect("a certificate");
    let chain = chain.collect::<Result<_, _>>().expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(file("key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a certificate with its key");
    Arc::new(config)
}

/// A connection whose bytes are kept as they come.
struct Tapped {
    stream: TcpStream,
    bytes: Bytes,
}

impl Read for Tapped {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.bytes.lock().expect("the bytes").extend_from_slice(&buffer[..read]);
        Ok(read)
    }
}

impl Write for Tapped {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

/// A client that goes away is what some tests are about, so its errors end the talk and no more.
fn accept(mut stream: Tapped, tls: Option<Arc<ServerConfig>>, heard: &Mutex<Vec<String>>) {
    let talked = match tls {
        None => talk(&mut stream, heard),
        Some(config) => {
            let mut connection = ServerConnection::new(config).expect("a TLS connection");
            talk(rustls::Stream::new(&mut connection, &mut stream), heard)
        }
    };
    if talked.is_none() {
        // Whoever spoke something else is heard to the end: what it said is the question.
        drop(stream.stream.set_read_timeout(Some(REST)));
        drop(std::io::copy(&mut stream.take(MAX_HEAD as u64), &mut std::io::sink()));
    }
}

/// `None` if no request came.
fn talk(mut stream: impl Read + Write, heard: &Mutex<Vec<String>>) -> Option<()> {
    let head = read_head(&mut stream)?;
    heard.lock().expect("what was heard").push(head.clone());
    let path = head.split(' ').nth(1).unwrap_or_default();
    let reply = match path.split_once('?').unwrap_or((path, "")) {
        ("/silent", _) => {
            std::thread::sleep(SILENCE);
            return Some(());
        }
        ("/redirect", to) => format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"),
        ("/cut", _) => format!("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{head}"),
        ("/gzip", _) => reply(&head, "content-encoding: gzip\r\n"),
        ("/garbage", _) => format!("{head}{head}"),
        ("/drip", _) => drip(&head),
        _ => reply(&head, &format!("x-echo: {}\r\n", credentials(&head))),
    };
    drop(stream.write_all(reply.as_bytes()).and_then(|()| stream.flush()));
    Some(())
}

fn read_head(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < MAX_HEAD {
        stream.read_exact(&mut byte).ok()?;
        head.extend_from_slice(&byte);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

fn credentials(head: &str) -> &str {
    head.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap_or("none")
}

fn reply(body: &str, headers: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn drip(body: &str) -> String {
    let mut reply = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n".to_owned();
    for byte in body.chars() {
        reply.push_str(&format!("{:x}\r\n{byte}\r\n", byte.len_utf8()));
    }
    reply.push_str("0\r\n\r\n");
    reply
}
