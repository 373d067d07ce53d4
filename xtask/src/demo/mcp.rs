//! A minimal MCP client: revision 2026-07-28 over Streamable HTTP, one connection per request.
//!
//! Written out by hand so that the demo shows the wire as it is: a POST, three headers, `_meta`.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::calls::{Answer, Call};
use crate::process::{Failure, Result};

const REVISION: &str = "2026-07-28";
/// Longer than any deadline of the demo's servers.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of the demo's gateway.
pub(super) struct Client<'a> {
    address: &'a str,
}

impl<'a> Client<'a> {
    pub(super) fn new(address: &'a str) -> Self {
        Self { address }
    }

    /// Makes the calls in order. Fails if a listed tool is left out: the demo claims to call all.
    pub(super) fn call_each<'c>(&self, calls: &'c [Call]) -> Result<Vec<Answer<'c>>> {
        let called: BTreeSet<&str> = calls.iter().map(|call| call.tool).collect();
        let served = self.served(&called)?;
        let served: BTreeSet<&str> = served.iter().map(String::as_str).collect();
        if served == called {
            return calls.iter().map(|call| self.call(call)).collect();
        }
        let all = |names: &mut dyn Iterator<Item = &&str>| names.copied().collect::<Vec<_>>().join(", ");
        let missing = all(&mut called.difference(&served));
        let uncalled = all(&mut served.difference(&called));
        Err(Failure::new(format!("not served: {missing}; served but not called: {uncalled}")))
    }

    /// The tools that are served, once the wanted ones are; a server may join after the first.
    fn served(&self, wanted: &BTreeSet<&str>) -> Result<BTreeSet<String>> {
        let end = Instant::now() + PATIENCE;
        loop {
            let tools = self.tools()?;
            if wanted.iter().all(|tool| tools.contains(*tool)) || Instant::now() >= end {
                return Ok(tools);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn call<'c>(&self, call: &'c Call) -> Result<Answer<'c>> {
        let start = Instant::now();
        let params = json!({ "name": call.tool, "arguments": call.arguments });
        let result = self.request("tools/call", Some(call.tool), params)?;
        Ok(Answer { call, result, round_trip: start.elapsed() })
    }

    fn tools(&self) -> Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        let mut params = json!({});
        loop {
            let page = self.request("tools/list", None, params)?;
            let tools = page["tools"].as_array().into_iter().flatten();
            names.extend(tools.filter_map(|tool| tool["name"].as_str()).map(str::to_owned));
            match page.get("nextCursor") {
                Some(cursor) => params = json!({ "cursor": cursor }),
                None => return Ok(names),
            }
        }
    }

    /// The `result` member of the reply.
    fn request(&self, method: &str, name: Option<&str>, mut params: Value) -> Result<Value> {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": REVISION,
            "io.modelcontextprotocol/clientInfo": { "name": "toolgate-demo", "version": env!("CARGO_PKG_VERSION") },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let what = name.map_or_else(|| method.to_owned(), |name| format!("{method} {name}"));
        let reply = self
            .post(method, name, &message.to_string())
            .map_err(|e| Failure::new(format!("{what}: {e}")))?;
        let mut reply: Value = serde_json::from_str(body(&reply))
            .map_err(|e| Failure::new(format!("{what}: the reply is not JSON: {e}\n{reply}")))?;
        match reply.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(Failure::new(format!("{what}: {reply}"))),
        }
    }

    /// The whole HTTP response: with `connection: close` it ends where the stream does.
    fn post(&self, method: &str, name: Option<&str>, message: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let name = name.map_or_else(String::new, |name| format!("mcp-name: {name}\r\n"));
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\ncontent-length: {}\r\n\
             mcp-protocol-version: {REVISION}\r\nmcp-method: {method}\r\n{name}\r\n",
            self.address,
            message.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(message.as_bytes())?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        Ok(reply)
    }
}

/// What follows the head. The gateway sends whole replies with their length, never chunks.
fn body(reply: &str) -> &str {
    reply.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}
