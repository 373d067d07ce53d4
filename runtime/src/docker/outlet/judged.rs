//! A tunnel whose TLS ends at the gateway, because grants are for some requests of its origin or a secret is
//! added to them: each request in it is judged and sent as one that names `https` itself.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use http::Request;
use http::header::HOST;
use http::uri::{Authority, Scheme};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Shared;
use super::exchange::{self, Answer, EXCHANGE, Refusal};
use crate::docker::output::Output;
use crate::policy::{Exit, Target};

type Stream = TlsStream<TokioIo<Upgraded>>;

/// A tunnel of a container.
pub(super) struct Judged {
    pub(super) exit: Exit,
    pub(super) shared: Arc<Shared>,
    pub(super) container: Arc<Output>,
}

impl Judged {
    /// Serves it to its end.
    pub(super) async fn serve(self, client: Upgraded, config: Arc<ServerConfig>) {
        let limit = self.shared.egress.options().tls_timeout;
        match timeout(limit, TlsAcceptor::from(config).accept(TokioIo::new(client))).await {
            Ok(Ok(stream)) => Arc::new(self).answer_all(stream).await,
            Ok(Err(error)) => self.not_taken(&error),
            Err(_) => {}
        }
    }

    /// A client that says why it goes is one whose operator has something to do.
    fn not_taken(&self, error: &std::io::Error) {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::AlertReceived(alert)) = inner {
            let denial = self.exit.denied_by_client(&self.shared.policy.grants, &format!("{alert:?}"));
            self.container.denied(&denial);
        }
    }

    /// Answers requests until there are no more, or for so long; the last of them may take as long again.
    async fn answer_all(self: Arc<Self>, stream: Stream) {
        let reader = exchange::reader(self.shared.egress.options());
        let service = service_fn(move |request| {
            let tunnel = Arc::clone(&self);
            async move { Ok::<_, Infallible>(tunnel.answer(request).await) }
        });
        let mut connection = pin!(reader.serve_connection(TokioIo::new(stream), service));
        if timeout(EXCHANGE, connection.as_mut()).await.is_err() {
            connection.as_mut().graceful_shutdown();
            drop(timeout(EXCHANGE, connection).await);
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let answered = async {
            let target = target(&self.exit, &request)?;
            exchange::pass_on(&target, request, &self.shared).await
        };
        answered.await.unwrap_or_else(|refusal| refusal.answer(&self.container))
    }
}

/// What a request is for, RFC 9112 section 3.3. Its host is the tunnel's, as no other was asked for.
fn target<B>(exit: &Exit, request: &Request<B>) -> Result<Target, Refusal> {
    let uri = request.uri();
    if uri.scheme().is_some_and(|scheme| *scheme != Scheme::HTTPS) {
        return Err(Refusal::Misdirected);
    }
    let fields = request.headers().get_all(HOST).iter();
    let fields = fields.map(|host| host.to_str().unwrap_or_default());
    let mut named = uri.authority().map(Authority::as_str).into_iter().chain(fields);
    if !named.all(|name| exit.is_called(name)) {
        return Err(Refusal::Misdirected);
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Ok(Target::parse(request.method().as_str(), &format!("{}{path}", exit.origin()))?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    fn read(uri: &str, hosts: &[&[u8]]) -> Result<String, Refusal> {
        let mut request = Request::builder().uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let exit = Exit::parse("api.example.com:443").unwrap();
        target(&exit, &request.body(()).unwrap()).map(|target| target.to_string())
    }

    #[test]
    fn a_request_is_for_the_host_of_its_tunnel_whatever_it_says() {
        let own: &[u8] = b"api.example.com";
        for (uri, hosts) in [
            ("/v1/x?q", vec![own]),
            ("/v1/x", vec![]),
            ("/v1/x", vec![b"API.example.com:443".as_slice()]),
            ("https://api.example.com/v1/x", vec![own]),
        ] {
            let read = read(uri, &hosts).ok().unwrap();
            assert_eq!(read, "GET https://api.example.com/v1/x", "{uri}");
        }
        for (uri, hosts) in [
            ("/v1/x", vec![b"example.com".as_slice()]),
            ("/v1/x", vec![own, b"example.com".as_slice()]),
            ("/v1/x", vec![b"api.example.com:80".as_slice()]),
            ("/v1/x", vec![b"api.example.com/v2?".as_slice()]),
            ("/v1/x", vec![b"api.example.com\xff".as_slice()]),
            ("/v1/x", vec![b"".as_slice()]),
            ("https://example.com/v1/x", vec![own]),
            ("http://api.example.com/v1/x", vec![own]),
            ("https://api.example.com:8443/v1/x", vec![own]),
            ("https://x@api.example.com/v1/x", vec![own]),
        ] {
            assert!(matches!(read(uri, &hosts), Err(Refusal::Misdirected)), "{uri} {hosts:?}");
        }
        assert!(matches!(read("/v1/%2e%2e%2fv2", &[own]), Err(Refusal::Denied(_))));
    }
}
