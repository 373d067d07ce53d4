//! A registry in this process that does what it is told to, in particular wrong things.
//!
//! It serves one component and takes pushes; a fault replaces the answer to some of the requests.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::artifact::format::{Packed, pack};
use crate::artifact::test_support::component;

/// The repository that it has.
pub(in crate::artifact) const REPOSITORY: &str = "acme/tool";

/// A request, as a fault sees it.
pub(in crate::artifact) struct Hit {
    pub(in crate::artifact) method: String,
    /// Path and query.
    pub(in crate::artifact) path: String,
    pub(in crate::artifact) authorization: Option<String>,
    pub(in crate::artifact) headers: http::HeaderMap,
    pub(in crate::artifact) body: Bytes,
    /// How often this path was asked before.
    pub(in crate::artifact) before: usize,
    /// `127.0.0.1:PORT` of the registry.
    pub(in crate::artifact) host: String,
}

impl Hit {
    pub(in crate::artifact) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::artifact) enum End {
    Whole,
    /// The connection breaks once the rest is sent.
    Break,
    /// The connection breaks at once.
    Broken,
    /// Nothing more comes.
    Hang,
    /// Zeros without end.
    Endless,
}

/// An answer.
#[derive(Clone)]
pub(in crate::artifact) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    end: End,
}

pub(in crate::artifact) fn reply(status: u16, body: impl Into<Bytes>) -> Reply {
    Reply { status, headers: Vec::new(), body: body.into(), end: End::Whole }
}

impl Reply {
    pub(in crate::artifact) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(in crate::artifact) fn end(mut self, end: End) -> Self {
        self.end = end;
        self
    }
}

/// A running registry; it ends with the runtime.
pub(in crate::artifact) struct Fake {
    pub(in crate::artifact) host: String,
    pub(in crate::artifact) packed: Arc<Packed>,
    hits: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// `METHOD PATH` of all requests so far.
    pub(in crate::artifact) fn hits(&self) -> Vec<String> {
        self.hits.lock().unwrap().clone()
    }
}

/// Starts a registry whose tag `1` is `component("fake")`.
pub(in crate::artifact) async fn start(
    fault: impl Fn(&Hit) -> Option<Reply> + Send + Sync + 'static,
) -> Fake {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let packed = Arc::new(pack(component("fake"), "fake").unwrap());
    let hits = Arc::new(Mutex::new(Vec::new()));
    let state = Arc::new(State {
        packed: packed.clone(),
        hits: hits.clone(),
        host: host.clone(),
        fault: Box::new(fault),
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let state = state.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let state = state.clone();
                    async move { Ok::<_, Infallible>(state.answer(request).await) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                let _ = http.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Fake { host, packed, hits }
}

type Fault = dyn Fn(&Hit) -> Option<Reply> + Send + Sync;

struct State {
    packed: Arc<Packed>,
    hits: Arc<Mutex<Vec<String>>>,
    host: String,
    fault: Box<Fault>,
}

impl State {
    async fn answer(&self, request: hyper::Request<Incoming>) -> hyper::Response<Script> {
        let (head, body) = request.into_parts();
        let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        let line = format!("{} {path}", head.method);
        let before = {
            let mut hits = self.hits.lock().unwrap();
            let before = hits.iter().filter(|hit| **hit == line).count();
            hits.push(line);
            before
        };
        let authorization = head.headers.get("authorization");
        let hit = Hit {
            method: head.method.to_string(),
            path,
            authorization: authorization.map(|value| value.to_str().unwrap().to_owned()),
            headers: head.headers.clone(),
            body: body.collect().await.map(|body| body.to_bytes()).unwrap_or_default(),
            before,
            host: self.host.clone(),
        };
        let reply = (self.fault)(&hit).unwrap_or_else(|| self.serve(hit));
        let mut response = hyper::Response::builder().status(reply.status);
        for (name, value) in &reply.headers {
            response = response.header(*name, value);
        }
        let chunks = VecDeque::from([reply.body]);
        response.body(Script { chunks, end: reply.end }).unwrap()
    }

    /// What a registry in good order does.
    fn serve(&self, hit: Hit) -> Reply {
        let place = format!("/v2/{REPOSITORY}/");
        let packed = &self.packed;
        let Some(rest) = hit.path.strip_prefix(&place) else { return reply(200, "{}") };
        match (hit.method.as_str(), rest) {
            ("POST", "blobs/uploads/") => {
                return reply(202, "").header("location", format!("{place}blobs/uploads/7"));
            }
            ("PUT", rest) => {
                let name = rest.rsplit_once("digest=").map_or(rest, |(_, digest)| digest);
                let name = name.replace("%3A", ":");
                return reply(201, "").header("location", format!("{place}{name}"));
            }
            _ => {}
        }
        for blob in [&packed.layer, &packed.config] {
            if rest == format!("blobs/{}", blob.digest) && hit.method == "GET" {
                return reply(200, blob.bytes.clone());
            }
        }
        if rest == "manifests/1" || rest == format!("manifests/{}", packed.manifest.digest) {
            return reply(200, packed.manifest.bytes.clone());
        }
        reply(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}"#)
    }
}

/// A body that follows a script.
struct Script {
    chunks: VecDeque<Bytes>,
    end: End,
}

impl Body for Script {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if let Some(chunk) = self.chunks.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match self.end {
            End::Whole => Poll::Ready(None),
            End::Break => {
                self.end = End::Broken;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            End::Broken => Poll::Ready(Some(Err(std::io::Error::other("broken")))),
            End::Hang => Poll::Pending,
            End::Endless => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 64 * 1024]))))),
        }
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self.end {
            End::Whole => {
                hyper::body::SizeHint::with_exact(self.chunks.iter().map(Bytes::len).sum::<usize>() as u64)
            }
            _ => hyper::body::SizeHint::default(),
        }
    }
}
