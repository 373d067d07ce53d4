//! Registries, spoken to as to strangers.
//!
//! Pulling is done on [`http`], which bounds what oci-distribution does not: the size of manifests,
//! tokens and error bodies, where redirects may lead, and how often something is tried. Pushing
//! goes through oci-distribution, with the sign-in done here. A [`Session`] is one fetch or push:
//! one repository, one deadline, one authorization.

mod auth;
mod docker;
mod ecr;
mod http;
mod push;

use std::sync::Mutex;
use std::time::Duration;

use ::http::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use ::http::{Method, StatusCode};
use bytes::Bytes;
use tokio::time::Instant;

use super::digest::Digest;
use super::error::ArtifactError;
use super::fetch::ArtifactsOptions;
use super::format::{self, MAX_MANIFEST};
use super::reference::{self, DEFAULT_TAG, OciReference};
use crate::secret::Secret;
use auth::Authorization;
pub use ecr::Aws;
use http::{Http, Limit, Request};

/// Attempts of one GET. More would add load to a registry that already fails under it.
const TRIES: u32 = 3;
/// Wait before the second attempt; four times as long before each further one.
const BACKOFF: Duration = Duration::from_millis(200);
/// Longest `Retry-After` that is waited for; beyond it the operator is told.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(5);
/// What docker.io is really called.
const DOCKER_HUB: (&str, &str) = ("docker.io", "index.docker.io");

/// All registries: one HTTP client, one docker config, one role.
#[derive(Debug)]
pub(super) struct Registries {
    http: Http,
    docker: docker::Config,
    aws: Aws,
    total: Duration,
}

/// What a session is for; decides the scope of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Pull,
    Push,
}

impl Action {
    fn scope(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
        }
    }

    fn forbidden(self) -> &'static str {
        match self {
            Self::Pull => "pulling from",
            Self::Push => "pushing to",
        }
    }
}

/// What an engine needs to sign in to a registry.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// `host[:port]`; `docker.io` for Docker's own.
    pub registry: String,
    /// Who signs in.
    pub who: SignInAs,
}

/// Who signs in to a registry.
#[derive(Clone, Debug)]
pub enum SignInAs {
    /// A user with a password or an access token.
    User(String, Secret),
    /// Whoever has an identity token.
    Token(Secret),
}

/// One fetch from, or push to, one repository.
pub(super) struct Session<'a> {
    registries: &'a Registries,
    reference: &'a OciReference,
    action: Action,
    deadline: Instant,
    authorization: Mutex<Option<Authorization>>,
}

/// An attempt that failed, and whether another may do better.
struct Failure {
    error: ArtifactError,
    retry: Retry,
}

enum Retry {
    Never,
    Backoff,
    After(Duration),
}

impl From<ArtifactError> for Failure {
    fn from(error: ArtifactError) -> Self {
        let retry = match &error {
            ArtifactError::Truncated { .. } | ArtifactError::Failing { .. } => Retry::Backoff,
            ArtifactError::RateLimited { retry_after: Some(after), .. } => Retry::After(*after),
            ArtifactError::RateLimited { retry_after: None, .. } => Retry::Backoff,
            _ => Retry::Never,
        };
        Self { error, retry }
    }
}

impl Registries {
    pub(super) fn new(options: &ArtifactsOptions) -> Result<Self, ArtifactError> {
        Ok(Self {
            http: Http::new(&options.plain_http, &options.timeouts)?,
            docker: docker::Config::new(options.docker_config.clone()),
            aws: options.aws.clone(),
            total: options.timeouts.total,
        })
    }

