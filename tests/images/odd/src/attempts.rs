//! What it tries to do to its machine, and how far it gets: `Err` where it was refused.

use std::fs::{File, read_to_string};
use std::io::Write;
use std::net::{TcpStream, ToSocketAddrs};
use std::process::Command;
use std::time::Duration;

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
    let told = |error| format!("{address}: {error}");
    let mut found = address.to_socket_addrs().map_err(told)?;
    let Some(first) = found.next() else { return Err(format!("{address}: no address")) };
    TcpStream::connect_timeout(&first, Duration::from_secs(2)).map_err(told)?;
    Ok(format!("connected to {first}"))
}
