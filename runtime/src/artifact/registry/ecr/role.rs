//! Where the keys are: in the environment, or at the place where a task or a host asks for those of its role.
//!
//! ECS and EC2 serve these at link-local addresses, where the client for registries refuses to go: a registry
//! could otherwise send it there. So this is a client of its own, and where it goes only the environment
//! of the gateway says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde::Deserialize;
use url::{Host, Url};

use super::sign::Keys;
use crate::artifact::disk;
use crate::artifact::fetch::Timeouts;
use crate::artifact::registry::http::{Limit, body, install_crypto};
use crate::secret::Secret;

/// Where `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` starts.
const ECS: &str = "http://169.254.170.2";
/// Where a host of EC2 asks.
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// Hosts besides loopback to which a token may go without TLS: of EC2 and EKS in both families, and of ECS.
const PLAIN: [IpAddr; 5] = [
    IpAddr::V4(METADATA),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];
/// Seconds that a token of a host's metadata is good for: for the two questions that follow.
const TOKEN_SECONDS: &str = "60";
/// The header of such a token.
const METADATA_TOKEN: &str = "x-aws-ec2-metadata-token";
/// Under which a host's metadata has its roles.
const ROLES: &str = "latest/meta-data/iam/security-credentials/";
/// Longest that the agent of the host may take in all.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer. Real ones have 2 kB.
const MAX_ANSWER: u64 = 64 * 1024;
/// Largest token in a file.
pub(super) const MAX_TOKEN: u64 = 16 * 1024;

/// Who has the keys.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Environment(Keys),
    /// The agent that knows the role of the task.
    Agent {
        url: Url,
        token: Token,
    },
    /// The metadata of a host of EC2, in its second version (IMDSv2).
    Host(Url),
}

/// What the agent wants to see, if anything.
#[derive(Clone, Debug)]
pub(super) enum Token {
    None,
    Text(Secret),
    /// Read at each use, since it changes.
    File(PathBuf),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
}

impl Source {
    pub(super) fn from_environment(set: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        if let Some(id) = set("AWS_ACCESS_KEY_ID") {
            let secret = set("AWS_SECRET_ACCESS_KEY");
            let secret = secret.ok_or("AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not")?;
            let session = set("AWS_SESSION_TOKEN").map(Secret::from);
            return Ok(Some(Self::Environment(Keys { id, secret: Secret::from(secret), session })));
        }
        if let Some(path) = set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            let name = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
            if !path.starts_with('/') {
                return Err(format!("{name} is `{path}`, which does not begin with a slash"));
            }
            let url = Url::parse(&format!("{ECS}{path}")).map_err(|cause| format!("{name}: {cause}"))?;
            return Ok(Some(Self::Agent { url, token: Token::None }));
        }
        let Some(text) = set("AWS_CONTAINER_CREDENTIALS_FULL_URI") else { return Self::host(set) };
        let url =
            full(&text).map_err(|why| format!("AWS_CONTAINER_CREDENTIALS_FULL_URI is `{text}`: {why}"))?;
        let file = set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(|path| Token::File(path.into()));
        let text = || set("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(|text| Token::Text(Secret::from(text)));
        Ok(Some(Self::Agent { url, token: file.or_else(text).unwrap_or(Token::None) }))
    }

    /// The host, where the environment says so: elsewhere each pull would wait for an address that nobody has.
    fn host(set: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let name = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
        let Some(text) = set(name) else { return Ok(None) };
        if set("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let url = full(&text).map_err(|why| format!("{name} is `{text}`: {why}"))?;
        Ok(Some(Self::Host(url)))
    }

    /// The keys as they are now.
    ///
    /// # Errors
    /// In words.
    pub(super) async fn keys(&self, timeouts: &Timeouts) -> Result<Keys, String> {
        match self {
            Self::Environment(keys) => Ok(keys.clone()),
            Self::Agent { url, token } => {
                in_time(url, async { Place::of(url, timeouts)?.keys(url.clone(), header(token)?).await })
                    .await
            }
            Self::Host(url) => in_time(url, Place::of(url, timeouts)?.keys_of_host()).await,
        }
    }
}

async fn in_time(url: &Url, asked: impl Future<Output = Result<Keys, String>>) -> Result<Keys, String> {
    let place = url.host_str().unwrap_or_default();
    let late = |_| format!("{place}, which has the keys of the role, took longer than 5 s");
    tokio::time::timeout(TIMEOUT, asked).await.map_err(late)?
}

/// A place that may be asked: by TLS any, without it one on this host.
fn full(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|cause| cause.to_string())?;
    let address = match url.host() {
        Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
        Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
        Some(Host::Domain("localhost")) => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        Some(Host::Domain(_)) | None => None,
    };
    let is_near = address.is_some_and(|address| address.is_loopback() || PLAIN.contains(&address));
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_near => Ok(url),
        "http" => Err("without TLS only loopback and the agents of EC2, ECS and EKS may be asked".to_owned()),
        scheme => Err(format!("its scheme is {scheme}")),
    }
}

