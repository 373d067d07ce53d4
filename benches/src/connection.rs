//! One keep-alive HTTP/1.1 connection that sends one request again and again.
//!
//! It writes bytes that were made before and reads no more of an answer than is needed to judge it,
//! so that a client on one core can saturate a server on another. A general client costs more than
//! some of the servers that are measured with it.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes of a response's head. Against a server that never ends it.
const MAX_HEAD: usize = 64 * 1024;

/// Bytes of a response's body. Against a server that announces more than there is memory.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// Bytes of a response that are shown to a person.
const EXCERPT: usize = 1000;

/// What counts as an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// A JSON-RPC result of a tool that did not fail.
    ToolResult,
    /// Any success, for servers that don't speak MCP.
    Success,
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Nobody accepted the connection.
    #[error("not connected: {}", .0.kind())]
    Connect(io::Error),
    /// It ended in the middle.
    #[error("connection broken: {}", .0.kind())]
    Broken(#[from] io::Error),
    /// No answer in time.
    #[error("timed out")]
    Timeout,
    /// Not HTTP/1.1, or without a usable length.
    #[error("unreadable response: {0}")]
    Unreadable(&'static str),
    /// Anything but 200.
    #[error("status {0}")]
    Status(u16),
    /// A JSON-RPC error under status 200.
    #[error("JSON-RPC error")]
    Rpc,
    /// `isError: true`.
    #[error("tool error")]
    Tool,
}

impl Fault {
    /// Whether the connection can carry another request.
    pub fn spares_connection(&self) -> bool {
        matches!(self, Self::Status(_) | Self::Rpc | Self::Tool)
    }
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    closing: bool,
}

struct Head {
    status: u16,
    length: usize,
    closing: bool,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// While nobody listens.
    pub async fn open(address: SocketAddr) -> Result<Self, Fault> {
        let stream = TcpStream::connect(address).await.map_err(Fault::Connect)?;
        stream.set_nodelay(true).map_err(Fault::Connect)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096), closing: false })
    }

    /// Sends the request and judges what comes back.
    ///
    /// # Errors
    /// Everything that is not an answer, see [`Fault`].
    pub async fn exchange(&mut self, request: &Bytes, expect: Expect) -> Result<(), Fault> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let body = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(Fault::Unreadable("its head does not end"));
            }
            self.read().await?;
        };
        let head = parse(&self.buffer[..body])?;
        self.closing = head.closing;
        while self.buffer.len() < body + head.length {
            self.read().await?;
        }
        if self.buffer.len() > body + head.length {
            return Err(Fault::Unreadable("more than was announced"));
        }
        judge(head.status, &self.buffer[body..], expect)
    }

    /// Whether the server said that it closes the connection.
    pub fn closing(&self) -> bool {
        self.closing
    }

    /// The beginning of what was received last, head included.
    pub fn received(&self) -> String {
        String::from_utf8_lossy(&self.buffer[..self.buffer.len().min(EXCERPT)]).into_owned()
    }

    async fn read(&mut self) -> Result<(), Fault> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(Fault::Broken(io::ErrorKind::UnexpectedEof.into())),
            _ => Ok(()),
        }
    }
}

fn parse(head: &[u8]) -> Result<Head, Fault> {
    let text = std::str::from_utf8(head).map_err(|_| Fault::Unreadable("its head is no text"))?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
    let mut length = None;
    let mut closing = false;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok().filter(|length| *length <= MAX_BODY);
        } else if name.eq_ignore_ascii_case("connection") {
            closing = value.trim().eq_ignore_ascii_case("close");
        }
    }
    Ok(Head {
        status: status.ok_or(Fault::Unreadable("not HTTP/1.1"))?,
        length: length.ok_or(Fault::Unreadable("no usable content-length"))?,
        closing,
    })
}

fn judge(status: u16, body: &[u8], expect: Expect) -> Result<(), Fault> {
    match expect {
        _ if status / 100 != 2 => Err(Fault::Status(status)),
        Expect::Success => Ok(()),
        Expect::ToolResult if find(body, b"\"result\":").is_none() => Err(Fault::Rpc),
        Expect::ToolResult if find(body, b"\"isError\":true").is_some() => Err(Fault::Tool),
        Expect::ToolResult => Ok(()),
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests;
