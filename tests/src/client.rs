//! A small MCP client that shows the wire: nothing is hidden, retried or re-modelled.
//!
//! It speaks the stateless revision; suites that test older ones write their requests by hand with
//! [`Client::post`].

use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

/// Gives TLS its provider, once. No client here speaks TLS, but one that could refuses to exist
/// without; and which features it has depends on who else is built.
pub fn provide_tls() {
    // An error says that it is there already.
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// The stateless revision.
pub const REVISION: &str = "2026-07-28";

/// A client of one endpoint.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    /// What it says that it can do.
    capabilities: Value,
}

/// A reply as it came.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// HTTP headers.
    pub headers: HeaderMap,
    /// The body, unparsed.
    pub text: String,
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }
}

impl Client {
    /// A client of `{base}{path}`.
    pub fn new(base: &str, path: &str) -> Self {
        Self { http: reqwest::Client::new(), url: format!("{base}{path}"), capabilities: json!({}) }
    }

    /// The same, with this key in each request.
    #[must_use]
    pub fn with_key(self, key: &str) -> Self {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(&format!("Bearer {key}")).expect("a header value");
        headers.insert(reqwest::header::AUTHORIZATION, value);
        let http = reqwest::Client::builder().default_headers(headers).build().expect("a client");
        Self { http, ..self }
    }

    /// The same, of a client that says it can do that.
    #[must_use]
    pub fn able(self, capabilities: &Value) -> Self {
        Self { capabilities: capabilities.clone(), ..self }
    }

    /// `tools/list`, all pages.
    pub async fn list(&self) -> Vec<Value> {
        let mut tools = Vec::new();
        let mut cursor: Option<Value> = None;
        loop {
            let params = cursor.map_or_else(|| json!({}), |cursor| json!({ "cursor": cursor }));
            let reply = self.request("tools/list", None, params).await;
            let result = &reply["result"];
            tools.extend(result["tools"].as_array().unwrap_or_else(|| panic!("{reply}")).iter().cloned());
            match result.get("nextCursor") {
                Some(next) => cursor = Some(next.clone()),
                None => return tools,
            }
        }
    }

    /// `tools/call`; the `result` member.
    ///
    /// # Panics
    /// When the reply is a JSON-RPC error.
    pub async fn call(&self, tool: &str, arguments: Value) -> Value {
        let reply = self.try_call(tool, arguments).await;
        reply.get("result").cloned().unwrap_or_else(|| panic!("no result: {reply}"))
    }

    /// `tools/call`; the whole JSON-RPC reply.
    pub async fn try_call(&self, tool: &str, arguments: Value) -> Value {
        self.request("tools/call", Some(tool), json!({ "name": tool, "arguments": arguments })).await
    }

    /// `tools/call`; the reply is taken and not looked into, for who only wants to keep the gateway busy.
    pub async fn call_unread(&self, tool: &str, arguments: Value) {
        drop(self.send("tools/call", Some(tool), json!({ "name": tool, "arguments": arguments })).await);
    }

    /// Any request of the stateless revision, with its headers and `_meta`.
    pub async fn request(&self, method: &str, name: Option<&str>, params: Value) -> Value {
        self.send(method, name, params).await.json()
    }

    /// Any request of the stateless revision that is answered by a stream of events: all of it.
    pub async fn stream(&self, method: &str, params: Value) -> String {
        self.send(method, None, params).await.text
    }

    async fn send(&self, method: &str, name: Option<&str>, mut params: Value) -> Reply {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": REVISION,
            "io.modelcontextprotocol/clientInfo": { "name": "e2e", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": self.capabilities,
        });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut headers = vec![("mcp-protocol-version", REVISION), ("mcp-method", method)];
        headers.extend(name.map(|name| ("mcp-name", name)));
        self.post(&headers, body.to_string()).await
    }

    /// A POST with the usual `content-type` and `accept`, these headers, and this body.
    pub async fn post(&self, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Reply {
        let mut map = HeaderMap::new();
        map.insert("content-type", HeaderValue::from_static("application/json"));
        map.insert("accept", HeaderValue::from_static("application/json, text/event-stream"));
        for (name, value) in headers {
            let name = reqwest::header::HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            map.insert(name, HeaderValue::from_str(value).expect("a header value"));
        }
        let response = self.http.post(&self.url).headers(map).body(body).send().await.expect("a reply");
        Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.expect("a body"),
        }
    }
}
