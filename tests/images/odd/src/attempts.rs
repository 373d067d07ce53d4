//! What it tries to do to its machine, and how far it gets: `Err` where it was refused.

use std::fs::{File, read_to_string};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::process::Command;
use std::time::Duration;

/// How long the other side of a connection may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Takes memory and touches it, until there is none.
pub fn allocate() -> String {
    const PIECE: usize = 16 << 20;
    let mut all = Vec::new();
    loop {
        all.push(vec![1_u8; PIECE]);
        if all.len() > 1024 {
            return format!("{} bytes", all.len() * PIECE);
        }
    }
}

/// Starts itself as often as it can, and says how often that was.
pub fn fork() -> Result<String, String> {
    let mut children = Vec::new();
    let refused = loop {
        // Whoever starts so does nothing until it is killed.
        match Command::new("/odd").arg("silent").spawn() {
            Ok(child) => children.push(child),
            Err(error) => break error,
        }
        if children.len() > 10_000 {
            return Ok(format!("{} processes", children.len()));
        }
    };
    let count = children.len();
    for mut child in children {
        drop(child.kill());
        drop(child.wait());
    }
    Err(format!("{refused} after {count} processes"))
}

/// What the kernel says of it: user, group, capabilities, seccomp, privileges.
pub fn identity() -> Result<String, String> {
    let status = read("/proc/self/status")?;
    let told = ["Uid:", "Gid:", "Groups:", "CapEff:", "CapPrm:", "CapBnd:", "NoNewPrivs:", "Seccomp:"];
    let lines = status.lines().filter(|line| told.iter().any(|name| line.starts_with(name)));
    let mut lines: Vec<String> =
        lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    lines.push(format!("pid {}", std::process::id()));
    Ok(lines.join("\n"))
}

/// The text of a file.
pub fn read(path: &str) -> Result<String, String> {
    read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

/// Writes so many bytes.
pub fn write(path: &str, bytes: usize) -> Result<String, String> {
    let told = |error| format!("{path}: {error}");
    let mut file = File::create(path).map_err(told)?;
    for _ in 0..bytes.div_ceil(4096) {
        file.write_all(&[b'x'; 4096]).map_err(told)?;
    }
    Ok(format!("{bytes} bytes"))
}

/// Connects, to a name or a number.
pub fn connect(address: &str) -> Result<String, String> {
    open(address).map(|(first, _)| format!("connected to {first}"))
}

/// Connects, says something, and tells what is answered until the other side has no more to say, or says
/// nothing for a while.
pub fn exchange(address: &str, text: &str) -> Result<String, String> {
    let told = |error| format!("{address}: {error}");
    let (_, mut stream) = open(address)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(told)?;
    stream.write_all(text.as_bytes()).map_err(told)?;
    let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        heard.extend_from_slice(&piece[..count]);
    }
    Ok(String::from_utf8_lossy(&heard).into_owned())
}

/// Opens so many connections, says nothing, and tells how many of them the other side leaves open.
pub fn hold(address: &str, count: usize) -> Result<String, String> {
    let told = |error| format!("{address}: {error}");
    let streams: Vec<TcpStream> =
        (0..count).map(|_| open(address).map(|(_, stream)| stream)).collect::<Result<_, _>>()?;
    std::thread::sleep(PATIENCE);
    let mut held = 0;
    for mut stream in streams {
        stream.set_nonblocking(true).map_err(told)?;
        let answer = stream.read(&mut [0]);
        held += usize::from(answer.is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
    }
    Ok(held.to_string())
}

/// Says something to its proxy, by the password that it has for it.
pub fn exchange_with_password(head: &str) -> Result<String, String> {
    let url = std::env::var("HTTP_PROXY").map_err(|error| error.to_string())?;
    let (user, address) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('@'))
        .ok_or_else(|| format!("{url} has no password"))?;
    let credentials = base64(user.as_bytes());
    exchange(address, &format!("{head}\r\nproxy-authorization: Basic {credentials}\r\n\r\n"))
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for piece in bytes.chunks(3) {
        let bits = piece.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte))
            << (8 * (3 - piece.len()));
        for at in 0..4 {
            let letter = LETTERS[bits >> (18 - 6 * at) & 63];
            text.push(if at > piece.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

fn open(address: &str) -> Result<(SocketAddr, TcpStream), String> {
    let told = |error| format!("{address}: {error}");
    let mut found = address.to_socket_addrs().map_err(told)?;
    let Some(first) = found.next() else { return Err(format!("{address}: no address")) };
    let stream = TcpStream::connect_timeout(&first, PATIENCE).map_err(told)?;
    Ok((first, stream))
}
