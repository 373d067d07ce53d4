//! What commands share: the config, the log, and servers that are resolved for one command.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use toolgate_runtime::artifact::ArtifactsOptions;
use toolgate_runtime::egress::EgressOptions;
use toolgate_runtime::host::Host;
use toolgate_runtime::scheduler::Scheduler;
use toolgate_runtime::wasm::{Compiler, EngineOptions};
use tracing::Level;

use super::compile;
use super::failure::Failure;
use super::progress;
use crate::assemble::{AssembleError, Assembled, Assembler, Images};
use crate::catalog::{Catalog, CatalogSettings, View};
use crate::config::{
    self, AdmissionConfig, Config, DockerConfig, EngineConfig, LoadError, LogFormat, ServerConfig,
};
use crate::gateway::GatewaySettings;
use crate::logging::{self, StartError};
use crate::mcp::session::SessionKey;

/// Names the config where the command line does not.
const CONFIG_VAR: &str = "TOOLGATE_CONFIG";

/// Holds the config itself, for places that have no file to give. Before `TOOLGATE_CONFIG`, which an image
/// may set for all.
const CONFIG_TEXT_VAR: &str = "TOOLGATE_CONFIG_TEXT";

/// The config where nothing names one.
const DEFAULT_CONFIG: &str = "toolgate.toml";

/// Where the config is.
#[derive(Debug)]
pub(super) enum Source {
    /// In a file that was named.
    File(PathBuf),
    /// In the environment.
    Text(String),
    /// Nothing says.
    Unsaid,
}

impl Source {
    /// What the command line says, else the environment.
    pub(super) fn find(named: Option<PathBuf>) -> Self {
        let var = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        match (named, var(CONFIG_TEXT_VAR), var(CONFIG_VAR)) {
            (Some(path), _, _) => Self::File(path),
            // What is not UTF-8 becomes a fault of the text, at its place.
            (None, Some(text), _) => Self::Text(text.to_string_lossy().into_owned()),
            (None, None, Some(path)) => Self::File(path.into()),
            (None, None, None) => Self::Unsaid,
        }
    }

    /// The config, which must be there.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        let loaded = match self {
            Self::File(path) => Config::load(path, &env),
            Self::Text(text) => {
                Config::parse(text, Path::new(CONFIG_TEXT_VAR), &env).map_err(LoadError::Invalid)
            }
            Self::Unsaid => Config::load(Path::new(DEFAULT_CONFIG), &env),
        };
        Ok(loaded?)
    }

    /// The config, if there is one. One that was named must be there.
    pub(super) fn optional_config(&self) -> Result<Option<Config>, Failure> {
        match self {
            Self::Unsaid if !Path::new(DEFAULT_CONFIG).exists() => Ok(None),
            _ => self.config().map(Some),
        }
    }
}

/// How this process was called.
#[derive(Debug)]
pub(super) struct Context {
    source: Source,
    scheduler: Arc<Scheduler>,
    /// What runs images, once a command needs it.
    images: OnceLock<Arc<Images>>,
}

impl Context {
    pub(super) fn new(config: Option<PathBuf>, scheduler: Arc<Scheduler>) -> Self {
        Self { source: Source::find(config), scheduler, images: OnceLock::new() }
    }

    /// Leaves nothing behind on an engine; for the end of a command.
    pub(super) async fn clear(&self) {
        if let Some(images) = self.images.get() {
            images.clear().await;
        }
    }

    /// The config, which must be there.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        self.source.config()
    }

    /// How artifacts are pulled, for commands that work without a config too. One that was named
    /// must be there.
    pub(super) fn artifacts(&self) -> Result<ArtifactsOptions, Failure> {
        let config = self.optional_config()?;
        Ok(config.map_or_else(|| config::default_artifacts(&env), |config| config.artifacts))
    }

    /// The config, for commands that work without one too. One that was named must be there.
    pub(super) fn optional_config(&self) -> Result<Option<Config>, Failure> {
        self.source.optional_config()
    }
}

/// A variable of the environment, if it is text.
pub(super) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Starts the log.
pub(super) fn start_log(format: Option<LogFormat>, default: Level) -> Result<LogFormat, Failure> {
    let name = logging::FILTER_VAR;
    logging::start(format, default).map_err(|error| match &error {
        StartError::Filter(cause) => Failure::new(format!("{name} is not a log filter"))
            .because(cause)
            .hint(format!("{name}=info, or {name}=warn,toolgate::call=info")),
        StartError::Thread(_) => Failure::of(&error),
    })
}

/// What servers are resolved with.
#[derive(Clone, Debug, Default)]
pub(super) struct Setup {
    pub(super) artifacts: ArtifactsOptions,
    pub(super) egress: EgressOptions,
    pub(super) engine: EngineConfig,
    pub(super) docker: DockerConfig,
    pub(super) admission: AdmissionConfig,
    pub(super) catalog: CatalogSettings,
    /// Calls at a time that all servers may have together.
    pub(super) calls: u64,
}

