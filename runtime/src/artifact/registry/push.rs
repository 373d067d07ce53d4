//! Publishing to a registry, through oci-distribution.
//!
//! The sign-in is done by the session before, and handed over as a token; so the library asks
//! nobody for credentials. Blobs that are there already are not sent again. Nothing is retried: the
//! person who pushes sees the error. The library reads whole answers and follows redirects as it
//! likes, so only the deadline bounds what a registry that one pushes to may send.

use std::convert::Infallible;

use ::http::{Method, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyDataStream, BodyExt as _, Full};
use oci_distribution::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_distribution::errors::OciDistributionError;
use oci_distribution::token_cache::{RegistryToken, RegistryTokenType};
use oci_distribution::{Client, Reference, RegistryOperation};

use super::auth::Authorization;
use super::http::{USER_AGENT, install_crypto, network_error};
use super::{Session, host};
use crate::artifact::error::ArtifactError;
use crate::artifact::format::{Blob, MANIFEST, Packed};
use crate::artifact::reference::DEFAULT_TAG;

/// How long a token is used whose own end can't be read, in seconds; longer than any push.
const TOKEN_LIFE: usize = 3600;
/// Longest part of a registry's answer that is shown.
const MAX_DETAIL: usize = 300;

impl Session<'_> {
    /// Publishes a component under the tag of the reference.
    pub(in crate::artifact) async fn push(&self, packed: &Packed) -> Result<(), ArtifactError> {
        self.within_deadline(async {
            let response = self.send(Method::GET, "/v2/").await.map_err(|failure| failure.error)?;
            if response.status() == StatusCode::UNAUTHORIZED {
                self.check(&response, "its API")?;
            }
            let image = Reference::with_tag(
                self.registry().to_owned(),
                self.reference.repository().to_owned(),
                self.reference.tag().unwrap_or(DEFAULT_TAG).to_owned(),
            );
            let client = self.client()?;
            self.hand_over(&client, &image).await;
            for blob in [&packed.layer, &packed.config] {
                self.push_blob(&client, &image, blob).await?;
            }
            let kind = ::http::HeaderValue::from_static(MANIFEST);
            let manifest = packed.manifest.bytes.clone();
            let pushed = client.push_manifest_raw(&image, manifest, kind).await;
            pushed.map_err(|cause| self.explain(cause, "the manifest"))?;
            Ok(())
        })
        .await
    }

    fn client(&self) -> Result<Client, ArtifactError> {
        install_crypto();
        let http = &self.registries.http;
        let registry = host(self.registry()).to_owned();
        let protocol = if http.is_plain(&registry) {
            ClientProtocol::HttpsExcept(vec![registry])
        } else {
            ClientProtocol::Https
        };
        let bundled = webpki_root_certs::TLS_SERVER_ROOT_CERTS
            .iter()
            .map(|der| Certificate { encoding: CertificateEncoding::Der, data: der.to_vec() });
        Client::try_from(ClientConfig {
            protocol,
            extra_root_certificates: bundled.collect(),
            // One request a blob, which every registry takes; chunks some do not.
            use_monolithic_push: true,
            platform_resolver: None,
            default_token_expiration_secs: TOKEN_LIFE,
            // It counts from the request, so an upload is part of it.
            read_timeout: Some(http.timeouts().total),
            connect_timeout: Some(http.timeouts().connect),
            user_agent: USER_AGENT,
            ..ClientConfig::default()
        })
        .map_err(|cause| ArtifactError::Settings(format!("no HTTP client: {cause}")))
    }

    /// Gives the client our authorization, for all that it will do.
    async fn hand_over(&self, client: &Client, image: &Reference) {
        let token = match self.authorization() {
            Some(Authorization::Basic { user, password }) => RegistryTokenType::Basic(user, password),
            Some(Authorization::Bearer { token, .. }) => {
                RegistryTokenType::Bearer(RegistryToken::Token { token })
            }
            None => return,
        };
        // It only looks for a token of a registry that it has been told about.
        let anonymous = oci_distribution::secrets::RegistryAuth::Anonymous;
        client.store_auth_if_needed(image.resolve_registry(), &anonymous).await;
        client.tokens.insert(image, RegistryOperation::Pull, token.clone()).await;
        client.tokens.insert(image, RegistryOperation::Push, token).await;
    }

    async fn push_blob(&self, client: &Client, image: &Reference, blob: &Blob) -> Result<(), ArtifactError> {
        let digest = blob.digest.to_string();
        let what = format!("blob {digest}");
        let there = client.blob_exists(image, &digest).await;
        if there.map_err(|cause| self.explain(cause, &what))? {
            return Ok(());
        }
        let content = Full::new(Bytes::clone(&blob.bytes)).map_err(|never: Infallible| match never {});
        let (content, size) = (BodyDataStream::new(content), blob.bytes.len() as u64);
        let sent = client.push_blob_stream(image, content, &digest, Some(size)).await;
        sent.map(drop).map_err(|cause| self.explain(cause, &what))
    }

    /// Says the library's errors in our words.
    fn explain(&self, cause: OciDistributionError, what: &str) -> ArtifactError {
        let timeouts = self.registries.http.timeouts();
        match cause {
            OciDistributionError::ServerError { code, message, .. } => {
                let status = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST);
                self.refusal(status, None, what, shown(&message))
            }
            OciDistributionError::UnauthorizedError { .. }
            | OciDistributionError::AuthenticationFailure(_) => {
                self.refusal(StatusCode::UNAUTHORIZED, None, what, String::new())
            }
            OciDistributionError::RequestError(cause) => match cause.status() {
                Some(status) => self.refusal(status, None, what, String::new()),
                None => network_error(&cause, self.registry(), timeouts),
            },
            other => ArtifactError::Garbage {
                what: format!("the answer of {} to {what}", self.registry()),
                cause: shown(&other.to_string()),
            },
        }
    }
}

fn shown(text: &str) -> String {
    text.trim().chars().take(MAX_DETAIL).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
