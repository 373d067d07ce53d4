//! One request to the proxy: a tunnel (`CONNECT`, RFC 9110 section 9.3.6) or a request in absolute form
//! (RFC 9112 section 3.2.2), which may name `https` as well.

use std::convert::Infallible;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{HeaderMap, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION};
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::exchange::{self, Answer, EXCHANGE, Refusal, said};
use super::judged::Judged;
use super::{Shared, watch_over};
use crate::docker::output::Output;
use crate::egress::EgressError;
use crate::policy::{Exit, Target, Tunnel, TunnelGrant};

/// Serves one connection, which has one request.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>, permit: OwnedSemaphorePermit) {
    let reader = exchange::reader(shared.egress.options()).keep_alive(false).clone();
    let permit = Arc::new(permit);
    let service = service_fn(move |request| {
        let (shared, permit) = (Arc::clone(&shared), Arc::clone(&permit));
        async move { Ok::<_, Infallible>(answer(request, &shared, permit).await) }
    });
    let connection = reader.serve_connection(TokioIo::new(stream), service).with_upgrades();
    drop(timeout(EXCHANGE, connection).await);
}

async fn answer(
    request: Request<Incoming>,
    shared: &Arc<Shared>,
    permit: Arc<OwnedSemaphorePermit>,
) -> Answer {
    let Some(container) = container(request.headers(), shared) else {
        let mut answer = said(StatusCode::PROXY_AUTHENTICATION_REQUIRED, "the password is of no container");
        let basic = HeaderValue::from_static("Basic realm=\"toolgate\"");
        answer.headers_mut().insert(PROXY_AUTHENTICATE, basic);
        return answer;
    };
    let answered = if request.method() == Method::CONNECT {
        tunnel(request, shared, &container, permit).await
    } else {
        whole(request, shared).await
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
    shared: &Arc<Shared>,
    container: &Arc<Output>,
    permit: Arc<OwnedSemaphorePermit>,
) -> Result<Answer, Refusal> {
    let exit = Exit::parse(request.uri().authority().ok_or(Refusal::Form)?.as_str())?;
    match shared.policy.grants.allow_tunnel(&exit)? {
        Tunnel::Blind(grant) => blind(request, &exit, grant, shared, permit).await,
        Tunnel::Judged => {
            let tunnel = Judged { exit, shared: Arc::clone(shared), container: Arc::clone(container) };
            judged(request, tunnel, permit)
        }
    }
}

async fn blind(
    request: Request<Incoming>,
    exit: &Exit,
    grant: TunnelGrant<'_>,
    shared: &Shared,
    permit: Arc<OwnedSemaphorePermit>,
) -> Result<Answer, Refusal> {
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

fn judged(
    request: Request<Incoming>,
    tunnel: Judged,
    permit: Arc<OwnedSemaphorePermit>,
) -> Result<Answer, Refusal> {
    let certified = tunnel.shared.authority.certify(tunnel.exit.host());
    let config = certified.map_err(|_| EgressError::Request("the host can't be in a certificate"))?;
    tokio::spawn(async move {
        let _until_its_end = permit;
        if let Ok(client) = upgrade::on(request).await {
            tunnel.serve(client, config).await;
        }
    });
    Ok(said(StatusCode::OK, ""))
}

/// A request that names its whole URL.
async fn whole(request: Request<Incoming>, shared: &Shared) -> Result<Answer, Refusal> {
    if request.uri().scheme().is_none() {
        return Err(Refusal::Form);
    }
    let target = Target::of(request.method(), request.uri())?;
    exchange::pass_on(&target, request, shared).await
}