/// Who has the keys, as one to be asked.
struct Place<'a> {
    base: &'a Url,
    client: reqwest::Client,
    timeouts: &'a Timeouts,
}

/// A header of a question.
type Header = Option<(HeaderName, HeaderValue)>;

impl<'a> Place<'a> {
    fn of(base: &'a Url, timeouts: &'a Timeouts) -> Result<Self, String> {
        install_crypto();
        let client =
            reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
        let client = client.map_err(|cause| failed(base, &format!("can't be asked: {cause}")))?;
        Ok(Self { base, client, timeouts })
    }

    async fn keys(&self, url: Url, header: Header) -> Result<Keys, String> {
        let answer = self.ask(Method::GET, url, header).await?;
        // The cause could quote the answer.
        let answer: Answer =
            serde_json::from_slice(&answer).map_err(|_| failed(self.base, "answers without keys"))?;
        Ok(Keys {
            id: answer.access_key_id,
            secret: Secret::from(answer.secret_access_key),
            session: answer.token.map(Secret::from),
        })
    }

    /// By a token first, so that nobody who only makes a host fetch a URL gets any.
    async fn keys_of_host(&self) -> Result<Keys, String> {
        let ttl = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
        let ttl = Some((ttl, HeaderValue::from_static(TOKEN_SECONDS)));
        let token = self.ask(Method::PUT, self.below("latest/api/token")?, ttl).await?;
        let mut token = HeaderValue::from_bytes(token.trim_ascii())
            .map_err(|_| failed(self.base, "answers with a token that does not fit a header"))?;
        token.set_sensitive(true);
        let header = Some((HeaderName::from_static(METADATA_TOKEN), token));
        let roles = self.ask(Method::GET, self.below(ROLES)?, header.clone()).await?;
        let role = std::str::from_utf8(&roles).ok().and_then(|roles| roles.lines().next());
        let role = role.filter(|role| is_role(role)).ok_or_else(|| failed(self.base, "names no role"))?;
        self.keys(self.below(&format!("{ROLES}{role}"))?, header).await
    }

    fn below(&self, path: &str) -> Result<Url, String> {
        self.base.join(path).map_err(|cause| failed(self.base, &format!("can't be asked: {cause}")))
    }

    async fn ask(&self, method: Method, url: Url, header: Header) -> Result<Bytes, String> {
        let mut request = self.client.request(method, url);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let response = request
            .send()
            .await
            .map_err(|cause| failed(self.base, &format!("does not answer: {}", cause.without_url())))?;
        if !response.status().is_success() {
            return Err(failed(self.base, &format!("answers with status {}", response.status().as_u16())));
        }
        let place = self.base.host_str().unwrap_or_default();
        let (limit, idle) = (Limit::AtMost(MAX_ANSWER), self.timeouts.idle);
        let answer = body(response, limit, "the keys of the role", place, idle).await;
        answer.map_err(|error| failed(self.base, &format!("breaks off: {error}")))
    }
}

fn failed(place: &Url, cause: &str) -> String {
    format!("{}, which has the keys of the role, {cause}", place.host_str().unwrap_or_default())
}

/// `[A-Za-z0-9+=,.@_-]{1,64}`, as IAM names roles: it becomes a part of a path.
fn is_role(text: &str) -> bool {
    let may = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(may) && !text.starts_with('.')
}

fn header(token: &Token) -> Result<Header, String> {
    let text = match token {
        Token::None => return Ok(None),
        Token::Text(secret) => secret.expose().to_owned(),
        Token::File(path) => {
            let name = path.display();
            let unreadable =
                |cause: std::io::Error| format!("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE {name}: {cause}");
            let file = std::fs::File::open(path).map_err(unreadable)?;
            match disk::read_regular(&file, MAX_TOKEN).map_err(unreadable)? {
                disk::Content::Whole(bytes) => String::from_utf8_lossy(&bytes).trim().to_owned(),
                disk::Content::TooLong | disk::Content::Missing => {
                    return Err(format!(
                        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE {name}: more than {MAX_TOKEN} bytes"
                    ));
                }
            }
        }
    };
    let mut value =
        HeaderValue::from_str(&text).map_err(|_| "the token for the role's keys does not fit a header")?;
    value.set_sensitive(true);
    Ok(Some((AUTHORIZATION, value)))
}
