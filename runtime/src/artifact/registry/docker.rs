//! Credentials from a docker `config.json`, which docker, oras, skopeo and podman write.
//!
//! Read anew for each sign-in, so that a `docker login` or a rotated secret needs no restart. The
//! order is docker's: the helper of the registry, the helper for all, then `auths`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::DOCKER_HUB;
use crate::artifact::disk::{self, Content};
use crate::artifact::error::ArtifactError;

/// Largest config file, against a path that leads to something else.
const MAX_CONFIG: u64 = 1024 * 1024;
/// Largest answer of a credential helper.
const MAX_HELPER_OUTPUT: u64 = 64 * 1024;
/// Longest run of a credential helper; one that asks a person would hold up the start.
const HELPER_TIMEOUT: Duration = Duration::from_secs(10);
/// Under which docker files the credentials of its hub.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
/// The user name that says that the secret is an identity token.
const IDENTITY_USER: &str = "<token>";

/// Where the credentials are.
#[derive(Debug)]
pub(super) struct Config {
    path: Option<PathBuf>,
}

/// Who we are to one registry.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    /// A user and a password or access token.
    Password { user: String, password: String },
    /// An OAuth2 refresh token.
    Identity(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password(…)",
            Self::Identity(_) => "Identity(…)",
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

impl Config {
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { path }
    }

    pub(super) fn is_set(&self) -> bool {
        self.path.is_some()
    }

    /// The credentials for a repository, if there are any.
    pub(super) async fn credentials(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Credentials>, ArtifactError> {
        let Some(path) = self.path.clone() else { return Ok(None) };
        let read = tokio::task::spawn_blocking(move || read(&path)).await;
        let raw = read.map_err(|cause| ArtifactError::Settings(cause.to_string()))??;
        let key = if registry == DOCKER_HUB.0 { DOCKER_HUB_KEY } else { registry };
        let own = raw.cred_helpers.get(registry).or_else(|| raw.cred_helpers.get(key));
        if let Some(helper) = own.or(raw.creds_store.as_ref())
            && let Some(found) = ask(helper, key).await?
        {
            return Ok(Some(found));
        }
        match most_specific(&raw.auths, registry, repository) {
            Some(auth) => auth.credentials().map_err(|cause| ArtifactError::DockerConfig {
                path: self.path.as_deref().unwrap_or(Path::new("")).display().to_string(),
                cause: format!("auths of {registry}: {cause}"),
            }),
            None => Ok(None),
        }
    }
}

fn read(path: &Path) -> Result<Raw, ArtifactError> {
    let error = |cause: String| ArtifactError::DockerConfig { path: path.display().to_string(), cause };
    let file = std::fs::File::open(path).map_err(|cause| error(cause.to_string()))?;
    match disk::read_regular(&file, MAX_CONFIG).map_err(|cause| error(cause.to_string()))? {
        // The parser's message could quote a secret; its position can't.
        Content::Whole(json) => serde_json::from_slice(&json).map_err(|cause| {
            error(format!("not readable at line {} column {}", cause.line(), cause.column()))
        }),
        Content::TooLong => Err(error(format!("larger than {MAX_CONFIG} bytes"))),
        Content::Missing => Err(error("missing".to_owned())),
    }
}

/// The entry for the registry, or the longest one for a path of it (podman writes those).
fn most_specific<'a>(
    auths: &'a BTreeMap<String, Auth>,
    registry: &str,
    repository: &str,
) -> Option<&'a Auth> {
    let place = format!("{registry}/{repository}");
    auths
        .iter()
        .filter_map(|(key, auth)| {
            let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
            let scope = match bare {
                // Docker's old form, where the path means nothing.
                Some(url) => url.split('/').next().unwrap_or(url),
                None => key.trim_end_matches('/'),
            };
            let scope = if scope == DOCKER_HUB.1 { DOCKER_HUB.0 } else { scope };
            let rest = place.strip_prefix(scope)?;
            (rest.is_empty() || rest.starts_with('/')).then_some((scope.len(), auth))
        })
        .max_by_key(|(length, _)| *length)
        .map(|(_, auth)| auth)
}

impl Auth {
    fn credentials(&self) -> Result<Option<Credentials>, String> {
        if let Some(token) = self.identitytoken.as_ref().filter(|token| !token.is_empty()) {
            return Ok(Some(Credentials::Identity(token.clone())));
        }
        if let Some(auth) = self.auth.as_ref().filter(|auth| !auth.is_empty()) {
            let bytes = STANDARD.decode(auth.trim()).map_err(|_| "`auth` is not base64")?;
            let text = String::from_utf8(bytes).map_err(|_| "`auth` is not text")?;
            // Docker pads with NUL.
            let text = text.trim_end_matches('\0');
            let (user, password) = text.split_once(':').ok_or("`auth` has no `:` in it")?;
            let (user, password) = (user.to_owned(), password.to_owned());
            return Ok(Some(Credentials::Password { user, password }));
        }
        Ok(match (&self.username, &self.password) {
            (Some(user), Some(password)) => {
                Some(Credentials::Password { user: user.clone(), password: password.clone() })
            }
            _ => None,
        })
    }
}

/// Asks a credential helper. `None` if it knows nothing of this registry.
async fn ask(helper: &str, key: &str) -> Result<Option<Credentials>, ArtifactError> {
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if helper.is_empty() || !helper.bytes().all(valid) {
        return Err(ArtifactError::CredentialHelper {
            helper: helper.chars().take(64).filter(|c| !c.is_control()).collect(),
            cause: "its name is not letters, digits, `-`, `_` and `.`".to_owned(),
        });
    }
    ask_program(helper, &format!("docker-credential-{helper}"), key).await
}

async fn ask_program(helper: &str, program: &str, key: &str) -> Result<Option<Credentials>, ArtifactError> {
    let error = |cause: String| ArtifactError::CredentialHelper { helper: helper.to_owned(), cause };
    let run = run(program, key);
    let (success, output) = match tokio::time::timeout(HELPER_TIMEOUT, run).await {
        Ok(result) => result.map_err(|cause| error(cause.to_string()))?,
        Err(_) => return Err(error(format!("no answer in {} s", HELPER_TIMEOUT.as_secs()))),
    };
    if !success {
        let text = String::from_utf8_lossy(&output);
        // The protocol has no code for it, only this sentence.
        if text.contains("credentials not found") {
            return Ok(None);
        }
        let first = text.lines().next().unwrap_or("").chars().take(200).collect::<String>();
        return Err(error(format!("it failed: {first}")));
    }
    let answer: HelperAnswer = serde_json::from_slice(&output)
        .map_err(|_| error("its answer is not the JSON of the protocol".to_owned()))?;
    Ok(Some(if answer.username == IDENTITY_USER {
        Credentials::Identity(answer.secret)
    } else {
        Credentials::Password { user: answer.username, password: answer.secret }
    }))
}

async fn run(program: &str, key: &str) -> std::io::Result<(bool, Vec<u8>)> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that needs no question may be gone already; its answer counts.
        let _ = stdin.write_all(key.as_bytes()).await;
    }
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MAX_HELPER_OUTPUT).read_to_end(&mut output).await?;
    }
    Ok((child.wait().await?.success(), output))
}

#[cfg(test)]
mod tests;
