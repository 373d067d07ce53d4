//! One HTTP/1.1 request, on a connection of its own.
//!
//! A connection per request keeps calls apart: no guest sees what another left in a stream. What
//! a pool would share is behind [`Egress::open`], and nothing else would change.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{PathAndQuery, Uri};
use http::{Request, Response, StatusCode};
use http_body_util::{LengthLimitError, Limited};
use hyper::body::Body;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::body::Connection;
use super::error::Step;
use super::options::MIN_HEADER_BYTES;
use super::{Egress, EgressError, ResponseBody, headers, hide};
use crate::policy::{BoundSecret, Networks, Scheme, Target};

/// Times that a guest asks for. They shorten the operator's limits, never lengthen them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timeouts {
    /// For the TCP connection.
    pub connect: Option<Duration>,
    /// From request to response headers.
    pub first_byte: Option<Duration>,
    /// Between two pieces of the body.
    pub between_bytes: Option<Duration>,
}

/// What bodies of requests fail with.
type BoxError = Box<dyn Error + Send + Sync>;

type Sender<B> = http1::SendRequest<Limited<B>>;

impl Egress {
    /// Sends a request that policy has allowed: to `target`, at an address that is public or in
    /// `networks`, with `secrets` in its header section. Of `request`, method and URI host are
    /// ignored; `target` has them. In the response, the secrets are hidden.
    ///
    /// # Errors
    /// Any step that failed or exceeded its limit. Nothing is retried.
    pub async fn send<B>(
        &self,
        target: &Target,
        networks: &Networks,
        request: Request<B>,
        secrets: &[BoundSecret],
        timeouts: Timeouts,
    ) -> Result<Response<ResponseBody>, EgressError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let request = self.on_the_wire(target, request, secrets)?;
        let connect = shorter(timeouts.connect, self.options.connect_timeout);
        let (mut sender, connection) = self.open(target, networks, connect).await?;
        let limit = shorter(timeouts.first_byte, self.options.first_byte_timeout);
        let response = match timeout(limit, sender.send_request(request)).await {
            Ok(response) => response.map_err(|error| self.failed(error))?,
            Err(_) => {
                let what = Step::FirstByte;
                return Err(EgressError::Timeout { what, limit });
            }
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(EgressError::Upgrade);
        }
        let (response, mask) = hide::in_head(response, secrets)?;
        let between = shorter(timeouts.between_bytes, self.options.between_bytes_timeout);
        let limit = self.options.max_response_body;
        Ok(response.map(|body| ResponseBody::new(body, limit, between, mask, connection)))
    }

    /// The request in origin form, with our header section and a bounded body.
    fn on_the_wire<B>(
        &self,
        target: &Target,
        request: Request<B>,
        secrets: &[BoundSecret],
    ) -> Result<Request<Limited<B>>, EgressError> {
        // The second wall: whoever chose the secrets has looked at this as well.
        if secrets.iter().any(|secret| !secret.is_for(target)) {
            return Err(EgressError::Request("a secret is bound to another origin"));
        }
        let (theirs, body) = request.into_parts();
        let limit = usize::try_from(self.options.max_request_body).unwrap_or(usize::MAX);
        let mut ours = Request::new(Limited::new(body, limit));
        *ours.method_mut() =
            target.method().parse().map_err(|_| EgressError::Request("the method is not valid"))?;
        let path = theirs.uri.into_parts().path_and_query;
        *ours.uri_mut() = Uri::from(path.unwrap_or(PathAndQuery::from_static("/")));
        *ours.headers_mut() =
            headers::outgoing(&theirs.headers, &target.authority(), secrets, &self.options)?;
        Ok(ours)
    }

    /// A connection that is ready for a request.
    async fn open<B>(
        &self,
        target: &Target,
        networks: &Networks,
        limit: Duration,
    ) -> Result<(Sender<B>, Connection), EgressError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (host, port) = (target.host(), target.port());
        let stream = self.connect(host, port, networks, limit).await?;
        match target.scheme() {
            Scheme::Http => self.speak(stream).await,
            Scheme::Https => self.speak(self.handshake(host, stream).await?).await,
        }
    }

    async fn speak<B, S>(&self, stream: S) -> Result<(Sender<B>, Connection), EgressError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(self.options.max_header_bytes.max(MIN_HEADER_BYTES))
            .max_headers(self.options.max_headers)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(EgressError::Protocol)?;
        // Its errors reach the reader of the response as well.
        let task = tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok((sender, Connection::new(task.abort_handle())))
    }

    /// What a failure before the response means.
    fn failed(&self, error: hyper::Error) -> EgressError {
        if error.is_parse_too_large() {
            return EgressError::ResponseHeaders {
                limit: self.options.max_header_bytes,
                fields: self.options.max_headers,
            };
        }
        let cause = error.source();
        if cause.is_some_and(|cause| cause.is::<LengthLimitError>()) {
            return EgressError::RequestBody { limit: self.options.max_request_body };
        }
        broken(error)
    }
}

/// What a failure of the connection means.
pub(super) fn broken(error: hyper::Error) -> EgressError {
    if error.is_incomplete_message() || error.is_closed() || error.is_body_write_aborted() {
        return EgressError::Incomplete(error);
    }
    let cause = error.source().and_then(|e| e.downcast_ref::<std::io::Error>());
    match cause {
        Some(_) => EgressError::Incomplete(error),
        None => EgressError::Protocol(error),
    }
}

fn shorter(asked: Option<Duration>, limit: Duration) -> Duration {
    asked.map_or(limit, |asked| asked.min(limit))
}