    /// Who we are to a registry. One of ECR knows the role alone, where there is one: what a docker config
    /// has for it ends within hours.
    async fn credentials(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<docker::Credentials>, ArtifactError> {
        match self.aws.credentials(&self.http, registry).await? {
            Some(found) => Ok(Some(found)),
            None => self.docker.credentials(registry, repository).await,
        }
    }

    /// Who an engine is to say that it is, to bring an image.
    pub(super) async fn sign_in(&self, image: &str) -> Result<Option<SignIn>, ArtifactError> {
        let (registry, repository) = reference::of_image(image);
        let found = self.credentials(&registry, &repository).await?;
        let secret = found.map(|credentials| match credentials {
            docker::Credentials::Password { user, password } => SignInAs::User(user, Secret::from(password)),
            docker::Credentials::Identity(token) => SignInAs::Token(Secret::from(token)),
        });
        Ok(secret.map(|who| SignIn { registry, who }))
    }

    pub(super) fn session<'a>(&'a self, reference: &'a OciReference, action: Action) -> Session<'a> {
        Session {
            registries: self,
            reference,
            action,
            deadline: Instant::now() + self.total,
            authorization: Mutex::new(None),
        }
    }
}

impl Session<'_> {
    /// The manifest or index behind the tag, as bytes.
    pub(super) async fn manifest_by_tag(&self) -> Result<Bytes, ArtifactError> {
        let tag = self.reference.tag().unwrap_or(DEFAULT_TAG);
        let what = format!("tag {tag}");
        self.get("manifests", tag, &what, Limit::AtMost(MAX_MANIFEST)).await
    }

    /// The manifest or index with this digest, verified.
    pub(super) async fn manifest(&self, digest: &Digest) -> Result<Bytes, ArtifactError> {
        let what = format!("manifest {digest}");
        let limit = Limit::AtMost(MAX_MANIFEST);
        let bytes = self.get("manifests", &digest.to_string(), &what, limit).await?;
        verified(bytes, digest, what)
    }

    /// The layer with this digest, verified. Reading stops as soon as it exceeds `size`.
    pub(super) async fn layer(&self, digest: &Digest, size: u64) -> Result<Bytes, ArtifactError> {
        let what = format!("layer {digest}");
        let bytes = self.get("blobs", &digest.to_string(), &what, Limit::Exactly(size)).await?;
        verified(bytes, digest, what)
    }

    /// A GET with retries, within the deadline of the session.
    async fn get(&self, kind: &str, name: &str, what: &str, limit: Limit) -> Result<Bytes, ArtifactError> {
        let path = format!("/v2/{}/{kind}/{name}", self.reference.repository());
        self.within_deadline(async {
            let mut tries = 1;
            loop {
                let Failure { mut error, retry } = match self.attempt(&path, what, limit).await {
                    Ok(bytes) => return Ok(bytes),
                    Err(failure) => failure,
                };
                let pause = match retry {
                    Retry::Never => return Err(error),
                    Retry::After(after) if after > MAX_RETRY_AFTER => return Err(error),
                    Retry::After(after) => after,
                    Retry::Backoff => BACKOFF * 4_u32.pow(tries - 1),
                };
                if tries == TRIES {
                    if let ArtifactError::Failing { tries, .. } = &mut error {
                        *tries = TRIES;
                    }
                    return Err(error);
                }
                tries += 1;
                tokio::time::sleep(pause).await;
            }
        })
        .await
    }

    async fn within_deadline<T>(
        &self,
        work: impl Future<Output = Result<T, ArtifactError>>,
    ) -> Result<T, ArtifactError> {
        match tokio::time::timeout_at(self.deadline, work).await {
            Ok(result) => result,
            Err(_) => Err(ArtifactError::Timeout {
                registry: self.registry().to_owned(),
                step: "in all",
                after: self.registries.total,
            }),
        }
    }

    async fn attempt(&self, path: &str, what: &str, limit: Limit) -> Result<Bytes, Failure> {
        let response = self.send(Method::GET, path).await?;
        self.check(&response, what)?;
        let what = format!("{what} of {}", self.place());
        let bytes = http::body(response, limit, &what, self.registry(), self.idle()).await?;
        Ok(bytes)
    }

    /// Sends a request; signs in, once, if the registry asks for it.
    async fn send(&self, method: Method, path: &str) -> Result<reqwest::Response, Failure> {
        let response = self.send_once(&method, path).await?;
        if response.status() != StatusCode::UNAUTHORIZED || self.authorization().is_some() {
            return Ok(response);
        }
        let Some(granted) = auth::authorize(self, response.headers()).await? else {
            return Ok(response);
        };
        *self.lock() = Some(granted);
        self.send_once(&method, path).await
    }

