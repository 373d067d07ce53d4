//! One request and its response, of a fresh instance.
//!
//! The guest and whoever reads what it writes take turns in one future, so that dropping it ends both. A response
//! counts once it is whole: what the guest would do after that is not waited for.

use std::convert::Infallible;
use std::pin::pin;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body, Frame};
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};

use crate::notice::Notices;
use crate::peer::stateless::{Reply, ReplyError, Request, Response};
use crate::wasm::instances::Linked;
use crate::wasm::load::one_line;
use crate::wasm::state::State;

/// Where requests say that they go: nowhere else than here.
const URI: &str = "http://localhost/mcp";

/// Bytes of a request that the guest gets at a time, however many it asks for. Against copies of all of it.
const CHUNK: usize = 64 * 1024;

/// Bytes of a message besides its result.
const ENVELOPE: u64 = 4 * 1024;

/// A request, ready to be made.
pub(in crate::wasm) struct Exchange {
    request: Request,
    /// Bytes of a message of its response.
    limit: usize,
}

/// What comes of it.
pub(in crate::wasm) type Replied = Result<Response, Fault>;

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub(in crate::wasm) enum Fault {
    #[error("there is none")]
    None,
    #[error("it is the error {0}")]
    Code(String),
    #[error("it was given up, or has another length than it says")]
    Broken,
    #[error(transparent)]
    Reply(#[from] ReplyError),
}

impl Exchange {
    /// A request whose result has up to `limit` bytes.
    pub(super) fn new(request: Request, limit: u64) -> Self {
        let limit = usize::try_from(limit.saturating_add(ENVELOPE)).unwrap_or(usize::MAX);
        Self { request, limit }
    }

    /// Makes it, of a fresh instance.
    pub(in crate::wasm) async fn run(
        &self,
        linked: &Linked,
        store: &mut Store<State>,
    ) -> wasmtime::Result<Replied> {
        let (sender, response) = oneshot::channel();
        let notices = store.data().notices.clone();
        let mut http = store.data_mut().http();
        let request = http.new_incoming_request(Scheme::Http, self.http()?)?;
        let outparam = http.new_response_outparam(sender)?;
        let mut reading = pin!(self.read(response, notices));
        let ended = {
            let handling = pin!(handle(linked, store, request, outparam));
            tokio::select! {
                biased;
                replied = &mut reading => return Ok(replied),
                ended = handling => ended,
            }
        };
        // What it has not handed over by now it never will, and with these goes what could be waited for.
        store.data_mut().table = ResourceTable::new();
        match (reading.await, ended) {
            (Err(_), Err(trap)) => Err(trap),
            (replied, _) => Ok(replied),
        }
    }

    fn http(
        &self,
    ) -> Result<http::Request<impl Body<Data = Bytes, Error = Infallible> + use<>>, http::Error> {
        let mut request = http::Request::post(URI).body(chunks(self.request.body.clone()))?;
        *request.headers_mut() = self.request.headers.clone();
        Ok(request)
    }

    async fn read(
        &self,
        response: oneshot::Receiver<Result<http::Response<HyperOutgoingBody>, ErrorCode>>,
        notices: Option<Notices>,
    ) -> Replied {
        let response = response.await.map_err(|_| Fault::None)?;
        let (head, mut body) =
            response.map_err(|code| Fault::Code(one_line(&code.to_string())))?.into_parts();
        let mut reply = Reply::begin(self.request.id, head.status, &head.headers, self.limit, notices)?;
        while let Some(frame) = body.frame().await {
            let Ok(bytes) = frame.map_err(|_| Fault::Broken)?.into_data() else { continue };
            if let Some(response) = reply.take(&bytes)? {
                return Ok(response);
            }
        }
        Ok(reply.end()?)
    }
}

async fn handle(
    linked: &Linked,
    store: &mut Store<State>,
    request: Resource<HostIncomingRequest>,
    outparam: Resource<HostResponseOutparam>,
) -> wasmtime::Result<()> {
    let instance = linked.pre.instantiate_async(&mut *store).await?;
    let [export] = &linked.exports[..] else {
        return Err(wasmtime::format_err!("the handler is not exported"));
    };
    type Params = (Resource<HostIncomingRequest>, Resource<HostResponseOutparam>);
    let handler = instance.get_typed_func::<Params, ()>(&mut *store, export)?;
    handler.call_async(store, (request, outparam)).await
}

fn chunks(body: Bytes) -> impl Body<Data = Bytes, Error = Infallible> {
    let starts = (0..body.len()).step_by(CHUNK);
    let frames = starts.map(move |at| Ok(Frame::data(body.slice(at..body.len().min(at + CHUNK)))));
    StreamBody::new(stream::iter(frames))
}
