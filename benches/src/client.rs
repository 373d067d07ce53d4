//! One keep-alive HTTP connection that makes one call after another.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;

use crate::fixture::Guest;

/// A connection to a gateway.
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    body: Bytes,
    name: String,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// While nobody listens.
    pub async fn connect(address: &str, guest: &Guest) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        let name = format!("{}__{}", guest.name, guest.tool);
        Ok(Self { sender, body: body(&name, guest), name })
    }

    /// One call; `false` if the gateway was not ready.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn call(&mut self) -> Result<bool, hyper::Error> {
        let request = Request::post("/mcp")
            .header("host", "127.0.0.1")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", &self.name)
            .body(Full::new(self.body.clone()))
            .expect("a request");
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        let answered = status.is_success() && body.windows(15).any(|w| w == b"\"isError\":false");
        assert!(answered || status.as_u16() == 503, "{status}: {}", String::from_utf8_lossy(&body));
        Ok(answered)
    }
}

fn body(name: &str, guest: &Guest) -> Bytes {
    let arguments: serde_json::Value = serde_json::from_str(guest.arguments).expect("JSON");
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "bench", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "name": name, "arguments": arguments, "_meta": meta });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string().into()
}
