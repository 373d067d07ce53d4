//! One request to the proxy: a tunnel (`CONNECT`, RFC 9110 section 9.3.6) or a request in absolute form
//! (RFC 9112 section 3.2.2), which may name `https` as well.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::{Shared, watch_over};
use crate::docker::output::Output;
use crate::egress::{EgressError, MIN_HEADER_BYTES, Timeouts, secrets_for};
use crate::events::Denial;
use crate::policy::header::is_forbidden;
use crate::policy::http::denied_address;
use crate::policy::{Exit, Target};

/// Time for a request's head to come.
const HEAD: Duration = Duration::from_secs(10);

/// Time for a request and its response. Against one who reads a byte now and then; tunnels have none.
const EXCHANGE: Duration = Duration::from_secs(600);

type Answer = Response<UnsyncBoxBody<Bytes, EgressError>>;

/// Why a request goes nowhere.
enum Refusal {
    /// No grant allows it.
    Denied(Denial),
    /// It did not go well.
    Failed(EgressError),
    /// It is none for a proxy.
    Form,
}

/// Serves one connection, which has one request.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>, permit: OwnedSemaphorePermit) {
    let options = shared.egress.options().clone();
    let permit = Arc::new(permit);
    let service = service_fn(move |request| {
        let (shared, permit) = (Arc::clone(&shared), Arc::clone(&permit));
        async move { Ok::<_, Infallible>(answer(request, &shared, permit).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(options.max_header_bytes.max(MIN_HEADER_BYTES))
        .max_headers(options.max_headers)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    drop(timeout(EXCHANGE, connection).await);
}

async fn answer(request: Request<Incoming>, shared: &Shared, permit: Arc<OwnedSemaphorePermit>) -> Answer {
    let Some(container) = container(request.headers(), shared) else {
        let mut answer = said(StatusCode::PROXY_AUTHENTICATION_REQUIRED, "the password is of no container");
        let basic = HeaderValue::from_static("Basic realm=\"toolgate\"");
        answer.headers_mut().insert(PROXY_AUTHENTICATE, basic);
        return answer;
    };
    let answered = if request.method() == Method::CONNECT {
        tunnel(request, shared, permit).await
    } else {
        pass_on(request, shared).await
    };
    answered.unwrap_or_else(|refusal| refusal.answer(&container))
}

/// Who asks: the server where nobody says; `None` where a password is none of ours.
fn container(headers: &HeaderMap, shared: &Shared) -> Option<Arc<Output>> {
    let Some(credentials) = headers.get(PROXY_AUTHORIZATION) else {
        return Some(Arc::clone(&shared.server));
    };
    let (scheme, encoded) = credentials.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (_, password) = decoded.split_once(':')?;
    shared.passes.whose(password)
}

async fn tunnel(
    request: Request<Incoming>,
    shared: &Shared,
    permit: Arc<OwnedSemaphorePermit>,
) -> Result<Answer, Refusal> {
    let exit = Exit::parse(request.uri().authority().ok_or(Refusal::Form)?.as_str())?;
    let grant = shared.policy.grants.allow_tunnel(&exit)?;
    let limit = shared.egress.options().connect_timeout;
    let connected = shared.egress.connect(exit.host(), exit.port(), grant.networks(), limit).await;
    let mut upstream = connected.map_err(|error| match error {
        EgressError::Address { ip, .. } => Refusal::Denied(exit.denied_address(grant, ip)),
        error => Refusal::Failed(error),
    })?;
    let watched = watch_over(&upstream);
    watched.map_err(|source| EgressError::Connect { host: exit.host().to_string(), source })?;
    tokio::spawn(async move {
        let _until_its_end = permit;
        if let Ok(client) = upgrade::on(request).await {
            drop(copy_bidirectional(&mut TokioIo::new(client), &mut upstream).await);
        }
    });
    Ok(said(StatusCode::OK, ""))
}

async fn pass_on(request: Request<Incoming>, shared: &Shared) -> Result<Answer, Refusal> {
    if request.uri().scheme().is_none() {
        return Err(Refusal::Form);
    }
    let target = Target::of(request.method(), request.uri())?;
    let grants = &shared.policy.grants;
    let networks = grants.allow_http(&target)?.networks();
    let secrets = secrets_for(grants, &target).await?;
    let sent = shared.egress.send(&target, networks, request, &secrets, Timeouts::default()).await;
    let response = sent.map_err(|error| match error {
        EgressError::Address { ip, .. } => Refusal::Denied(denied_address(&target, ip)),
        error => Refusal::Failed(error),
    })?;
    let (mut head, body) = response.into_parts();
    let ours: Vec<_> = head.headers.keys().filter(|name| is_forbidden(name)).cloned().collect();
    for name in ours {
        head.headers.remove(name);
    }
    Ok(Response::from_parts(head, body.boxed_unsync()))
}

impl Refusal {
    /// What the container reads, which is no more than it could know; the operator hears the rest.
    fn answer(self, container: &Output) -> Answer {
        match self {
            Self::Denied(denial) => {
                container.denied(&denial);
                said(StatusCode::FORBIDDEN, "the gateway has no grant for this")
            }
            Self::Failed(error) => said(status(&error), &error.to_string()),
            Self::Form => said(StatusCode::BAD_REQUEST, "this is a proxy: name the whole URL, or CONNECT"),
        }
    }
}

fn status(error: &EgressError) -> StatusCode {
    match error {
        EgressError::Timeout { .. } => StatusCode::GATEWAY_TIMEOUT,
        EgressError::RequestHeaders { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        EgressError::RequestBody { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        EgressError::Request(_) => StatusCode::BAD_REQUEST,
        _ => StatusCode::BAD_GATEWAY,
    }
}

fn said(status: StatusCode, text: &str) -> Answer {
    let text = if text.is_empty() { Bytes::new() } else { format!("toolgate: {text}\n").into() };
    let mut answer = Response::new(Full::new(text).map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = status;
    answer
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl From<EgressError> for Refusal {
    fn from(error: EgressError) -> Self {
        Self::Failed(error)
    }
}
