#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hygiene;
mod keys;
mod listening;
mod messages;
mod notices;
mod offered;
mod profiles;
mod questions;
mod resuming;
mod search;
mod sessions;
mod sse;
mod stateless;
mod subscriptions;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use toolgate_runtime::limits::Limits;

use super::{HttpSettings, serve};
use crate::catalog::{Catalog, CatalogSettings, ServerState};
use crate::fake::{self, Fake};
use crate::gateway::{Gateway, GatewaySettings};

/// A gateway on a port of its own.
struct Served {
    address: SocketAddr,
    gateway: Arc<Gateway>,
    fake: Arc<Fake>,
    stop: Option<oneshot::Sender<()>>,
    done: JoinHandle<std::io::Result<()>>,
}

async fn start() -> Served {
    start_with(HttpSettings::default()).await
}

async fn start_with(settings: HttpSettings) -> Served {
    let (gateway, fake) = fake::gateway();
    start_gateway(gateway, fake, settings).await
}

/// The usual servers, two tools a page.
async fn start_paged() -> Served {
    let fake = Fake::of_all_kinds();
    let entries = vec![fake::entry("fake", Arc::clone(&fake) as _)];
    let catalog =
        Catalog::build(entries, &CatalogSettings { page_size: 2, ..CatalogSettings::default() }).unwrap();
    let gateway = Gateway::new(catalog, GatewaySettings::default());
    start_gateway(Arc::new(gateway), fake, HttpSettings::default()).await
}

/// The names of all tools, asked for page by page, after a check that each page is one.
async fn follow(served: &Served, ask: impl Fn(Value) -> Ask) -> Vec<String> {
    let mut names = Vec::new();
    let mut params = json!({});
    loop {
        let result = ask(params).send(served).await.json()["result"].clone();
        let page = result["tools"].as_array().unwrap();
        assert!((1..=2).contains(&page.len()), "{result}");
        names.extend(page.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()));
        match result.get("nextCursor") {
            Some(cursor) => params = json!({ "cursor": cursor }),
            None => return names,
        }
    }
}

/// A server of one tool, which answers with that many bytes.
async fn start_flood(bytes: usize, settings: HttpSettings) -> Served {
    let fake = Fake::new(&[("flood", fake::Does::Flood(bytes))]);
    let catalog = fake::catalog(vec![fake::entry("fake", Arc::clone(&fake) as _)]);
    let gateway = Gateway::new(catalog, GatewaySettings::default());
    start_gateway(Arc::new(gateway), fake, settings).await
}

async fn start_gateway(gateway: Arc<Gateway>, fake: Arc<Fake>, settings: HttpSettings) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move { drop(stopped.await) };
    let done = tokio::spawn(serve(listener, Arc::clone(&gateway), settings, shutdown));
    Served { address, gateway, fake, stop: Some(stop), done }
}

/// A response, read to its end.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(given, value)| given.eq_ignore_ascii_case(name).then_some(value))
    }

    /// The JSON-RPC error code, 0 without one.
    fn code(&self) -> i64 {
        self.json()["error"]["code"].as_i64().unwrap_or(0)
    }
}

/// A request under construction; a header given again replaces the one before.
#[derive(Clone, Debug)]
struct Ask {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Ask {
    fn new(method: &'static str, path: &str) -> Self {
        let ask = Self { method, path: path.into(), headers: Vec::new(), body: Vec::new() };
        ask.header("host", "localhost").header("connection", "close")
    }

    fn post(body: &Value) -> Self {
        Self::raw(&body.to_string())
    }

    fn raw(body: &str) -> Self {
        let mut ask = Self::new("POST", "/mcp")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        ask.body = body.as_bytes().to_vec();
        ask
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(n, _)| n != name);
        self.headers.push((name.into(), value.into()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| n != name);
        self
    }

    fn at(mut self, path: &str) -> Self {
        self.path = path.into();
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        let is_framed = |name: &str| ["transfer-encoding", "content-length"].contains(&name);
        if !self.headers.iter().any(|(name, _)| is_framed(name)) {
            text += &format!("content-length: {}\r\n", self.body.len());
        }
        [text.as_bytes(), b"\r\n", &self.body].concat()
    }

    async fn send(&self, served: &Served) -> Answer {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(&self.bytes()).await.unwrap();
        read_all(&mut stream).await
    }
}

async fn read_all(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await;
    let _ = read.expect("the gateway closes the connection");
    Answer::parse(&bytes)
}

/// A 2026-07-28 request with all that it needs.
fn stateless(id: u32, method: &str, mut params: Value) -> Ask {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "0" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let name = params["name"].as_str().map(str::to_owned);
    let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
    let ask = Ask::post(&body).header("mcp-protocol-version", "2026-07-28").header("mcp-method", method);
    match name {
        Some(name) => ask.header("mcp-name", &name),
        None => ask,
    }
}

fn call(tool: &str) -> Ask {
    stateless(7, "tools/call", json!({ "name": tool, "arguments": {} }))
}

fn request(id: u32, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what} did not happen");
}
