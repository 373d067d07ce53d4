//! Every way in which an artifact can fail to arrive or to be published.
//!
//! The enum is closed, and each message says what failed, with the value; [`ArtifactError::hint`]
//! gives the line to change. These texts are for operators: they name hosts and paths and must not
//! reach a model.

use std::time::Duration;

use super::digest::Digest;

/// Why an artifact can't be fetched or pushed.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// A setting makes no sense.
    #[error("{0}")]
    Settings(String),
    /// No connection: refused, reset, no such host, TLS.
    #[error("registry {registry} is unreachable: {cause}")]
    Unreachable {
        /// `host[:port]` of the reference.
        registry: String,
        /// The innermost cause.
        cause: String,
    },
    /// Slow or silent.
    #[error("registry {registry} took longer than {} s {step}", .after.as_secs_f32())]
    Timeout {
        /// `host[:port]` of the reference.
        registry: String,
        /// What was going on: `to connect`, `to send data`, `in all`.
        step: &'static str,
        /// The limit that was hit.
        after: Duration,
    },
    /// 401.
    #[error("registry {registry} wants a sign-in for {repository} (401): {cause}")]
    Unauthorized {
        /// `host[:port]` of the reference.
        registry: String,
        /// The repository.
        repository: String,
        /// Whether there were credentials.
        cause: &'static str,
    },
    /// 403.
    #[error("registry {registry} forbids {action} {repository} (403)")]
    Forbidden {
        /// `host[:port]` of the reference.
        registry: String,
        /// The repository.
        repository: String,
        /// `pulling from` or `pushing to`.
        action: &'static str,
    },
    /// 404, or a tag that a layout does not have.
    #[error("{what} does not exist in {place}")]
    NotFound {
        /// `tag 1.2`, `manifest sha256:…`, `layer sha256:…`.
        what: String,
        /// The repository with its registry, or the directory.
        place: String,
        /// What to check.
        hint: String,
    },
    /// 429.
    #[error("registry {registry} limits our requests (429){}", retry_suffix(.retry_after))]
    RateLimited {
        /// `host[:port]` of the reference.
        registry: String,
        /// From `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// 5xx, after retries.
    #[error("registry {registry} is failing: it answered {status} to {tries} requests for {what}")]
    Failing {
        /// `host[:port]` of the reference.
        registry: String,
        /// The last status.
        status: u16,
        /// How often we asked.
        tries: u32,
        /// What was asked for.
        what: String,
    },
    /// Another refusal.
    #[error("registry {registry} answered {status} for {what}{}", colon(.detail))]
    Refused {
        /// `host[:port]` of the reference.
        registry: String,
        /// The status.
        status: u16,
        /// What was asked for.
        what: String,
        /// The registry's own words, bounded; may be empty.
        detail: String,
    },
    /// Not what the specification says.
    #[error("{what} is not readable: {cause}")]
    Garbage {
        /// `the manifest of oci://…`, `the token from …`.
        what: String,
        /// Where it departs.
        cause: String,
    },
    /// Would need unencrypted http, which the config does not allow.
    #[error("{host} speaks plain http, which is not allowed for it")]
    PlainHttp {
        /// `host:port`.
        host: String,
    },
    /// Content is not what its digest says.
    #[error("{what} is not what it should be: expected {expected}, got {actual}")]
    DigestMismatch {
        /// What was read.
        what: String,
        /// The digest asked for.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// Shorter or longer than announced.
    #[error("{what} is {} that were announced", length(*.actual, *.expected))]
    Length {
        /// What was read.
        what: String,
        /// As announced.
        expected: u64,
        /// As received; for an overlong one the size at which reading stopped.
        actual: u64,
    },
    /// The connection ended early.
    #[error("{what} is truncated: the connection ended after {actual} bytes")]
    Truncated {
        /// What was read.
        what: String,
        /// As received.
        actual: u64,
    },
    /// A component that is larger than the config allows.
    #[error("{what} is larger than the limit of {limit} bytes")]
    Oversized {
        /// What was read.
        what: String,
        /// `max-size`.
        limit: u64,
    },
    /// A manifest, an index or a token that is larger than any honest one.
    #[error("{what} is larger than the limit of {limit} bytes")]
    Bloated {
        /// What was read.
        what: String,
        /// The limit, which no config changes.
        limit: u64,
    },
    /// No bytes.
    #[error("{0} is empty")]
    Empty(String),
    /// A core module.
    #[error("{0} is a core wasm module, not a component")]
    CoreModule(String),
    /// No wasm preamble.
    #[error("{0} is not wasm: it does not start with `\\0asm` and a component's version")]
    NotWasm(String),
    /// The component section structure can't be read.
    #[error("{what} is not a valid component: {cause}")]
    NotComponent {
        /// What was read.
        what: String,
        /// The decoder's words.
        cause: String,
    },
    /// An OCI artifact of another kind, such as a container image.
    #[error("{what} is not a wasm artifact: it holds {found}")]
    NotWasmArtifact {
        /// The reference.
        what: String,
        /// The media types found.
        found: String,
    },
    /// Several candidates.
    #[error("{what} is ambiguous: {cause}")]
    Ambiguous {
        /// The reference.
        what: String,
        /// The candidates.
        cause: String,
    },
    /// The docker config can't be used.
    #[error("docker config {path}: {cause}")]
    DockerConfig {
        /// Its path.
        path: String,
        /// What is wrong.
        cause: String,
    },
    /// Amazon's registry, and no password for it.
    #[error("no password for {registry} from the task's role: {cause}")]
    TaskRole {
        /// Its host.
        registry: String,
        /// What went wrong.
        cause: String,
        /// Whether it is Amazon that refused it, for which rights are the usual reason.
        refused: bool,
    },
    /// A credential helper failed.
    #[error("credential helper docker-credential-{helper}: {cause}")]
    CredentialHelper {
        /// Its name in the docker config.
        helper: String,
        /// What went wrong.
        cause: String,
    },
    /// A directory that is no image layout.
    #[error("{path} is not an OCI image layout: {cause}")]
    NotLayout {
        /// The directory.
        path: String,
        /// What is missing or wrong.
        cause: String,
    },
    /// Another process keeps the lock of a layout.
    #[error("{path} is locked by another writer since {} s", .after.as_secs())]
    Busy {
        /// The directory.
        path: String,
        /// How long we waited.
        after: Duration,
    },
    /// A file operation failed.
    #[error("{path}: {cause}")]
    Io {
        /// The file or directory.
        path: String,
        /// The system's words.
        cause: std::io::Error,
    },
    /// A reference that can't be pushed to.
    #[error("{reference} can't be pushed to: {cause}")]
    Unpushable {
        /// The reference.
        reference: String,
        /// Why.
        cause: &'static str,
    },
}

/// An overlong body is not read to its end, so its length is not known.
fn length(actual: u64, expected: u64) -> String {
    if actual > expected {
        return format!("longer than the {expected} bytes");
    }
    format!("{actual} bytes instead of the {expected}")
}

fn retry_suffix(after: &Option<Duration>) -> String {
    match after {
        Some(after) => format!(" and asks to wait {} s", after.as_secs()),
        None => String::new(),
    }
}

fn colon(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(": {detail}") }
}

