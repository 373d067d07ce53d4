//! Where the keys are: in the environment, or at the place where a task asks for those of its role.
//!
//! ECS serves these at a link-local address, where the client for registries refuses to go: a registry
//! could otherwise send it there. So this is a client of its own, and where it goes only the environment
//! of the gateway says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderValue};
use serde::Deserialize;
use url::{Host, Url};

use super::sign::Keys;
use crate::artifact::disk;
use crate::artifact::fetch::Timeouts;
use crate::artifact::registry::http::{Limit, body, install_crypto};
use crate::secret::Secret;

/// Where `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` starts.
const ECS: &str = "http://169.254.170.2";
/// Hosts besides loopback to which the token may go without TLS: of ECS, and of EKS in both families.
const PLAIN: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];
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
        let Some(text) = set("AWS_CONTAINER_CREDENTIALS_FULL_URI") else { return Ok(None) };
        let url =
            full(&text).map_err(|why| format!("AWS_CONTAINER_CREDENTIALS_FULL_URI is `{text}`: {why}"))?;
        let file = set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(|path| Token::File(path.into()));
        let text = || set("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(|text| Token::Text(Secret::from(text)));
        Ok(Some(Self::Agent { url, token: file.or_else(text).unwrap_or(Token::None) }))
    }

    /// The keys as they are now.
    ///
    /// # Errors
    /// In words.
    pub(super) async fn keys(&self, timeouts: &Timeouts) -> Result<Keys, String> {
        match self {
            Self::Environment(keys) => Ok(keys.clone()),
            Self::Agent { url, token } => {
                let asked = tokio::time::timeout(TIMEOUT, ask(url, token, timeouts));
                let place = url.host_str().unwrap_or_default();
                let late = |_| format!("{place}, which has the keys of the role, took longer than 5 s");
                asked.await.map_err(late)?
            }
        }
    }
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
        "http" => Err("without TLS only loopback and the agents of ECS and EKS may be asked".to_owned()),
        scheme => Err(format!("its scheme is {scheme}")),
    }
}

async fn ask(url: &Url, token: &Token, timeouts: &Timeouts) -> Result<Keys, String> {
    let place = url.host_str().unwrap_or_default();
    let failed = |cause: String| format!("{place}, which has the keys of the role, {cause}");
    install_crypto();
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|cause| failed(format!("can't be asked: {cause}")))?;
    let mut request = client.get(url.clone());
    if let Some(header) = header(token)? {
        request = request.header(AUTHORIZATION, header);
    }
    let unreachable = |cause: reqwest::Error| failed(format!("does not answer: {}", cause.without_url()));
    let response = request.send().await.map_err(unreachable)?;
    if !response.status().is_success() {
        return Err(failed(format!("answers with status {}", response.status().as_u16())));
    }
    let answer =
        body(response, Limit::AtMost(MAX_ANSWER), "the keys of the role", place, timeouts.idle).await;
    let answer = answer.map_err(|error| failed(format!("breaks off: {error}")))?;
    // The cause could quote the answer.
    let answer: Answer =
        serde_json::from_slice(&answer).map_err(|_| failed("answers without keys".to_owned()))?;
    Ok(Keys {
        id: answer.access_key_id,
        secret: Secret::from(answer.secret_access_key),
        session: answer.token.map(Secret::from),
    })
}

fn header(token: &Token) -> Result<Option<HeaderValue>, String> {
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
    Ok(Some(value))
}
