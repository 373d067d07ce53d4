//! A `tools/call` as bytes, made once and sent many times.
//!
//! The stateless revision: each request carries all that the server needs, and headers repeat what a
//! proxy would route by.

use bytes::Bytes;
use serde_json::json;

use crate::target::Target;

/// The revision that is spoken.
const REVISION: &str = "2026-07-28";

/// The whole request, head and body. `headers` are added as they are.
pub fn tools_call(target: &Target, tool: &str, arguments: &serde_json::Value, headers: &[String]) -> Bytes {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientInfo": { "name": "toolgate-load", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "name": tool, "arguments": arguments, "_meta": meta });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
    let more: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nmcp-protocol-version: {REVISION}\r\n\
         mcp-method: tools/call\r\nmcp-name: {tool}\r\n{more}content-length: {}\r\n\r\n",
        target.path,
        target.address,
        body.len()
    );
    (head + &body).into()
}
