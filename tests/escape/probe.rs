//! Asks for health again and again on one connection, from a thread that does nothing else.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use e2e::gateway::Gateway;
use tokio::task::JoinHandle;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(5);

/// When a question is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A prober at work.
pub(crate) struct Probe(JoinHandle<Vec<Duration>>);

impl Probe {
    /// Begins, and goes on until then.
    pub(crate) fn until(gateway: &Gateway, end: Instant) -> Self {
        let address = gateway.address().to_owned();
        Self(tokio::task::spawn_blocking(move || probe(&address, end)))
    }

    /// How long each answer took.
    ///
    /// # Panics
    /// When one was no answer.
    pub(crate) async fn times(self) -> Vec<Duration> {
        self.0.await.unwrap()
    }
}

fn probe(address: &str, end: Instant) -> Vec<Duration> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = BufReader::new(stream);
    let question = format!("GET /health HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let mut times = Vec::new();
    while Instant::now() < end {
        let asked = Instant::now();
        stream.get_mut().write_all(question.as_bytes()).unwrap();
        read_answer(&mut stream);
        times.push(asked.elapsed());
        std::thread::sleep(PAUSE);
    }
    times
}

fn read_answer(stream: &mut BufReader<TcpStream>) {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    let mut length = 0;
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    stream.read_exact(&mut vec![0; length]).unwrap();
}
