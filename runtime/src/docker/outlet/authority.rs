//! A certificate authority of a server's own, by which TLS of its containers ends at the gateway. Its key is
//! nowhere but in memory, and it is trusted by those containers alone.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use crate::egress::EgressOptions;
use crate::policy::Host;

/// Before now, against clocks that differ.
const BEFORE: Duration = Duration::from_secs(24 * 60 * 60);

/// Of the authority; a server is prepared anew far more often.
const YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Of a host's certificate, which is for one connection.
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Characters of a line in PEM, RFC 7468 section 2.
const LINE: usize = 64;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum CertificateError {
    /// It can't be made.
    #[error("a certificate can't be made: {0}")]
    Make(#[from] rcgen::Error),
    /// It can't be used.
    #[error("a certificate can't be used: {0}")]
    Use(#[from] rustls::Error),
}

/// An authority, which certifies hosts.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl Authority {
    /// A new one, named for a server.
    pub(super) fn new(server: &str) -> Result<Self, CertificateError> {
        let mut params = params(YEARS, &format!("Toolgate, for the server {server}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.der().clone();
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// What makes TLS end here that is meant for `host`: a certificate and its key, both new.
    pub(super) fn certify(&self, host: &Host) -> Result<Arc<ServerConfig>, CertificateError> {
        let mut params = params(WEEK, "Toolgate");
        params.subject_alt_names = CertificateParams::new([host.bare()])?.subject_alt_names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.der().clone();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(vec![certificate], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Whom containers trust: itself, and all that the gateway trusts, in PEM. Many clients read one file and
    /// nothing else, and not all of their connections end at the gateway.
    pub(super) fn bundle(&self, options: &EgressOptions) -> String {
        let extra = options.extra_ca.iter().filter_map(|path| CertificateDer::pem_file_iter(path).ok());
        // One that can't be read was refused when the gateway started.
        let extra: Vec<CertificateDer<'_>> = extra.flatten().flatten().collect();
        let all = std::iter::once(&self.certificate).chain(&extra).chain(TLS_SERVER_ROOT_CERTS);
        all.map(|certificate| pem(certificate)).collect()
    }
}

fn params(validity: Duration, name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    let now = SystemTime::now();
    params.not_before = (now - BEFORE).into();
    params.not_after = (now + validity).into();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn pem(certificate: &[u8]) -> String {
    let encoded = BASE64_STANDARD.encode(certificate);
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};

    use super::*;

    /// Whether a client that trusts `bundle` would speak with whoever has `config` as `name`.
    fn is_taken(bundle: &str, config: &Arc<ServerConfig>, name: &str) -> bool {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
        let mut server = ServerConnection::new(Arc::clone(config)).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut bytes = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut bytes).unwrap();
            }
            server.read_tls(&mut bytes.as_slice()).unwrap();
            if server.process_new_packets().is_err() {
                return false;
            }
            let mut bytes = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut bytes).unwrap();
            }
            client.read_tls(&mut bytes.as_slice()).unwrap();
            // What it does not take it tells the server, too.
            drop(client.process_new_packets());
        }
        true
    }

    #[test]
    fn a_host_is_certified_for_those_who_trust_the_bundle_and_for_no_other_name() {
        let authority = Authority::new("time").unwrap();
        let bundle = authority.bundle(&EgressOptions::default());
        assert_eq!(bundle.matches("BEGIN").count(), TLS_SERVER_ROOT_CERTS.len() + 1);
        for (host, other) in
            [("api.example.com", "example.com"), ("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")]
        {
            let shown = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            let config = authority.certify(&Host::parse(&shown).unwrap()).unwrap();
            assert!(is_taken(&bundle, &config, host), "{host}");
            assert!(!is_taken(&bundle, &config, other), "{other}");
        }
        let config =
            Authority::new("time").unwrap().certify(&Host::parse("api.example.com").unwrap()).unwrap();
        assert!(!is_taken(&bundle, &config, "api.example.com"), "of another server's authority");
    }
}
