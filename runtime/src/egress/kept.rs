//! Connections to one place that are kept for the next request there: to a server that the operator has named, and not
//! to what a guest asks for, so there is nobody to be kept apart.
//!
//! As with [`Egress::send`] addresses are judged at each connection, redirects are not followed, and secrets are added last
//! and hidden in what comes back. How long an answer may take, and how much of its body is read, is for whoever asks.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use http_body_util::BodyExt as _;
use reqwest::dns::{Addrs, Name, Resolving};

use super::{Egress, EgressError, headers, hide};
use crate::policy::{BoundSecret, Host, Networks, Target};
use crate::secret::Mask;

/// Connections without a request that are kept. Calls of one server come in crowds.
const MAX_IDLE: usize = 32;

/// How long one is kept. Some servers end them after five seconds, and a request that meets such an end can't be sent
/// again.
const IDLE: Duration = Duration::from_secs(4);

/// A place, and the connections to it.
pub(crate) struct Kept {
    egress: Egress,
    client: reqwest::Client,
    target: Target,
    url: String,
}

/// The body of a response, piece by piece. Dropped before its end, its connection is closed.
pub(crate) struct Pieces {
    body: reqwest::Body,
    mask: Option<Mask>,
}

/// Names to judged addresses, for the client.
struct Judged {
    egress: Egress,
    networks: Networks,
}

impl reqwest::dns::Resolve for Judged {
    fn resolve(&self, name: Name) -> Resolving {
        let (egress, networks, host) =
            (self.egress.clone(), self.networks.clone(), Host::parse(name.as_str()));
        Box::pin(async move {
            let addresses = egress.resolve(&host?, &networks).await?;
            let addresses: Vec<_> = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

impl Egress {
    /// Connections to that URL, of which `target` is what policy has judged.
    ///
    /// # Errors
    /// If there can be no client.
    pub(crate) fn keep(&self, target: Target, url: &str, networks: Networks) -> Result<Kept, EgressError> {
        let egress = self.for_server();
        let client = reqwest::Client::builder()
            .connect_timeout(self.options.connect_timeout + self.options.tls_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .pool_max_idle_per_host(MAX_IDLE)
            .pool_idle_timeout(IDLE)
            .tls_backend_preconfigured(self.tls.config().as_ref().clone())
            .dns_resolver(Arc::new(Judged { egress: egress.clone(), networks }))
            .build();
        let client = client.map_err(|error| failed(&error))?;
        Ok(Kept { egress, client, target, url: url.to_owned() })
    }
}

impl Kept {
    /// Where they lead.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Sends a request, with secrets in its header section.
    ///
    /// # Errors
    /// Any step that failed. Nothing is sent twice that may have come through.
    pub(crate) async fn send(
        &self,
        method: Method,
        headers: &HeaderMap,
        body: Bytes,
        secrets: &[BoundSecret],
    ) -> Result<Response<Pieces>, EgressError> {
        if secrets.iter().any(|secret| !secret.is_for(&self.target)) {
            return Err(EgressError::Request("a secret is bound to another origin"));
        }
        let headers = headers::outgoing(headers, &self.target.authority(), secrets, &self.egress.options)?;
        let request = self.client.request(method, &self.url).headers(headers).body(body);
        let response = request.send().await.map_err(|error| failed(&error))?;
        let (response, mask) = hide::in_head(Response::from(response), secrets)?;
        Ok(response.map(|body| Pieces { body, mask }))
    }
}

impl Pieces {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// If the connection ends before that.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, EgressError> {
        while let Some(frame) = self.body.frame().await {
            let Ok(data) = frame.map_err(|error| failed(&error))?.into_data() else { continue };
            let data = self.mask.as_mut().map_or_else(|| data.clone(), |mask| mask.feed(&data));
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
        let rest = self.mask.take().map(|mut mask| mask.finish());
        Ok(rest.filter(|rest| !rest.is_empty()))
    }
}

/// The innermost reason says what is wrong, and no URL with it.
fn failed(error: &reqwest::Error) -> EgressError {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    if let Some(EgressError::Address { host, ip }) = innermost.downcast_ref() {
        return EgressError::Address { host: host.clone(), ip: *ip };
    }
    EgressError::Exchange(if error.is_timeout() && error.is_connect() {
        "connecting took too long".to_owned()
    } else {
        innermost.to_string()
    })
}
