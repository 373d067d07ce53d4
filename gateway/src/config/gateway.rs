//! `[gateway]`: where it listens, whom it answers, where it keeps its state.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toolgate_runtime::secret::Secret;

use super::error::Invalid;
use super::expand::Env;
use super::profiles::surface;
use super::quantity::{duration_up_to, size_up_to};
use super::raw::{Reader, Section};
use crate::catalog::Surface;
use crate::transport::http::HttpSettings;

/// Overrides `state-dir`, for tests and containers.
pub const STATE_DIR_VAR: &str = "TOOLGATE_STATE_DIR";

/// Upper bound of `body-limit`: a body is held in memory whole.
const MAX_BODY: u64 = 256 << 20;
/// Upper bound of `max-connections`; each holds a file descriptor.
const MAX_CONNECTIONS: u64 = 1_000_000;
/// Upper bound of the timeouts and of `drain`: schedulers kill long before.
const MAX_TIMEOUT: Duration = Duration::from_secs(3600);
/// Upper bound of `resume-window`: so long a call runs on for a client that may never come back.
const MAX_RESUME: Duration = Duration::from_secs(600);
/// Upper bound of what clients may keep.
const MAX_TTL: Duration = Duration::from_secs(30 * 24 * 3600);
/// Characters of a session key, so that it can't be guessed.
const MIN_SESSION_KEY: usize = 16;

/// The gateway's own settings.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Whether callers need no key, also those on other hosts.
    pub allow_anonymous: bool,
    /// Whom to answer over HTTP, and the limits of doing so.
    pub http: HttpSettings,
    /// Signs sessions; replicas that share it take each other's. Without one, a key of the process.
    pub session_key: Option<Secret>,
    /// How long a session is good for.
    pub session_ttl: Option<Duration>,
    /// How long clients may keep a list of tools.
    pub tools_ttl: Option<Duration>,
    /// What the endpoint of all servers lists as its tools.
    pub surface: Surface,
    /// Artifacts, compiled code and keys. Must be the gateway's alone.
    pub state_dir: PathBuf,
    /// How the log is written; by default text on a terminal and JSON elsewhere.
    pub log: Option<LogFormat>,
}

impl GatewayConfig {
    /// Where the gateway listens unless told: on loopback, out of reach of other hosts.
    pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For machines, one object a line.
    Json,
    /// For people.
    Text,
}

pub(super) fn read(
    reader: &Reader<'_>,
    section: Option<Section<'_, '_>>,
    base: &Path,
    env: Env<'_>,
) -> GatewayConfig {
    let mut config = GatewayConfig {
        listen: GatewayConfig::LISTEN,
        allow_anonymous: false,
        http: HttpSettings::default(),
        session_key: None,
        session_ttl: None,
        tools_ttl: None,
        surface: Surface::All,
        state_dir: PathBuf::new(),
        log: None,
    };
    let mut state_dir = None;
    if let Some(section) = section {
        section.set(&mut config.listen, "listen", "127.0.0.1:8080", address);
        config.allow_anonymous = section.flag("allow-anonymous");
        http(&section, &mut config.http);
        config.session_key = section.parsed("session-key", "${SESSION_KEY}", session_key);
        config.session_ttl = section.parsed("session-ttl", "24h", duration_up_to(MAX_TTL));
        config.tools_ttl = section.parsed("tools-ttl", "1m", duration_up_to(MAX_TTL));
        config.surface = surface(&section);
        config.log = section.parsed("log", "json", log_format);
        state_dir = section.path("state-dir", "/var/lib/toolgate", base);
        section.finish();
    }
    match self::state_dir(state_dir, env) {
        Ok(dir) => config.state_dir = dir,
        Err(why) => reader.invalid(0..0, "state-dir", why),
    }
    config
}

