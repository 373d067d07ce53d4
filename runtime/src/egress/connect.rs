//! TCP to a judged address, and TLS with the granted name on top.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::Step;
use super::{Egress, EgressError};
use crate::policy::{Host, Networks};

/// The TLS client: public authorities and those of `extra_ca`, TLS 1.2 and 1.3, no client
/// certificate.
pub(super) fn tls(extra_ca: Option<&Path>) -> Result<TlsConnector, EgressError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = extra_ca {
        trust(&mut roots, path).map_err(|cause| EgressError::Authorities { path: path.to_owned(), cause })?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn trust(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let mut found = 0;
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())? {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
        found += 1;
    }
    if found == 0 {
        return Err("it holds no certificate".to_owned());
    }
    Ok(())
}

impl Egress {
    /// Connects to a host by one of its judged addresses.
    ///
    /// # Errors
    /// What went wrong with resolving, or with the last address tried.
    pub async fn connect(
        &self,
        host: &Host,
        port: u16,
        networks: &Networks,
        limit: Duration,
    ) -> Result<TcpStream, EgressError> {
        let addresses = self.resolve(host, networks).await?;
        let stream = first_to_accept(host, &addresses, port, limit).await?;
        // A peer that delays its acknowledgements would otherwise stall small writes for 40 ms.
        stream.set_nodelay(true).map_err(|source| refused(host, source))?;
        Ok(stream)
    }

    /// Speaks TLS on a connection; the certificate must be for `host`.
    pub(super) async fn handshake(
        &self,
        host: &Host,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, EgressError> {
        let name = match host {
            Host::Ip(ip) => ServerName::IpAddress((*ip).into()),
            Host::Name(name) => ServerName::try_from(name.clone())
                .map_err(|_| EgressError::Request("the host can't be in a certificate"))?,
        };
        let limit = self.options.tls_timeout;
        match timeout(limit, self.tls.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(handshake_error(host, error)),
            Err(_) => Err(EgressError::Timeout { what: Step::Handshake, limit }),
        }
    }
}

/// Tries addresses in order. Each gets its share of the time that is left, so that one black hole
/// does not use up what the others need.
async fn first_to_accept(
    host: &Host,
    addresses: &[IpAddr],
    port: u16,
    limit: Duration,
) -> Result<TcpStream, EgressError> {
    let end = Instant::now() + limit;
    let mut last = EgressError::Timeout { what: Step::Connect, limit };
    for (tried, ip) in (0u32..).zip(addresses) {
        let left = u32::try_from(addresses.len()).unwrap_or(u32::MAX) - tried;
        let share = end.saturating_duration_since(Instant::now()) / left;
        let attempt = TcpStream::connect(SocketAddr::new(*ip, port));
        match timeout_at(Instant::now() + share, attempt).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(source)) => last = refused(host, source),
            Err(_) => {}
        }
    }
    Err(last)
}

fn refused(host: &Host, source: std::io::Error) -> EgressError {
    EgressError::Connect { host: host.to_string(), source }
}

fn handshake_error(host: &Host, error: std::io::Error) -> EgressError {
    let host = host.to_string();
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
    match inner {
        Some(source @ rustls::Error::InvalidCertificate(_)) => {
            EgressError::Certificate { host, source: source.clone() }
        }
        _ => EgressError::Tls { host, source: error },
    }
}
