//! Signing in: from a registry's challenge to an `Authorization` header.
//!
//! The distribution specification knows two challenges: Basic, answered with the credentials, and
//! Bearer, answered with a token that a third place hands out. The registry names that place, so it
//! is spoken to under the same rules as the registry.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use http::{Method, StatusCode};
use http_auth::parser::ChallengeParser;
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::Serializer;

use super::docker::Credentials;
use super::http::{Limit, Request, body};
use super::{Failure, Session, host};
use crate::artifact::error::ArtifactError;

/// Largest answer with a token. Real ones have a few kB.
const MAX_TOKEN: u64 = 128 * 1024;
/// Challenges looked at in one answer.
const MAX_CHALLENGES: usize = 8;

/// Proof of who we are, for one session.
#[derive(Clone)]
pub(super) enum Authorization {
    /// User and password.
    Basic { user: String, password: String },
    /// A token; `anonymous` if no credentials were shown for it.
    Bearer { token: String, anonymous: bool },
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(…)",
            Self::Bearer { .. } => "Bearer(…)",
        })
    }
}

impl Authorization {
    pub(super) fn header(&self) -> Result<HeaderValue, ArtifactError> {
        let text = match self {
            Self::Basic { user, password } => basic(user, password),
            Self::Bearer { token, .. } => format!("Bearer {token}"),
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| ArtifactError::Garbage {
            what: "the token of the registry".to_owned(),
            cause: "it does not fit into a header".to_owned(),
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    pub(super) fn has_credentials(&self) -> bool {
        !matches!(self, Self::Bearer { anonymous: true, .. })
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String> },
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// Answers a challenge. `None` if we have nothing to answer with.
pub(super) async fn authorize(
    session: &Session<'_>,
    headers: &HeaderMap,
) -> Result<Option<Authorization>, Failure> {
    let challenge = challenge(headers);
    let repository = session.reference.repository();
    let credentials = session.registries.credentials(session.registry(), repository).await?;
    match (challenge, credentials) {
        (Some(Challenge::Bearer { realm, service }), credentials) => {
            token(session, &realm, service.as_deref(), credentials).await.map(Some)
        }
        (_, Some(Credentials::Password { user, password })) => {
            Ok(Some(Authorization::Basic { user, password }))
        }
        (_, Some(Credentials::Identity(_)) | None) => Ok(None),
    }
}

/// The strongest challenge that we know.
fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let mut best = None;
    let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|text| text.to_str().ok());
    for challenge in texts.flat_map(ChallengeParser::new).take(MAX_CHALLENGES).flatten() {
        let parameter = |name: &str| {
            let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_unescaped())
        };
        if challenge.scheme.eq_ignore_ascii_case("bearer") {
            if let Some(realm) = parameter("realm") {
                return Some(Challenge::Bearer { realm, service: parameter("service") });
            }
        } else if challenge.scheme.eq_ignore_ascii_case("basic") {
            best = Some(Challenge::Basic);
        }
    }
    best
}

async fn token(
    session: &Session<'_>,
    realm: &str,
    service: Option<&str>,
    credentials: Option<Credentials>,
) -> Result<Authorization, Failure> {
    let anonymous = credentials.is_none();
    let request = token_request(session, realm, service, credentials)?;
    let what = format!("the token from {realm}", realm = realm.chars().take(200).collect::<String>());
    let response = session.registries.http.send(request, session.registry()).await?;
    match response.status() {
        status if status.is_success() => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => {
            return Err(Failure::from(ArtifactError::Unauthorized {
                registry: session.registry().to_owned(),
                repository: session.reference.repository().to_owned(),
                cause: session.why(!anonymous),
            }));
        }
        _ => session.check(&response, &what)?,
    }
    let limit = Limit::AtMost(MAX_TOKEN);
    let json = body(response, limit, &what, session.registry(), session.idle()).await?;
    let garbage = |cause: String| ArtifactError::Garbage { what: what.clone(), cause };
    let answer: Token = serde_json::from_slice(&json).map_err(|cause| garbage(cause.to_string()))?;
    let token = answer.token.or(answer.access_token).filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| garbage("it holds no token".to_owned()))?;
    let granted = Authorization::Bearer { token, anonymous };
    granted.header()?;
    Ok(granted)
}

fn token_request(
    session: &Session<'_>,
    realm: &str,
    service: Option<&str>,
    credentials: Option<Credentials>,
) -> Result<Request, ArtifactError> {
    let mut url = Url::parse(realm).map_err(|cause| ArtifactError::Garbage {
        what: format!("the token endpoint of {}", host(session.registry())),
        cause: cause.to_string(),
    })?;
    let scope = format!("repository:{}:{}", session.reference.repository(), session.action.scope());
    let mut query = vec![("scope", scope.as_str())];
    query.extend(service.map(|service| ("service", service)));
    if let Some(Credentials::Identity(identity)) = credentials {
        query.extend([
            ("grant_type", "refresh_token"),
            ("client_id", "toolgate"),
            ("refresh_token", identity.as_str()),
        ]);
        let mut request = Request::new(Method::POST, url.to_string());
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers.insert(CONTENT_TYPE, form);
        request.body = Serializer::new(String::new()).extend_pairs(query).finish();
        return Ok(request);
    }
    url.query_pairs_mut().extend_pairs(query);
    let mut request = Request::new(Method::GET, url.to_string());
    if let Some(Credentials::Password { user, password }) = credentials {
        let header = Authorization::Basic { user, password }.header()?;
        request.headers.insert(AUTHORIZATION, header);
    }
    Ok(request)
}
