//! `http`: outgoing requests to what the policy grants.
//!
//! Every request, also the next one after a redirect, is judged by the grants and sent through
//! egress, which connects to what was judged, with the secrets that are bound to its origin.
//! wasmtime's own client is not built in. A guest reads `HTTP-request-denied` where no grant covers
//! a request, `destination-IP-prohibited` where the granted host resolves to an address that the
//! grant does not name, and `configuration-error` where a secret for the request can't be had.

use std::sync::Arc;

use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, IoError};
use wasmtime_wasi_http::{Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpCtx};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use super::Denials;
use crate::egress::{self, Egress, EgressError, Step, Timeouts};
use crate::events::Denial;
use crate::policy::header::is_forbidden;
use crate::policy::http::denied_address;
use crate::policy::{Networks, Policy, Target};
use crate::wasm::descriptors::{Descriptor, Descriptors};
use crate::wasm::state::State;

/// Requests of one call that are sent and not fully read. Against a guest that takes all sockets.
const MAX_REQUESTS: usize = 32;
/// Bytes of one `fields` resource, of which a call has as many as `limits.handles`.
const MAX_FIELDS: usize = 64 * 1024;
/// As wasmtime-wasi-http defines it.
const TYPES: &str = "wasi:http/types@0.2.12";
/// Bytes of a request body that are buffered here per request, in one chunk.
const CHUNK: usize = 64 * 1024;

/// The state of one call.
pub(in crate::wasm) struct Http {
    ctx: WasiHttpCtx,
    hooks: Hooks,
}

impl Http {
    pub(in crate::wasm) fn new(
        policy: &Arc<Policy>,
        egress: &Arc<Egress>,
        descriptors: Descriptors,
        denials: Denials,
    ) -> Self {
        let mut ctx = WasiHttpCtx::new();
        ctx.set_field_size_limit(MAX_FIELDS);
        let requests = Arc::new(Semaphore::new(MAX_REQUESTS));
        let (policy, egress) = (policy.clone(), egress.clone());
        let hooks = Hooks { policy, egress, of_call: None, denials, requests, descriptors };
        Self { ctx, hooks }
    }
}

/// Links `wasi:http`. Its `http-error-code` is our own: wasmtime-wasi-http's looks for another type
/// than the one that the errors of bodies have, and never finds any.
pub(in crate::wasm) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    linker.instance(TYPES)?.func_wrap("http-error-code", http_error_code)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn http_error_code(
    store: StoreContextMut<'_, State>,
    (error,): (Resource<IoError>,),
) -> wasmtime::Result<(Option<ErrorCode>,)> {
    let error = store.data().table.get(&error)?;
    let of_body = || error.downcast_ref().and_then(code_of_body);
    Ok((error.downcast_ref::<ErrorCode>().cloned().or_else(of_body),))
}

/// The errors that [`readable`] makes of what can happen to a body.
fn code_of_body(error: &Error) -> Option<ErrorCode> {
    Some(match error {
        Error::ConnectionReadTimeout => ErrorCode::ConnectionReadTimeout,
        Error::HttpResponseBodySize(limit) => ErrorCode::HttpResponseBodySize(*limit),
        Error::HttpResponseIncomplete => ErrorCode::HttpResponseIncomplete,
        Error::HttpProtocolError => ErrorCode::HttpProtocolError,
        _ => return None,
    })
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.http.hooks, table: &mut self.table, ctx: &mut self.http.ctx }
    }
}

struct Hooks {
    policy: Arc<Policy>,
    egress: Arc<Egress>,
    /// The same for this call, made for its first request.
    of_call: Option<Egress>,
    denials: Denials,
    requests: Arc<Semaphore>,
    descriptors: Descriptors,
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answer = Result<(http::Response<WasiBody>, Io), Error>;

impl WasiHttpHooks for Hooks {
    fn is_forbidden_header(&mut self, name: &http::HeaderName) -> bool {
        is_forbidden(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_forbidden)
    }

    /// Egress sets it, to what was judged.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Answer> + Send> {
        match self.judge(&request) {
            Ok(allowed) => Box::new(allowed.send(request, options.unwrap_or_default())),
            Err(error) => Box::new(async { Err(error) }),
        }
    }
}

