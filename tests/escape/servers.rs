//! The machines that guests try to reach, all on loopback.
//!
//! `granted` is what the families of the network may reach, at `/v1/`. `other` is what none may:
//! on TCP and UDP, on IPv4 and IPv6 where there is one. Whatever reaches `other`, or `granted`
//! outside of `/v1/`, is a stray, and is answered with the canary.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// How long a connection may be idle before its server lets go.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of a body without end; more than any limit, and still an end.
const ENDLESS: usize = 256 << 20;

/// Loopback addresses besides the first are the same machine under another number.
pub(crate) const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Both servers.
pub(crate) struct Servers {
    pub(crate) granted: u16,
    pub(crate) other: u16,
    facts: Arc<Facts>,
    udp: UdpSocket,
}

struct Facts {
    canary: String,
    /// Requests and connections that should not have come, as far as they were read.
    strays: Mutex<Vec<String>>,
    /// Connections to `granted` that are open.
    open: AtomicUsize,
    /// Told when who does not read shall do so.
    read_on: Condvar,
    unread: Mutex<Unread>,
}

/// Connections whose sender is made to wait.
#[derive(Default)]
struct Unread {
    /// How often they were told to read on.
    turn: usize,
    /// Bytes that the last sender handed over, as it says itself.
    handed_over: Option<usize>,
}

impl Servers {
    /// Starts both. Their threads end with the process.
    pub(crate) fn start(canary: &str) -> Self {
        let facts = Arc::new(Facts {
            canary: canary.to_owned(),
            strays: Mutex::default(),
            open: AtomicUsize::default(),
            read_on: Condvar::new(),
            unread: Mutex::default(),
        });
        let granted = listen(Ipv4Addr::LOCALHOST.into(), 0).unwrap();
        let port = granted.local_addr().unwrap().port();
        serve(granted, &facts, answer_granted);
        let other = listen(Ipv4Addr::LOCALHOST.into(), 0).unwrap();
        let stray = other.local_addr().unwrap().port();
        serve(other, &facts, answer_stray);
        // A machine without IPv6 has nothing there to reach.
        if let Ok(v6) = listen(Ipv6Addr::LOCALHOST.into(), stray) {
            serve(v6, &facts, answer_stray);
        }
        // The granted port, on an address that no grant of an address names.
        serve(listen(SECOND.into(), port).unwrap(), &facts, answer_stray);
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, stray)).unwrap();
        udp.set_nonblocking(true).unwrap();
        Self { granted: port, other: stray, facts, udp }
    }

    /// What should not have come since it was last asked.
    pub(crate) fn strays(&self) -> Vec<String> {
        let mut strays = std::mem::take(&mut *self.facts.strays.lock().unwrap());
        if self.udp.recv(&mut [0; 64]).is_ok() {
            strays.push("a datagram".to_owned());
        }
        strays
    }

    /// Has connections read that were not: the call that they are of is over.
    pub(crate) fn read_on(&self) {
        self.facts.unread.lock().unwrap().turn += 1;
        self.facts.read_on.notify_all();
    }

    /// Connections to `granted` that are open now.
    pub(crate) fn open(&self) -> usize {
        self.facts.open.load(Ordering::SeqCst)
    }
}

fn listen(ip: std::net::IpAddr, port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::new(ip, port))
}

/// Answers a request by its head.
type Answer = fn(&Facts, TcpStream, &str) -> std::io::Result<()>;

fn serve(listener: TcpListener, facts: &Arc<Facts>, answer: Answer) {
    let facts = Arc::clone(facts);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let facts = Arc::clone(&facts);
            std::thread::spawn(move || {
                facts.open.fetch_add(1, Ordering::SeqCst);
                // A client that goes away is no fault of this side.
                drop(converse(&facts, stream, answer));
                facts.open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
}

fn converse(facts: &Facts, mut stream: TcpStream, answer: Answer) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut head = [0; 8192];
    let read = stream.read(&mut head)?;
    let head = String::from_utf8_lossy(&head[..read]);
    answer(facts, stream, &head)
}

fn answer_granted(facts: &Facts, mut stream: TcpStream, head: &str) -> std::io::Result<()> {
    let mut lines = head.lines();
    let request = lines.next().unwrap_or_default();
    let path = request.split(' ').nth(1).unwrap_or_default();
    match path {
        // Gone before it asked for anything.
        "" => Ok(()),
        "/v1/redirect" => {
            let to = format!("HTTP/1.1 302 Found\r\nlocation: http://{SECOND}/secret\r\n");
            stream.write_all(format!("{to}content-length: 0\r\n\r\n").as_bytes())
        }
        "/v1/endless" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            (0..ENDLESS >> 16).try_for_each(|_| stream.write_all(&[b'x'; 1 << 16]))
        }
        "/v1/authorization" => {
            let sent = lines.any(|line| line.to_ascii_lowercase().starts_with("authorization:"));
            text(&mut stream, if sent { "with authorization" } else { "without authorization" })
        }
        "/v1/headers" => {
            let headers: String = (0..10_000).map(|n| format!("x-{n}: y\r\n")).collect();
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\n\r\n").as_bytes())
        }
        "/v1/unread" => leave_unread(facts, stream),
        "/v1/silent" => keep_waiting(stream),
        path if path.starts_with("/v1/sent/") => {
            facts.unread.lock().unwrap().handed_over = path["/v1/sent/".len()..].parse().ok();
            text(&mut stream, request)
        }
        path if path.starts_with("/v1/") => text(&mut stream, request),
        _ => answer_stray(facts, stream, head),
    }
}

/// Answers nothing until the other side is gone. One that only ended its sending gets a byte now and
/// then, as that is how to learn that it is gone.
fn keep_waiting(mut stream: TcpStream) -> std::io::Result<()> {
    let _end = stream.read(&mut [0; 64])?;
    loop {
        stream.write_all(b"x")?;
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Answers and then reads nothing until the call is over, so that its last write can't end before. What
/// the gateway had not sent by then it must not send any more.
fn leave_unread(facts: &Facts, mut stream: TcpStream) -> std::io::Result<()> {
    let unread = facts.unread.lock().unwrap();
    let turn = unread.turn;
    stream.write_all(b"go")?;
    let (mut unread, _) =
        facts.read_on.wait_timeout_while(unread, PATIENCE, |unread| unread.turn == turn).unwrap();
    let handed_over = unread.handed_over.take();
    drop(unread);
    // A connection that is cut off ends as well.
    let arrived = std::io::copy(&mut stream, &mut std::io::sink());
    match (handed_over, arrived) {
        (Some(handed_over), Ok(arrived)) if arrived < handed_over as u64 => Ok(()),
        (_, Err(_)) => Ok(()),
        (handed_over, Ok(arrived)) => {
            let stray = format!("{arrived} bytes of {handed_over:?} that a call left unsent");
            facts.strays.lock().unwrap().push(stray);
            Ok(())
        }
    }
}

fn answer_stray(facts: &Facts, mut stream: TcpStream, head: &str) -> std::io::Result<()> {
    let request = head.lines().next().unwrap_or_default();
    facts.strays.lock().unwrap().push(request.to_owned());
    text(&mut stream, &facts.canary)
}

fn text(stream: &mut TcpStream, body: &str) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes())
}
