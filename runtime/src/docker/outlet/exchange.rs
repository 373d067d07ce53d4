//! One request of a container: judged, sent and answered; or refused, in words that tell a container no more
//! than it could know.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;

use super::Shared;
use crate::docker::output::Output;
use crate::egress::{EgressError, EgressOptions, MIN_HEADER_BYTES, Timeouts, secrets_for};
use crate::events::Denial;
use crate::policy::Target;
use crate::policy::header::is_forbidden;
use crate::policy::http::denied_address;

/// Time for a request's head to come.
const HEAD: Duration = Duration::from_secs(10);

/// Time for a request and its response. Against one who reads a byte now and then; blind tunnels have none.
pub(super) const EXCHANGE: Duration = Duration::from_secs(600);

pub(super) type Answer = Response<UnsyncBoxBody<Bytes, EgressError>>;

/// Why a request goes nowhere.
pub(super) enum Refusal {
    /// No grant allows it.
    Denied(Denial),
    /// It did not go well.
    Failed(EgressError),
    /// It is none for a proxy.
    Form,
    /// It is not for whom its tunnel leads to.
    Misdirected,
}

/// What requests of containers are read by.
pub(super) fn reader(options: &EgressOptions) -> http1::Builder {
    let mut reader = http1::Builder::new();
    reader
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(options.max_header_bytes.max(MIN_HEADER_BYTES))
        .max_headers(options.max_headers);
    reader
}

/// Sends a request to `target`, which is what its path and query were read as, if policy allows it.
pub(super) async fn pass_on(
    target: &Target,
    request: Request<Incoming>,
    shared: &Shared,
) -> Result<Answer, Refusal> {
    let grants = &shared.policy.grants;
    let networks = grants.allow_http(target)?.networks();
    let secrets = secrets_for(grants, target).await?;
    let sent = shared.egress.send(target, networks, request, &secrets, Timeouts::default()).await;
    let response = sent.map_err(|error| match error {
        EgressError::Address { ip, .. } => Refusal::Denied(denied_address(target, ip)),
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
    /// What the container reads; the operator hears the rest.
    pub(super) fn answer(self, container: &Output) -> Answer {
        match self {
            Self::Denied(denial) => {
                container.denied(&denial);
                said(StatusCode::FORBIDDEN, "the gateway has no grant for this")
            }
            Self::Failed(error) => said(status(&error), &error.to_string()),
            Self::Form => said(StatusCode::BAD_REQUEST, "this is a proxy: name the whole URL, or CONNECT"),
            Self::Misdirected => {
                said(StatusCode::MISDIRECTED_REQUEST, "this tunnel leads to another host: see CONNECT")
            }
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

/// An answer of the gateway's own.
pub(super) fn said(status: StatusCode, text: &str) -> Answer {
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