impl Setup {
    /// To serve what a config says.
    pub(super) fn of(config: &Config) -> Self {
        let calls = config.servers.values().map(|server| u64::from(server.policy.limits.concurrency));
        Self {
            artifacts: config.artifacts.clone(),
            egress: config.egress.clone(),
            engine: config.engine.clone(),
            docker: config.docker.clone(),
            admission: config.admission,
            catalog: config.catalog(),
            calls: calls.sum::<u64>().min(config.admission.concurrency.into()),
        }
    }

    /// The same to look at the servers, or to make a single call.
    pub(super) fn brief(config: &Config) -> Self {
        Self { calls: 1, ..Self::of(config) }
    }

    /// The engine and all else that resolves servers.
    ///
    /// Components are compiled in a process of their own: this program, called by `toolgate compile`.
    pub(super) fn assembler(self, context: &Context) -> Result<Arc<Assembler>, Failure> {
        let host = Host::read();
        let engine = EngineOptions {
            compiler: Compiler::Process(vec![compile::NAME.to_owned()]),
            compile_timeout: self.engine.compile_timeout,
            metering: self.engine.metering,
            scheduler: Some(Arc::clone(&context.scheduler)),
            ..EngineOptions::for_host(&host, self.calls)
        };
        let capacity = Arc::new(self.admission.capacity(&host));
        let state_dir = self.artifacts.state_dir.clone();
        let images = context.images.get_or_init(|| Arc::new(Images::new(self.docker, state_dir)));
        let assembler = Assembler::new(self.artifacts, self.egress, engine, Arc::clone(images), capacity);
        let assembler = assembler.map_err(|error| match &error {
            AssembleError::Artifacts(cause) => Failure::of(&error).hint_if_any(cause.hint()),
            AssembleError::Egress(_) | AssembleError::Engine(_) => Failure::of(&error),
        })?;
        Ok(Arc::new(assembler))
    }
}

/// Bytes of an answer per byte of the result's JSON, at most: itself, and once more in quotes, which can
/// double it.
const ANSWER_PER_OUTPUT: u64 = 3;

/// Bytes of memory that this process may use, and those of the largest answer to a call.
pub(super) fn memory_and_answer(config: &Config) -> (u64, u64) {
    let outputs = config.servers.values().map(|server| server.policy.limits.output);
    let answer = outputs.max().unwrap_or(0).saturating_mul(ANSWER_PER_OUTPUT);
    (Host::read().memory, answer)
}

/// Servers that were resolved, and the catalog that they make.
pub(super) struct Resolved {
    pub(super) assembled: Vec<Assembled>,
    pub(super) catalog: Catalog,
    /// Of the state directory.
    pub(super) notes: Vec<String>,
}

/// Resolves servers for one command, showing progress.
pub(super) async fn resolve(
    context: &Context,
    setup: Setup,
    servers: Vec<ServerConfig>,
) -> Result<Resolved, Failure> {
    let settings = setup.catalog.clone();
    let assembler = setup.assembler(context)?;
    let assembled = assembler.assemble_all(servers, &progress::shown()).await;
    let entries = assembled.iter().map(|server| server.entry(assembler.gate(&server.config))).collect();
    let catalog = Catalog::build(entries, &settings);
    let catalog = catalog.map_err(|error| Failure::of(&error))?;
    Ok(Resolved { assembled, catalog, notes: assembler.notes().to_vec() })
}

/// The endpoint of a profile; that of all servers where none is named.
pub(super) fn view(config: &Config, profile: Option<&str>) -> Result<View, Failure> {
    let Some(name) = profile else { return Ok(View::All) };
    if config.profiles.contains_key(name) {
        return Ok(View::Profile(name.into()));
    }
    let known: Vec<&str> = config.profiles.keys().map(String::as_str).collect();
    let hint = match known.is_empty() {
        true => format!("add [profiles.{name}] with its `servers` to the config"),
        false => config::nearest(name, &known, "there are"),
    };
    Err(Failure::new(format!("the config has no profile {name:?}")).hint(hint))
}

/// What the config says about the protocol.
pub(super) fn gateway_settings(whole: &Config) -> GatewaySettings {
    let config = &whole.gateway;
    let servers_of_mcp =
        whole.servers.values().any(|server| server.container.is_some() || server.remote.is_some());
    let mut settings = GatewaySettings { servers_of_mcp, ..GatewaySettings::default() };
    let key = config.session_key.as_ref();
    if let Some(key) = key.and_then(|key| SessionKey::from_secret(key.expose().as_bytes())) {
        settings.session_key = key;
    }
    settings.session_ttl = config.session_ttl.unwrap_or(settings.session_ttl);
    settings.tools_ttl = config.tools_ttl.unwrap_or(settings.tools_ttl);
    settings
}
