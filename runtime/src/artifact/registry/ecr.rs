//! Credentials for Amazon's registry, from the role of the task or from keys in the environment.
//!
//! ECR knows passwords of twelve hours only, so one is asked for at each sign-in and none is kept: a gateway
//! that runs for weeks never has a stale one. The role's keys, which change by themselves, are read anew too.
//! Both go to hosts that this file names; a registry that only looks like Amazon's gets nothing.
//!
//! `role` where the keys are · `sign` AWS Signature Version 4. The call is `GetAuthorizationToken` of the
//! API `AmazonEC2ContainerRegistry_V20150921`.

mod role;
mod sign;

use std::fmt;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde::Deserialize;
use url::Url;

use super::docker::Credentials;
use super::http::{Http, Limit, Request, body};
use crate::artifact::error::ArtifactError;
use role::Source;
use sign::{Keys, Signed};

/// Largest answer with a password. Real ones have 3 kB.
const MAX_ANSWER: u64 = 64 * 1024;
/// The call, as AWS's JSON protocol 1.1 names it.
const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
/// Without a list of registries the password is for that of the caller and all that it may read.
const BODY: &str = "{}";

/// What the environment says about AWS. By default nothing.
#[derive(Clone, Debug)]
pub struct Aws(Result<Option<Account>, String>);

#[derive(Clone, Debug)]
struct Account {
    source: Source,
    /// In place of the region's endpoint: one in a VPC, say.
    endpoint: Option<Url>,
}

impl Default for Aws {
    fn default() -> Self {
        Self(Ok(None))
    }
}

impl Aws {
    /// Reads the variables that AWS's own tools know: `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`, which ECS sets
    /// for a task with a role, or `…_FULL_URI` with `AWS_CONTAINER_AUTHORIZATION_TOKEN[_FILE]`; or, before
    /// these, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`. `AWS_ENDPOINT_URL_ECR`
    /// replaces the API's endpoint. A variable that can't be used fails who uses ECR, and nobody else.
    pub fn from_environment(env: &dyn Fn(&str) -> Option<String>) -> Self {
        Self(Account::from_environment(&|name| env(name).filter(|value| !value.is_empty())))
    }

    /// Whether a registry gets its credentials from here.
    pub(super) fn serves(&self, registry: &str) -> bool {
        !matches!(self.0, Ok(None)) && Place::of(registry).is_some()
    }

    /// User and password for a registry; `None` if it is not served from here.
    pub(super) async fn credentials(
        &self,
        http: &Http,
        registry: &str,
    ) -> Result<Option<Credentials>, ArtifactError> {
        let Some(place) = Place::of(registry) else { return Ok(None) };
        let failed =
            |cause: String| ArtifactError::TaskRole { registry: registry.to_owned(), cause, refused: false };
        let Some(account) = self.0.as_ref().map_err(|why| failed(why.clone()))? else { return Ok(None) };
        let keys = account.source.keys(http.timeouts()).await.map_err(failed)?;
        let url = account.endpoint.clone().map_or_else(|| place.endpoint(), Ok).map_err(failed)?;
        let request = request(&url, &place, &keys, SystemTime::now()).map_err(failed)?;
        let at = url.host_str().unwrap_or_default();
        let response = http.send(request, at).await.map_err(|failure| failure.error)?;
        let status = response.status();
        let answer =
            body(response, Limit::AtMost(MAX_ANSWER), "the password of ECR", at, http.timeouts().idle);
        let answer = answer.await?;
        if status != StatusCode::OK {
            let (registry, cause) = (registry.to_owned(), refusal(at, status, &answer));
            return Err(ArtifactError::TaskRole { registry, cause, refused: true });
        }
        password(&answer).map(Some).ok_or_else(|| failed(format!("{at} answered without a password")))
    }
}

impl Account {
    fn from_environment(set: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let Some(source) = Source::from_environment(set)? else { return Ok(None) };
        let endpoint = set("AWS_ENDPOINT_URL_ECR").map(|text| endpoint(&text)).transpose()?;
        Ok(Some(Self { source, endpoint }))
    }
}

fn endpoint(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|cause| format!("AWS_ENDPOINT_URL_ECR is `{text}`: {cause}"))?;
    match url.host_str() {
        Some(_) => Ok(url),
        None => Err(format!("AWS_ENDPOINT_URL_ECR is `{text}`: it names no host")),
    }
}

/// Where a registry is: `ACCOUNT.dkr.ecr[-fips].REGION.amazonaws.com[.cn]`.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    fips: bool,
    region: &'a str,
    domain: &'static str,
}

impl<'a> Place<'a> {
    /// Reads a host to its last letter; a name that goes on elsewhere is somebody else's.
    fn of(registry: &'a str) -> Option<Self> {
        let (account, rest) = registry.split_once(".dkr.")?;
        let (fips, rest) = match rest.strip_prefix("ecr.") {
            Some(rest) => (false, rest),
            None => (true, rest.strip_prefix("ecr-fips.")?),
        };
        let (region, domain) = rest.split_once('.')?;
        let domain = ["amazonaws.com", "amazonaws.com.cn"].into_iter().find(|known| *known == domain)?;
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let is_region = region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        (is_account && is_region && !region.is_empty()).then_some(Self { fips, region, domain })
    }

    fn endpoint(&self) -> Result<Url, String> {
        let service = if self.fips { "ecr-fips" } else { "api.ecr" };
        let text = format!("https://{service}.{}.{}/", self.region, self.domain);
        Url::parse(&text).map_err(|cause| format!("{text}: {cause}"))
    }
}

fn request(url: &Url, place: &Place<'_>, keys: &Keys, now: SystemTime) -> Result<Request, String> {
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let unsigned = [
        (CONTENT_TYPE, "application/x-amz-json-1.1"),
        (HOST, host.as_str()),
        (HeaderName::from_static("x-amz-target"), TARGET),
    ];
    let signed = Signed { keys, region: place.region, service: "ecr", path: url.path(), headers: &unsigned };
    let mut request = Request::new(Method::POST, url.to_string());
    for (name, value) in signed.headers(BODY.as_bytes(), now) {
        let mut value = HeaderValue::from_str(&value).map_err(|_| format!("{name} does not fit a header"))?;
        value.set_sensitive(name == AUTHORIZATION || name == sign::SESSION);
        request.headers.insert(name, value);
    }
    BODY.clone_into(&mut request.body);
    Ok(request)
}

/// Errors of AWS: `{"__type": "…#AccessDeniedException", "message": "…"}`.
fn refusal(at: &str, status: StatusCode, answer: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(rename = "__type", default)]
        kind: String,
        #[serde(alias = "Message", default)]
        message: String,
    }
    let said = serde_json::from_slice::<Refusal>(answer).map_or_else(
        |_| "in words that are not AWS's".to_owned(),
        |Refusal { kind, message }| {
            let kind = kind.rsplit('#').next().unwrap_or_default();
            format!("{kind}: {message}").chars().filter(|c| !c.is_control()).take(300).collect()
        },
    );
    format!("{at} refused it ({}): {said}", status.as_u16())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    authorization_data: Vec<Authorized>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authorized {
    /// Base64 of `USER:PASSWORD`.
    authorization_token: String,
}

impl fmt::Debug for Authorized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorized(…)")
    }
}

fn password(answer: &[u8]) -> Option<Credentials> {
    let answer: Answer = serde_json::from_slice(answer).ok()?;
    let token = &answer.authorization_data.first()?.authorization_token;
    let text = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Credentials::Password { user: user.to_owned(), password: password.to_owned() })
}

#[cfg(test)]
mod tests;