fn http(section: &Section<'_, '_>, http: &mut HttpSettings) {
    let time = || duration_up_to(MAX_TIMEOUT);
    http.origins = section.list("allowed-origins", "https://app.example.com", origin);
    http.hosts = section.list("allowed-hosts", "tools.example.com", host);
    section.set(&mut http.body, "body-limit", "4MiB", |text| {
        size_up_to(MAX_BODY)(text).map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
    });
    // Or one of the largest bodies would always be one too many.
    http.bodies = http.bodies.max(http.body.saturating_mul(2));
    let connections = section.integer("max-connections", 1, MAX_CONNECTIONS);
    if let Some(connections) = connections.and_then(|count| usize::try_from(count).ok()) {
        http.connections = connections;
    }
    section.set(&mut http.header_timeout, "header-timeout", "10s", time());
    section.set(&mut http.body_timeout, "body-timeout", "30s", time());
    section.set(&mut http.write_timeout, "write-timeout", "30s", time());
    section.set(&mut http.idle_timeout, "idle-timeout", "2m", time());
    section.set(&mut http.resume, "resume-window", "30s", duration_up_to(MAX_RESUME));
    section.set(&mut http.drain_delay, "drain-delay", "10s", time());
    section.set(&mut http.drain, "drain", "30s", time());
}

/// Where state is kept: the environment's word, else the config's, else the XDG state directory.
///
/// # Errors
/// If none of them says.
pub(super) fn state_dir(configured: Option<PathBuf>, env: Env<'_>) -> Result<PathBuf, Invalid> {
    let from_env = |name| env(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let absolute = |name| from_env(name).filter(|dir| dir.is_absolute());
    from_env(STATE_DIR_VAR)
        .or(configured)
        .or_else(|| Some(absolute("XDG_STATE_HOME")?.join("toolgate")))
        .or_else(|| Some(absolute("HOME")?.join(".local/state/toolgate")))
        .ok_or_else(|| {
            Invalid::new("neither the config nor HOME say where to keep state")
                .hint(format!("set state-dir in [gateway], or {STATE_DIR_VAR} in the environment"))
        })
}

fn address(text: &str) -> Result<SocketAddr, Invalid> {
    let hint = "write an IP address and a port: 127.0.0.1:8080, or 0.0.0.0:8080 for every interface";
    text.parse().map_err(|_| Invalid::new(format!("`{text}` is not an address to listen on")).hint(hint))
}

/// `scheme://host[:port]`, as browsers send it.
fn origin(text: &str) -> Result<String, Invalid> {
    let bad = || {
        Invalid::new(format!("`{text}` is not an origin"))
            .hint("write scheme, host and port as browsers send them: https://app.example.com")
    };
    let (scheme, host) = text.split_once("://").ok_or_else(bad)?;
    if !matches!(scheme, "http" | "https") || !is_authority(host) {
        return Err(bad());
    }
    Ok(text.to_ascii_lowercase())
}

fn host(text: &str) -> Result<String, Invalid> {
    if !is_authority(text) {
        let invalid = Invalid::new(format!("`{text}` is not a host"));
        return Err(invalid.hint("write the host alone, without scheme and path: tools.example.com"));
    }
    Ok(text.to_ascii_lowercase())
}

fn is_authority(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    !text.is_empty() && text.chars().all(allowed)
}

fn session_key(text: &str) -> Result<Secret, Invalid> {
    if text.len() < MIN_SESSION_KEY {
        let invalid = Invalid::new(format!("shorter than {MIN_SESSION_KEY} bytes"));
        return Err(invalid.hint("make one by `openssl rand -hex 32`"));
    }
    Ok(Secret::from(text.to_owned()))
}

fn log_format(text: &str) -> Result<LogFormat, Invalid> {
    match text {
        "json" => Ok(LogFormat::Json),
        "text" => Ok(LogFormat::Text),
        _ => Err(Invalid::new(format!("`{text}` is not a log format")).hint("write json or text")),
    }
}
