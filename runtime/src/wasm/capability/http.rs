//! `http`: outgoing requests to what the policy grants.

use std::sync::Arc;

use wasmtime::component::Linker;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpHooks};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use super::Denials;
use crate::events::Denial;
use crate::policy::Policy;
use crate::wasm::state::State;

/// The state of one call.
pub(in crate::wasm) struct Http {
    ctx: WasiHttpCtx,
    hooks: Hooks,
}

impl Http {
    pub(in crate::wasm) fn new(_policy: &Arc<Policy>, denials: Denials) -> Self {
        Self { ctx: WasiHttpCtx::new(), hooks: Hooks { denials } }
    }
}

/// Links `wasi:http`.
pub(in crate::wasm) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.http.hooks, table: &mut self.table, ctx: &mut self.http.ctx }
    }
}

struct Hooks {
    denials: Denials,
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = wasmtime_wasi_http::Result<(http::Response<WasiBody>, Io)>> + Send> {
        self.denials.tell(&Denial {
            capability: "http",
            attempt: format!("{} {}", request.method(), request.uri()),
            reason: "no grant covers it".to_owned(),
            allow: Some(format!("http = [\"{} {}\"]", request.method(), request.uri())),
        });
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}
