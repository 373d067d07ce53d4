//! The demo as a visitor has it, looked at from outside: it says where it serves, serves there until
//! Ctrl-C, then ends by itself with success and leaves nothing behind.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use super::connections::SERVES;
use super::signals;
use crate::layout;
use crate::process::{self, Failure, Result};

/// How long it may take to serve: nothing is built, but components may have to be compiled.
const START: Duration = Duration::from_secs(180);
/// How long it may take to end, with no call in flight.
const END: Duration = Duration::from_secs(20);

/// Runs `cargo xtask demo` with what is built, and ends it as a person would.
pub(crate) fn check() -> Result<()> {
    let mut demo = Demo::start()?;
    let address = demo.address()?;
    let reply = get(&address).map_err(|e| Failure::new(format!("GET http://{address}/livez: {e}")))?;
    if !reply.starts_with("HTTP/1.1 200 ") {
        return Err(Failure::new(format!("GET http://{address}/livez: {reply}")));
    }
    signals::interrupt(&mut demo.process);
    let status = demo.end()?;
    if !status.success() {
        return Err(Failure::new(format!("the demo ended by Ctrl-C with {status}, not with success")));
    }
    match TcpListener::bind(&address) {
        Ok(_) => Ok(()),
        Err(e) => Err(Failure::new(format!("{address} is still taken after the demo has ended: {e}"))),
    }
}

/// A running demo; killed on drop, for when it does not end by itself.
struct Demo {
    process: Child,
    lines: Receiver<String>,
}

impl Demo {
    fn start() -> Result<Self> {
        let mut command = Command::new(layout::xtask()?);
        command.args(["demo", "--built", "--port", "0"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(|e| process::not_started(&command, &e))?;
        let (sender, lines) = mpsc::channel();
        let stdout = process.stdout.take();
        std::thread::spawn(move || {
            let lines = stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines());
            // Read to the end also when nobody looks: a full pipe would hold up the demo.
            lines.map_while(std::result::Result::ok).for_each(|line| drop(sender.send(line)));
        });
        Ok(Self { process, lines })
    }

    /// `HOST:PORT`, once it has been told.
    fn address(&self) -> Result<String> {
        let end = Instant::now() + START;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).map_err(|_| {
                Failure::new(format!("the demo ended or went silent before the line `{SERVES}URL`"))
            })?;
            if let Some(address) = address(&line) {
                return Ok(address.to_owned());
            }
        }
    }

    fn end(&mut self) -> Result<ExitStatus> {
        let end = Instant::now() + END;
        while Instant::now() < end {
            match self.process.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => std::thread::sleep(Duration::from_millis(10)),
                Err(e) => return Err(Failure::new(format!("the demo: {e}"))),
            }
        }
        Err(Failure::new(format!("the demo has not ended {} s after Ctrl-C", END.as_secs())))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Where the check broke off, its gateway must go too, and only the demo can reach it.
        signals::interrupt(&mut self.process);
        drop(self.end());
        // Already gone is fine.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// `127.0.0.1:8080` of `The gateway serves http://127.0.0.1:8080/mcp`.
fn address(line: &str) -> Option<&str> {
    line.strip_prefix(SERVES)?.strip_prefix("http://")?.strip_suffix("/mcp")
}

fn get(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(END))?;
    write!(stream, "GET /livez HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::address;
    use crate::demo::connections::connections;

    #[test]
    fn the_address_is_found_in_what_the_demo_says() {
        let text = connections("http://127.0.0.1:8080/mcp");
        let found: Vec<&str> = text.lines().filter_map(address).collect();
        assert_eq!(found, ["127.0.0.1:8080"]);
    }
}