    async fn send_once(&self, method: &Method, path: &str) -> Result<reqwest::Response, Failure> {
        let mut request = Request::new(method.clone(), self.url(path));
        // Manifests are served in the form that the client names.
        let accept = [format::MANIFEST, format::INDEX, format::DOCKER_MANIFEST, format::DOCKER_INDEX];
        if path.contains("/manifests/") {
            request.accept = accept.join(", ");
        }
        if let Some(authorization) = self.authorization() {
            request.headers.insert(AUTHORIZATION, authorization.header()?);
        }
        self.registries.http.send(request, self.registry()).await
    }

    /// Turns a status into an error.
    fn check(&self, response: &reqwest::Response, what: &str) -> Result<(), ArtifactError> {
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        Err(self.refusal(status, response.headers().get(RETRY_AFTER), what, String::new()))
    }

    fn refusal(
        &self,
        status: StatusCode,
        retry_after: Option<&HeaderValue>,
        what: &str,
        detail: String,
    ) -> ArtifactError {
        let registry = self.registry().to_owned();
        let repository = self.reference.repository().to_owned();
        match status {
            StatusCode::UNAUTHORIZED => {
                let signed_in = self.authorization().is_some_and(|granted| granted.has_credentials());
                ArtifactError::Unauthorized { registry, repository, cause: self.why(signed_in) }
            }
            StatusCode::FORBIDDEN => {
                ArtifactError::Forbidden { registry, repository, action: self.action.forbidden() }
            }
            StatusCode::NOT_FOUND => ArtifactError::NotFound {
                what: what.to_owned(),
                place: self.place(),
                hint: "check repository and tag; some registries also answer so to those who may not see it"
                    .to_owned(),
            },
            StatusCode::TOO_MANY_REQUESTS => {
                ArtifactError::RateLimited { registry, retry_after: retry_after.and_then(seconds) }
            }
            status if status.is_server_error() => {
                ArtifactError::Failing { registry, status: status.as_u16(), tries: 1, what: what.to_owned() }
            }
            status => {
                ArtifactError::Refused { registry, status: status.as_u16(), what: what.to_owned(), detail }
            }
        }
    }

    fn why(&self, signed_in: bool) -> &'static str {
        if self.registries.aws.serves(self.registry()) {
            return "it refused the password that the task's role got";
        }
        match (signed_in, self.registries.docker.is_set()) {
            (true, _) => "it refused the credentials in the docker config",
            (false, true) => "the docker config has no credentials for it",
            (false, false) => "no docker config is set",
        }
    }

    fn idle(&self) -> Duration {
        self.registries.http.timeouts().idle
    }

    fn registry(&self) -> &str {
        self.reference.registry()
    }

    fn place(&self) -> String {
        format!("{}/{}", self.registry(), self.reference.repository())
    }

    fn url(&self, path: &str) -> String {
        let host = host(self.registry());
        format!("{}://{host}{path}", self.registries.http.scheme(host))
    }

    fn authorization(&self) -> Option<Authorization> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Authorization>> {
        self.authorization.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The host that serves `registry`.
fn host(registry: &str) -> &str {
    if registry == DOCKER_HUB.0 { DOCKER_HUB.1 } else { registry }
}

/// `Retry-After` in its form of seconds; the date form is rare and not worth a clock.
fn seconds(value: &HeaderValue) -> Option<Duration> {
    value.to_str().ok()?.trim().parse::<u32>().ok().map(|s| Duration::from_secs(s.into()))
}

fn verified(bytes: Bytes, expected: &Digest, what: String) -> Result<Bytes, ArtifactError> {
    if expected.matches(&bytes) {
        return Ok(bytes);
    }
    Err(ArtifactError::DigestMismatch { what, expected: *expected, actual: Digest::of(&bytes) })
}

#[cfg(test)]
pub(super) mod fake;
#[cfg(test)]
mod tests;
