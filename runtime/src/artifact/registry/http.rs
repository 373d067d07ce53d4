//! HTTP toward registries: where requests may go, and how much may come back.
//!
//! A registry chooses redirects, token endpoints, lengths and speeds; all of them are checked here.
//! Plain http only to hosts that the config names, redirects included. Never to link-local
//! addresses: there is no registry there but the cloud's metadata service is. The caller's
//! authorization does not follow a redirect to another host.

use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use http::{Method, StatusCode};
use tokio::sync::OnceCell;
use url::{Host, Url};

use super::Failure;
use super::Retry;
use crate::artifact::error::ArtifactError;
use crate::artifact::fetch::Timeouts;
use crate::artifact::reference::Reference;

/// Redirects of one request. Registries use one, to their blob storage.
const MAX_REDIRECTS: usize = 5;
/// How we present ourselves.
pub(super) const USER_AGENT: &str = concat!("toolgate/", env!("CARGO_PKG_VERSION"));

/// The client. Built at the first request: reading the system's certificates takes milliseconds
/// that a start without registries need not spend.
#[derive(Debug)]
pub(super) struct Http {
    client: OnceCell<reqwest::Client>,
    plain: Vec<String>,
    timeouts: Timeouts,
}

/// One request.
pub(super) struct Request {
    method: Method,
    url: String,
    pub(super) accept: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Request {
    pub(super) fn new(method: Method, url: String) -> Self {
        let (accept, body) = ("*/*".to_owned(), String::new());
        Self { method, url, accept, headers: HeaderMap::new(), body }
    }
}

/// How long a body may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// A cap of ours.
    AtMost(u64),
    /// As announced by the manifest.
    Exactly(u64),
}

impl Http {
    pub(super) fn new(plain_http: &[String], timeouts: &Timeouts) -> Result<Self, ArtifactError> {
        for host in plain_http {
            // The grammar of a reference knows what a host is.
            if format!("oci://{host}/x").parse::<Reference>().is_err() || host.contains('/') {
                return Err(ArtifactError::Settings(format!(
                    "`{host}` in plain-http is not a host or host:port"
                )));
            }
        }
        let plain = plain_http.iter().map(|host| without_default_port(host).to_owned()).collect();
        Ok(Self { client: OnceCell::new(), plain, timeouts: timeouts.clone() })
    }

    /// `http` for hosts that the config names, otherwise `https`.
    pub(super) fn scheme(&self, host: &str) -> &'static str {
        if self.is_plain(host) { "http" } else { "https" }
    }

    pub(super) fn is_plain(&self, host: &str) -> bool {
        self.plain.iter().any(|plain| plain == without_default_port(host))
    }

    pub(super) fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// Sends a request and follows redirects of a GET. `registry` is named in errors.
    pub(super) async fn send(
        &self,
        mut request: Request,
        registry: &str,
    ) -> Result<reqwest::Response, Failure> {
        let garbage =
            |cause: String| ArtifactError::Garbage { what: format!("the redirect of {registry}"), cause };
        let mut url = Url::parse(&request.url).map_err(|cause| garbage(cause.to_string()))?;
        for _ in 0..=MAX_REDIRECTS {
            self.check(&url, registry)?;
            let response = self.send_to(&url, &request, registry).await?;
            let is_redirect = matches!(
                response.status(),
                StatusCode::MOVED_PERMANENTLY
                    | StatusCode::FOUND
                    | StatusCode::SEE_OTHER
                    | StatusCode::TEMPORARY_REDIRECT
                    | StatusCode::PERMANENT_REDIRECT
            );
            if !is_redirect || request.method != Method::GET {
                return Ok(response);
            }
            let location = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let location = location.ok_or_else(|| garbage("it says not whereto".to_owned()))?;
            let next = url.join(location).map_err(|cause| garbage(cause.to_string()))?;
            if next.origin() != url.origin() {
                request.headers.remove(AUTHORIZATION);
            }
            url = next;
        }
        Err(garbage(format!("it leads on and on, more than {MAX_REDIRECTS} times")).into())
    }

    /// Whether we go there at all.
    fn check(&self, url: &Url, registry: &str) -> Result<(), ArtifactError> {
        let (host, address) = match url.host() {
            Some(Host::Domain(name)) => (name.to_owned(), None),
            Some(Host::Ipv4(v4)) => (v4.to_string(), Some(IpAddr::V4(v4))),
            Some(Host::Ipv6(v6)) => (format!("[{v6}]"), Some(IpAddr::V6(v6))),
            None => (String::new(), None),
        };
        if let Some(address) = address.filter(is_forbidden) {
            return Err(ArtifactError::Unreachable {
                registry: registry.to_owned(),
                cause: format!("{address} is a link-local address, where no registry is"),
            });
        }
        let host = url.port().map_or(host.clone(), |port| format!("{host}:{port}"));
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.is_plain(&host) => Ok(()),
            "http" => Err(ArtifactError::PlainHttp { host }),
            other => Err(ArtifactError::Garbage {
                what: format!("the redirect of {registry}"),
                cause: format!("its scheme is {}", other.chars().take(20).collect::<String>()),
            }),
        }
    }

    async fn send_to(
        &self,
        url: &Url,
        request: &Request,
        registry: &str,
    ) -> Result<reqwest::Response, Failure> {
        let client = self.client().await?;
        let mut builder = client
            .request(request.method.clone(), url.clone())
            .headers(request.headers.clone())
            .body(request.body.clone());
        if let Ok(accept) = HeaderValue::from_str(&request.accept) {
            builder = builder.header(ACCEPT, accept);
        }
        builder.send().await.map_err(|cause| {
            // Refused or unknown will still be so in a moment; a reset may not.
            let retry = if cause.is_connect() || cause.is_timeout() || cause.is_builder() {
                Retry::Never
            } else {
                Retry::Backoff
            };
            Failure { error: network_error(&cause, registry, &self.timeouts), retry }
        })
    }

    async fn client(&self) -> Result<&reqwest::Client, ArtifactError> {
        self.client
            .get_or_try_init(|| async {
                let timeouts = self.timeouts.clone();
                let built = tokio::task::spawn_blocking(move || build(&timeouts)).await;
                match built {
                    Ok(Ok(client)) => Ok(client),
                    Ok(Err(cause)) => Err(no_client(&cause)),
                    Err(cause) => Err(no_client(&cause)),
                }
            })
            .await
    }
}