impl ArtifactError {
    /// Whether the registry is away, rather than answering something that we don't like.
    pub fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::RateLimited { .. } | Self::Failing { .. }
        )
    }

    /// The line to change, or the command to try.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unauthorized { registry, .. } | Self::Forbidden { registry, .. } => format!(
                "sign in with `docker login {registry}` (or oras, skopeo) and name its config: [registries] docker-config = \"~/.docker/config.json\""
            ),
            Self::NotFound { hint, .. } => hint.clone(),
            Self::TaskRole { refused: true, .. } => "the role needs ecr:GetAuthorizationToken on *, and ecr:BatchGetImage and ecr:GetDownloadUrlForLayer on the repository".to_owned(),
            Self::PlainHttp { host } => format!("[registries] plain-http = [\"{host}\"]"),
            Self::CoreModule(_) => {
                "build it for wasm32-wasip2, or wrap it with `wasm-tools component new`".to_owned()
            }
            Self::Oversized { .. } => "raise [registries] max-size, if you trust it".to_owned(),
            Self::Ambiguous { .. } => "add :TAG or @DIGEST to the reference".to_owned(),
            Self::DigestMismatch { .. } => {
                "the content was changed on its way or in its store; do not use it".to_owned()
            }
            Self::Unpushable { .. } => "push to oci://HOST/REPOSITORY:TAG or oci-layout:DIR:TAG".to_owned(),
            Self::RateLimited { .. } => "wait, or sign in: registries allow more to known users".to_owned(),
            Self::Settings(_)
            | Self::TaskRole { refused: false, .. }
            | Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Failing { .. }
            | Self::Refused { .. }
            | Self::Garbage { .. }
            | Self::Length { .. }
            | Self::Truncated { .. }
            | Self::Bloated { .. }
            | Self::Empty(_)
            | Self::NotWasm(_)
            | Self::NotComponent { .. }
            | Self::NotWasmArtifact { .. }
            | Self::DockerConfig { .. }
            | Self::CredentialHelper { .. }
            | Self::NotLayout { .. }
            | Self::Busy { .. }
            | Self::Io { .. } => return None,
        })
    }
}
