//! A server of the official Rust SDK over Streamable HTTP, in this process: what it offers and answers is JSON, read by
//! the SDK's own types and written by them.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult,
    ErrorData, GetPromptRequestParams, GetPromptResponse, GetPromptResult, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{RoleServer, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What a server answers, by method, and by name where one is called for: `tools/call echo`.
#[derive(Clone)]
pub struct Fixtures(Arc<Value>);

/// A server that runs until it is dropped.
pub struct Official {
    address: SocketAddr,
    tasks: JoinSet<()>,
}

/// Which revisions a server speaks.
#[derive(Clone, Copy)]
pub enum Speaks {
    /// All that the SDK knows.
    All,
    /// Those with sessions.
    Sessions,
}

#[derive(Clone)]
struct Handler {
    fixtures: Fixtures,
    speaks: Speaks,
}

impl Official {
    /// Serves these answers at a free port, or at one that was free before.
    pub async fn start(fixtures: &Value, speaks: Speaks, port: u16) -> Self {
        let handler = Handler { fixtures: Fixtures(Arc::new(fixtures.clone())), speaks };
        let mut config = StreamableHttpServerConfig::default();
        if let Speaks::All = speaks {
            // Without sessions it may answer as the test's own client reads it: without a stream.
            (config.legacy_session_mode, config.json_response) = (false, true);
        }
        let sessions = Arc::new(LocalSessionManager::default());
        let service =
            StreamableHttpService::new(move || Ok::<_, io::Error>(handler.clone()), sessions, config);
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
        let address = listener.local_addr().expect("an address");
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("a TCP stream");
                let service = TowerToHyperService::new(service.clone());
                let connection = hyper::server::conn::http1::Builder::new();
                connections.spawn(async move {
                    // A client that goes away is no fault.
                    drop(connection.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { address, tasks }
    }

    /// `http://127.0.0.1:PORT/mcp`.
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Ends it, and gives back its port.
    pub async fn stop(mut self) -> u16 {
        self.tasks.shutdown().await;
        self.address.port()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Handler {
    fn answer<T: DeserializeOwned>(&self, key: &str) -> Result<T, ErrorData> {
        match self.fixtures.0.get(key) {
            Some(answer) => {
                Ok(serde_json::from_value(answer.clone()).unwrap_or_else(|error| panic!("{key}: {error}")))
            }
            None => Err(ErrorData::invalid_params(format!("nothing for {key}"), None)),
        }
    }
}

type Page = Option<PaginatedRequestParams>;
type Context = RequestContext<RoleServer>;

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let info = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": { "completions": {}, "prompts": {}, "resources": {}, "tools": {} },
            "serverInfo": { "name": "official", "version": "1" },
        });
        serde_json::from_value(info).expect("what a server says of itself")
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        match self.speaks {
            Speaks::All => Cow::Owned(vec![ProtocolVersion::V_2026_07_28, ProtocolVersion::V_2025_11_25]),
            Speaks::Sessions => Cow::Owned(vec![ProtocolVersion::V_2025_11_25]),
        }
    }

    async fn list_tools(&self, _: Page, _: Context) -> Result<ListToolsResult, ErrorData> {
        self.answer("tools/list")
    }

    async fn list_prompts(&self, _: Page, _: Context) -> Result<ListPromptsResult, ErrorData> {
        self.answer("prompts/list")
    }

    async fn list_resources(&self, _: Page, _: Context) -> Result<ListResourcesResult, ErrorData> {
        self.answer("resources/list")
    }

    async fn list_resource_templates(
        &self,
        _: Page,
        _: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        self.answer("resources/templates/list")
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name == "echo" {
            let given = json!({ "content": [], "structuredContent": request.arguments });
            return Ok(serde_json::from_value::<CallToolResult>(given).expect("a result").into());
        }
        self.answer::<CallToolResult>(&format!("tools/call {}", request.name)).map(Into::into)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        self.answer::<GetPromptResult>(&format!("prompts/get {}", request.name)).map(Into::into)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.answer::<ReadResourceResult>(&format!("resources/read {}", request.uri)).map(Into::into)
    }

    async fn complete(&self, _: CompleteRequestParams, _: Context) -> Result<CompleteResult, ErrorData> {
        self.answer("completion/complete")
    }
}