fn no_client(cause: &(dyn StdError + 'static)) -> ArtifactError {
    ArtifactError::Settings(format!("no HTTP client: {}", innermost(cause)))
}

fn build(timeouts: &Timeouts) -> Result<reqwest::Client, reqwest::Error> {
    install_crypto();
    let mut bundled = Vec::with_capacity(webpki_root_certs::TLS_SERVER_ROOT_CERTS.len());
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        bundled.push(reqwest::Certificate::from_der(certificate)?);
    }
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(timeouts.connect)
        .read_timeout(timeouts.idle)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(Resolver))
        // Besides the system's, so that an image without CA files can still reach registries.
        .tls_certs_merge(bundled)
        .build()
}

/// Chooses the crypto of every TLS connection of the process that has no own choice.
pub(super) fn install_crypto() {
    // An error means that one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Resolves names, without addresses where no registry is.
struct Resolver;

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let usable: Vec<SocketAddr> = found.filter(|address| !is_forbidden(&address.ip())).collect();
            if usable.is_empty() {
                return Err("it has no address other than link-local ones".into());
            }
            Ok(Box::new(usable.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

/// Link-local addresses, among them the clouds' metadata services, and the IPv6 one of AWS.
fn is_forbidden(address: &IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_unspecified() || v4.is_multicast(),
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local()
                || v6.is_multicast()
                || v6.is_unspecified()
                || v6.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
        }
    }
}

fn without_default_port(host: &str) -> &str {
    host.strip_suffix(":80").unwrap_or(host)
}

/// Reads a body within its limit. `idle` is the timeout that the client was built with.
pub(super) async fn body(
    mut response: reqwest::Response,
    limit: Limit,
    what: &str,
    registry: &str,
    idle: Duration,
) -> Result<Bytes, ArtifactError> {
    let (Limit::AtMost(cap) | Limit::Exactly(cap)) = limit;
    let beyond = |actual: u64| match limit {
        Limit::AtMost(limit) => ArtifactError::Bloated { what: what.to_owned(), limit },
        Limit::Exactly(expected) => ArtifactError::Length { what: what.to_owned(), expected, actual },
    };
    if let Some(length) = response.content_length().filter(|length| *length > cap) {
        return Err(beyond(length));
    }
    let mut received = BytesMut::new();
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(cause) if cause.is_timeout() => {
                return Err(ArtifactError::Timeout {
                    registry: registry.to_owned(),
                    step: "to send data",
                    after: idle,
                });
            }
            Err(_) => {
                let actual = received.len() as u64;
                return Err(ArtifactError::Truncated { what: what.to_owned(), actual });
            }
        };
        let length = (received.len() + chunk.len()) as u64;
        if length > cap {
            return Err(beyond(length));
        }
        received.extend_from_slice(&chunk);
    }
    match limit {
        Limit::Exactly(expected) if (received.len() as u64) < expected => Err(beyond(received.len() as u64)),
        _ => Ok(received.freeze()),
    }
}

/// What a failed request means.
pub(super) fn network_error(cause: &reqwest::Error, registry: &str, timeouts: &Timeouts) -> ArtifactError {
    let registry = registry.to_owned();
    if cause.is_timeout() {
        let (step, after) =
            if cause.is_connect() { ("to connect", timeouts.connect) } else { ("to answer", timeouts.idle) };
        return ArtifactError::Timeout { registry, step, after };
    }
    if cause.is_connect() && speaks_plain_http(cause) {
        return ArtifactError::PlainHttp { host: registry };
    }
    ArtifactError::Unreachable { registry, cause: innermost(cause) }
}

/// The root of a chain of errors, which says the most: `Connection refused (os error 111)`.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// Whether TLS failed because what came back is no TLS.
fn speaks_plain_http(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        // An io::Error hides what it wraps from `source`.
        let inner = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .map(|inner| inner as &(dyn StdError + 'static));
        let tls = inner.unwrap_or(error).downcast_ref::<rustls::Error>();
        if let Some(rustls::Error::InvalidMessage(_)) = tls {
            return true;
        }
        next = inner.or_else(|| error.source());
    }
    false
}
