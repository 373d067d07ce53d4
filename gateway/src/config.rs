//! The operator's config: one TOML file, read once at start into types that can't be wrong.
//!
//! Every fault is found and told before anything runs (see [`ConfigErrors`]); what passes needs no
//! second look downstream. Paths are taken relative to the file. Parsing is pure: it reads no file
//! and no environment but the one it is handed. It knows the policies of the runtime, and nothing
//! of how servers are resolved or served.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use toml::de::DeTable;
use toolgate_runtime::artifact::{ArtifactsOptions, Aws};
use toolgate_runtime::egress::EgressOptions;

mod admission;
mod auth;
mod container;
mod docker;
mod egress;
mod engine;
mod error;
mod expand;
mod gateway;
mod grants;
mod json;
mod limits;
mod overrides;
mod profiles;
pub mod quantity;
mod raw;
mod registries;
mod remote;
mod secrets;
mod server;

pub use admission::AdmissionConfig;
pub use auth::key_section;
pub use docker::DockerConfig;
pub use engine::EngineConfig;
pub use error::{ConfigError, ConfigErrors, MAX_REPORTED, Problem};
pub use expand::{Env, ExpandError};
pub use gateway::{GatewayConfig, LogFormat, STATE_DIR_VAR};
pub use overrides::{Fixed, Overrides, ParameterOverride, ToolOverride};
pub(crate) use raw::nearest;
pub use server::{BackendChoice, ServerConfig, is_server_name};

use crate::auth::{Callers, Key};
use crate::catalog::{CatalogSettings, Profile, Surface};
use error::{Faults, Invalid};
use raw::{Reader, Section};

/// Bytes of a config file. Against a path that leads to a device or a log.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// Servers of a config. Against a generated file that would exhaust the host at start.
const MAX_SERVERS: usize = 1024;

/// A config that makes sense.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[gateway]`.
    pub gateway: GatewayConfig,
    /// `[auth.keys.*]`.
    pub keys: Vec<Key>,
    /// `[registries]` and the state directory.
    pub artifacts: ArtifactsOptions,
    /// `[admission]`.
    pub admission: AdmissionConfig,
    /// `[engine]`.
    pub engine: EngineConfig,
    /// `[egress]`.
    pub egress: EgressOptions,
    /// `[docker]`.
    pub docker: DockerConfig,
    /// `[servers.*]` by name.
    pub servers: BTreeMap<String, ServerConfig>,
    /// `[profiles.*]` by name.
    pub profiles: BTreeMap<String, Profile>,
}

/// Why there is no config.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file can't be read.
    #[error("cannot read the config {}", .path.display())]
    Read {
        /// As given.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// More than [`MAX_BYTES`].
    #[error("the config {} is larger than {MAX_BYTES} bytes", .path.display())]
    TooLarge {
        /// As given.
        path: PathBuf,
    },
    /// Not text.
    #[error("the config {} is not UTF-8 at byte {at}", .path.display())]
    NotUtf8 {
        /// As given.
        path: PathBuf,
        /// Where the text ends.
        at: usize,
    },
    /// Read, but wrong.
    #[error(transparent)]
    Invalid(#[from] ConfigErrors),
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// If it can't be read, or has faults.
    pub fn load(path: &Path, env: Env<'_>) -> Result<Self, LoadError> {
        let text = read_text(path)?;
        Ok(Self::parse(&text, path, env)?)
    }

    /// Checks the text of a file. `path` names it in messages, and relative paths in it start at
    /// its directory.
    ///
    /// # Errors
    /// All faults together.
    pub fn parse(text: &str, path: &Path, env: Env<'_>) -> Result<Self, ConfigErrors> {
        let file = path.display().to_string();
        let (document, syntax) = DeTable::parse_recoverable(text);
        let mut faults = Faults::default();
        for error in syntax {
            let problem = Problem::Syntax(error.message().to_owned());
            faults.report(error.span().unwrap_or_default(), problem);
        }
        // What stands behind a syntax error may have been lost: it would only add false faults.
        faults.into_result(&file, text)?;
        let reader = Reader::new(env);
        let base = path.parent().unwrap_or_else(|| Path::new(""));
        let config = read(&reader, document.get_ref(), base, env);
        reader.into_faults().into_result(&file, text)?;
        Ok(config)
    }
}

impl Config {
    /// Whether other hosts could call without a key, and the config does not say that they may.
    pub fn is_open_by_mistake(&self) -> bool {
        let gateway = &self.gateway;
        !gateway.listen.ip().is_loopback() && self.keys.is_empty() && !gateway.allow_anonymous
    }

    /// How servers are listed.
    pub fn catalog(&self) -> CatalogSettings {
        let searched = self.servers.values().filter(|server| server.surface == Surface::Search);
        CatalogSettings {
            profiles: self.profiles.clone(),
            surface: self.gateway.surface,
            searched: searched.map(|server| server.name.clone()).collect(),
            ..CatalogSettings::default()
        }
    }
}

/// How artifacts are pulled by commands that need no config.
pub fn default_artifacts(env: Env<'_>) -> ArtifactsOptions {
    let aws = Aws::from_environment(env);
    ArtifactsOptions { state_dir: gateway::state_dir(None, env).ok(), aws, ..ArtifactsOptions::default() }
}

fn read<'r>(reader: &'r Reader<'_>, table: &'r DeTable<'r>, base: &Path, env: Env<'_>) -> Config {
    let root = Section::root(reader, table);
    let mut gateway = gateway::read(reader, root.section("gateway"), base, env);
    let mut artifacts = registries::read(root.section("registries"), base, env);
    artifacts.state_dir = Some(gateway.state_dir.clone());
    let admission = admission::read(root.section("admission"));
    let engine = engine::read(root.section("engine"));
    let egress = egress::read(root.section("egress"), base);
    let docker = docker::read(root.section("docker"), base, env);
    let mut servers = BTreeMap::new();
    if let Some(section) = root.section("servers") {
        for (i, (name, server)) in section.sections().into_iter().enumerate() {
            if i == MAX_SERVERS {
                let why = Invalid::new(format!("more than {MAX_SERVERS} servers"));
                reader.invalid(section.span(), "servers", why);
                break;
            }
            let server = server::read(&name, server, base);
            servers.insert(name.into_inner(), server);
        }
    }
    let names: Vec<&str> = servers.keys().map(String::as_str).collect();
    let keys = auth::read(root.section("auth"), &names);
    let profiles = profiles::read(root.section("profiles"), &names);
    let allow_anonymous = || root.section("gateway")?.place("allow-anonymous");
    if gateway.allow_anonymous
        && !keys.is_empty()
        && let Some(place) = allow_anonymous()
    {
        reader.invalid(place, "allow-anonymous", auth::anonymous_beside_keys());
    }
    gateway.http.callers = Callers::of(&keys);
    root.finish();
    Config { gateway, keys, admission, artifacts, engine, egress, docker, servers, profiles }
}

fn read_text(path: &Path) -> Result<String, LoadError> {
    let failed = |cause| LoadError::Read { path: path.to_owned(), cause };
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        let path = path.to_owned();
        return Err(LoadError::TooLarge { path });
    }
    String::from_utf8(bytes)
        .map_err(|error| LoadError::NotUtf8 { path: path.to_owned(), at: error.utf8_error().valid_up_to() })
}

#[cfg(test)]
mod tests;