impl Hooks {
    fn judge(&mut self, request: &http::Request<WasiBody>) -> Result<Allowed, Error> {
        let judged = Target::of(request.method(), request.uri()).and_then(|target| {
            let networks = self.policy.grants.allow_http(&target)?.networks().clone();
            Ok((target, networks))
        });
        let (target, networks) = judged.map_err(|denial| {
            self.denials.tell(&denial);
            Error::HttpRequestDenied
        })?;
        let permit = Arc::clone(&self.requests).try_acquire_owned();
        let permit = permit.map_err(|_| Error::ConnectionLimitReached)?;
        let permit = Permit { _request: permit, _descriptor: self.descriptor(&target)? };
        let egress = self.of_call.get_or_insert_with(|| self.egress.for_call()).clone();
        let (policy, denials) = (self.policy.clone(), self.denials.clone());
        Ok(Allowed { target, networks, permit, policy, egress, denials })
    }

    fn descriptor(&self, target: &Target) -> Result<Descriptor, Error> {
        self.descriptors.take().ok_or_else(|| {
            let (attempt, reason) = (target.to_string(), self.descriptors.spent());
            self.denials.tell(&Denial { capability: "http", attempt, reason, allow: None });
            Error::ConnectionLimitReached
        })
    }
}

/// What a request holds until its response was read.
struct Permit {
    _request: OwnedSemaphorePermit,
    _descriptor: Descriptor,
}

/// A request that a grant covers; what is left to judge are the addresses of its host.
struct Allowed {
    target: Target,
    networks: Networks,
    permit: Permit,
    policy: Arc<Policy>,
    egress: Egress,
    denials: Denials,
}

impl Allowed {
    async fn send(self, request: http::Request<WasiBody>, options: RequestOptions) -> Answer {
        let timeouts = Timeouts {
            connect: options.connect_timeout,
            first_byte: options.first_byte_timeout,
            between_bytes: options.between_bytes_timeout,
        };
        let secrets = egress::secrets_for(&self.policy.grants, &self.target).await;
        let secrets = secrets.map_err(|denial| {
            self.denials.tell(&denial);
            Error::ConfigurationError
        })?;
        let sent = self.egress.send(&self.target, &self.networks, request, &secrets, timeouts).await;
        let response = sent.map_err(|error| {
            if let EgressError::Address { ip, .. } = &error {
                self.denials.tell(&denied_address(&self.target, *ip));
            }
            readable(error)
        })?;
        let permit = self.permit;
        let response = response.map(|body| {
            let held = body.map_err(move |error| {
                let _until_the_body_is_dropped = &permit;
                readable(error)
            });
            held.boxed_unsync()
        });
        Ok((response, Box::new(async { Ok(()) })))
    }
}

/// What the guest reads. Nothing in it says more than the guest could know.
fn readable(error: EgressError) -> Error {
    match error {
        EgressError::Address { .. } => Error::DestinationIpProhibited,
        EgressError::Resolve { .. } => {
            Error::DnsError { rcode: Some("address not available".to_owned()), info_code: None }
        }
        EgressError::Timeout { what, .. } => match what {
            Step::Resolve => Error::DnsTimeout,
            Step::Connect | Step::Handshake => Error::ConnectionTimeout,
            Step::FirstByte => Error::HttpResponseTimeout,
            Step::BetweenBytes => Error::ConnectionReadTimeout,
        },
        EgressError::Connect { .. } => Error::ConnectionRefused,
        EgressError::Tls { .. } => Error::TlsProtocolError,
        EgressError::Certificate { .. } => Error::TlsCertificateError,
        EgressError::Request(_) => Error::HttpRequestUriInvalid,
        EgressError::RequestHeaders { .. } => Error::HttpRequestHeaderSectionSize(None),
        EgressError::RequestBody { limit } => Error::HttpRequestBodySize(Some(limit)),
        EgressError::ResponseHeaders { .. } => Error::HttpResponseHeaderSectionSize(None),
        EgressError::ResponseBody { limit } => Error::HttpResponseBodySize(Some(limit)),
        EgressError::Encoded { coding } => Error::HttpResponseContentCoding(Some(coding)),
        EgressError::Incomplete(_) => Error::HttpResponseIncomplete,
        EgressError::Protocol(_) | EgressError::Exchange(_) => Error::HttpProtocolError,
        EgressError::Upgrade => Error::HttpUpgradeFailed,
        EgressError::Authorities { .. } => Error::ConfigurationError,
    }
}
