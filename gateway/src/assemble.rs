//! From config to servers that can be called: the only place that picks a concrete sandbox.
//!
//! All servers are resolved beside each other. One that can't be is kept, with the reason, and
//! never keeps the others from serving. Everything above sees `dyn Sandbox` alone; nothing here
//! knows of calls, protocols or transports.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};
use toolgate_runtime::artifact::{Artifact, ArtifactError, Artifacts, ArtifactsOptions, Digest, Reference};
use toolgate_runtime::docker::{About, Address, AddressError, DockerError, DockerServer, Pulled, StartError};
use toolgate_runtime::egress::{Egress, EgressError, EgressOptions};
use toolgate_runtime::events::Backend;
use toolgate_runtime::remote::{self, RemoteError, RemoteOptions, RemoteServer};
use toolgate_runtime::sandbox::{Sandbox, Target};
use toolgate_runtime::wasm::{
    CompiledCache, Component, Engine, EngineError, EngineOptions, Inspection, LoadError, PrepareOptions,
    inspect,
};

use crate::admit::{Capacity, Gate};
use crate::catalog::{ServerEntry, ServerState};
use crate::config::quantity::show_size;
use crate::config::{BackendChoice, ServerConfig};
use crate::observe::ServerLog;
use crate::overrides::overridden;

mod images;
mod pulls;
pub mod state_dir;
pub mod supervise;
#[cfg(test)]
mod tests;

pub use images::Images;
use pulls::Pulls;

/// Components that are read from disk, or prepared, at a time. Against a long config compiling for
/// each of its servers at once. Waiting for a registry takes no part of it.
const MAX_PARALLEL: usize = 8;

/// Resolves servers; made once per process.
pub struct Assembler {
    engine: Engine,
    cache: Option<CompiledCache>,
    artifacts: Artifacts,
    egress: Egress,
    images: Arc<Images>,
    capacity: Arc<Capacity>,
    pulls: Pulls,
    slots: Semaphore,
    notes: Vec<String>,
}

/// What a server resolved to.
pub struct Assembled {
    /// Its config.
    pub config: ServerConfig,
    /// The artifact, if it was found.
    pub artifact: Option<Found>,
    /// The sandbox, or why there is none.
    pub result: Result<Arc<dyn Sandbox>, ServerError>,
    /// What an operator should know though it worked.
    pub notes: Vec<String>,
    /// Time that it took.
    pub elapsed: Duration,
}

/// An artifact that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Of the component's bytes.
    pub digest: Digest,
    /// Of the manifest that led to it.
    pub manifest_digest: Option<Digest>,
    /// Bytes of the component.
    pub size: u64,
}

/// Why a server is unavailable.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The component can't be had.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The component can't be run.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Its calls could never be admitted.
    #[error("a call of it may take {}, and all calls together {}", show_size(*.needs), show_size(*.memory))]
    Footprint {
        /// Bytes that a call may take.
        needs: u64,
        /// Bytes that all calls may take.
        memory: u64,
    },
    /// The image can't be run.
    #[error(transparent)]
    Image(#[from] StartError),
    /// Where the engine should be is no address.
    #[error("DOCKER_HOST: {0}")]
    Engine(AddressError),
    /// Neither the component nor the image can be run.
    #[error("{component}; and in its place: {image}")]
    Neither {
        /// What is wrong with the component.
        component: Box<ServerError>,
        /// And with the image.
        image: Box<ServerError>,
    },
    /// It has no component.
    #[error("it has no component")]
    NoComponent,
    /// It has no image.
    #[error("it has no image")]
    NoImage,
    /// It is elsewhere, and can't be used.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// It worked until a moment ago.
    #[error("{0}")]
    Lost(String),
    /// A task of ours ended early.
    #[error("resolving it was given up: {0}")]
    Abandoned(String),
}

impl ServerError {
    /// What to change.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Artifact(error) => error.hint(),
            Self::NoComponent | Self::Image(StartError::Engine(DockerError::None { .. })) => {
                Some("component = \"oci://REGISTRY/REPOSITORY:TAG\"".to_owned())
            }
            Self::NoImage => Some("image = \"REPOSITORY:TAG\"".to_owned()),
            Self::Image(StartError::NoCommand { .. }) => {
                Some("command = [\"PROGRAM\"] in [servers.NAME.container]".to_owned())
            }
            Self::Engine(error) => Some(error.hint().to_owned()),
            Self::Neither { component, image } => component.hint().or_else(|| image.hint()),
            Self::Remote(RemoteError::Address { ip, .. }) => {
                Some(format!("name the address, or its network: url = \"https://… @{ip}\""))
            }
            Self::Load(LoadError::Secret { .. }) => {
                Some("put the file there, readable for the gateway; it is tried again by itself".to_owned())
            }
            Self::Footprint { .. } => {
                Some("lower `memory` or `output` in its limits, or raise `memory` in [admission]".to_owned())
            }
            Self::Load(_) | Self::Image(_) | Self::Remote(_) | Self::Lost(_) | Self::Abandoned(_) => None,
        }
    }

    /// Whether it only needs an engine, for which it is cheap to ask often.
    fn awaits_engine(&self) -> bool {
        match self {
            Self::Image(StartError::Engine(DockerError::None { .. })) | Self::Lost(_) => true,
            Self::Neither { image, .. } => image.awaits_engine(),
            _ => false,
        }
    }

    /// Whether the same config may work later: a registry comes back, a file appears, a tag moves.
    /// What a digest pins stays as it is.
    fn may_pass(&self, reference: Option<&Reference>) -> bool {
        match self {
            Self::Artifact(ArtifactError::Settings(_) | ArtifactError::PlainHttp { .. }) => false,
            Self::Artifact(
                ArtifactError::NotWasm(_)
                | ArtifactError::CoreModule(_)
                | ArtifactError::NotComponent { .. }
                | ArtifactError::NotWasmArtifact { .. },
            ) => reference.is_some_and(|reference| reference.digest().is_none()),
            Self::Artifact(_)
            | Self::Load(LoadError::Files { .. } | LoadError::Secret { .. })
            | Self::Abandoned(_) => true,
            Self::Image(StartError::NoCommand { .. } | StartError::Rename { .. }) => false,
            // A tag moves, an engine comes, what a server needs is there later.
            Self::Image(_) | Self::Lost(_) => true,
            Self::Neither { component, image } => component.may_pass(reference) || image.may_pass(None),
            Self::Load(_) | Self::Footprint { .. } | Self::Engine(_) | Self::NoComponent | Self::NoImage => {
                false
            }
            Self::Remote(RemoteError::Rename(_) | RemoteError::Client(_)) => false,
            // A name may lead elsewhere later.
            Self::Remote(
                RemoteError::Silent { .. } | RemoteError::Server(_) | RemoteError::Address { .. },
            ) => true,
        }
    }
}

/// How far a server is, for whoever shows progress.
#[derive(Debug)]
pub enum Step<'a> {
    /// Its artifact is being brought.
    Pulling(&'a Reference),
    /// Its component is being loaded, or compiled if it is new here.
    Preparing(&'a Found),
    /// It is elsewhere, and is being asked what it offers.
    Asking(&'a str),
    /// Its image is being looked for, and then started.
    Starting(&'a str),
    /// Its image is being pulled by the engine.
    PullingImage(&'a str, Pulled),
}

/// Hears of progress, by the server's name.
pub type Progress = Arc<dyn Fn(&str, Step<'_>) + Send + Sync>;

/// Why nothing can be assembled.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// The settings of `[registries]`.
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
    /// The settings of `[egress]`.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// This machine.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Assembler {
    /// Sets the engine up. A state directory that can't be used costs time at every start, and is
    /// told in [`notes`](Self::notes), but is no error.
    ///
    /// # Errors
    /// If settings make no sense, or wasmtime does not work on this machine.
    pub fn new(
        options: ArtifactsOptions,
        egress: EgressOptions,
        engine: EngineOptions,
        images: Arc<Images>,
        capacity: Arc<Capacity>,
    ) -> Result<Self, AssembleError> {
        let mut notes = Vec::new();
        let cache = options.state_dir.as_deref().map(|dir| {
            notes.extend(state_dir::prepare(dir));
            CompiledCache::open(dir)
        });
        notes.extend(cache.as_ref().and_then(CompiledCache::note).map(str::to_owned));
        let max_component = options.max_bytes;
        Ok(Self {
            engine: Engine::new(EngineOptions { max_component, ..engine })?,
            cache,
            artifacts: Artifacts::open(options)?,
            egress: Egress::new(egress)?,
            images,
            capacity,
            pulls: Pulls::default(),
            slots: Semaphore::new(MAX_PARALLEL),
            notes,
        })
    }

    /// What runs components.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The permits of a server, to be made once.
    pub fn gate(&self, config: &ServerConfig) -> Arc<Gate> {
        Arc::new(Gate::new(&config.policy.limits, Arc::clone(&self.capacity)))
    }

    /// What an operator should know about the state directory.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Resolves one server.
    pub async fn assemble(&self, config: ServerConfig, progress: &Progress) -> Assembled {
        let since = Instant::now();
        let mut artifact = None;
        let mut notes = Vec::new();
        let result = self.choose(&config, progress, &mut artifact, &mut notes).await;
        let result = result.map(|sandbox| overridden(&config.name, &config.overrides, sandbox));
        Assembled { config, artifact, result, notes, elapsed: since.elapsed() }
    }

    /// What is to run a server, under its choice: the component where it can be run, else the image.
    async fn choose(
        &self,
        config: &ServerConfig,
        progress: &Progress,
        found: &mut Option<Found>,
        notes: &mut Vec<String>,
    ) -> Result<Arc<dyn Sandbox>, ServerError> {
        let wasm = async |found: &mut _, notes: &mut _| match &config.component {
            Some(reference) => self.load(config, reference, progress, found, notes).await,
            None => Err(ServerError::NoComponent),
        };
        let docker = async || {
            let server = self.images.prepare(config, &self.artifacts, &self.egress, progress).await?;
            Ok(Arc::new(server) as Arc<dyn Sandbox>)
        };
        if config.is_built_in {
            return Ok(Arc::new(self.images.tools(config).await?));
        }
        if let Some(remote) = &config.remote {
            progress(&config.name, Step::Asking(remote.place.url()));
            return Ok(Arc::new(self.ask(config, remote).await?));
        }
        match config.backend {
            // The config has seen to it that there is a place then.
            BackendChoice::Remote => Err(ServerError::NoComponent),
            BackendChoice::Wasm => wasm(found, notes).await,
            BackendChoice::Docker => docker().await,
            BackendChoice::Auto if config.component.is_none() => docker().await,
            BackendChoice::Auto => match wasm(found, notes).await {
                Err(component) if config.container.is_some() => match docker().await {
                    Ok(sandbox) => {
                        notes.push(format!("its image runs, since its component can't: {component}"));
                        Ok(sandbox)
                    }
                    Err(image) => {
                        Err(ServerError::Neither { component: Box::new(component), image: Box::new(image) })
                    }
                },
                other => other,
            },
        }
    }

    async fn ask(&self, config: &ServerConfig, remote: &RemoteOptions) -> Result<RemoteServer, RemoteError> {
        let (policy, naming) = (config.policy.clone(), &config.naming);
        let around = remote::Surroundings { policy, egress: &self.egress, naming };
        RemoteServer::prepare(remote.clone(), around).await
    }

    /// Where the engine is that runs images, and what it is.
    ///
    /// # Errors
    /// If none answers.
    pub async fn look_for_engine(&self) -> Result<(Address, About), ServerError> {
        self.images.look().await
    }

    /// Starts the image of a server, whatever else it has.
    ///
    /// # Errors
    /// If there is no engine, or the image is of no use.
    pub async fn start_image(
        &self,
        config: &ServerConfig,
        progress: &Progress,
    ) -> Result<DockerServer, ServerError> {
        self.images.prepare(config, &self.artifacts, &self.egress, progress).await
    }

    /// Resolves servers beside each other; the result is in their order.
    pub async fn assemble_all(
        self: &Arc<Self>,
        configs: Vec<ServerConfig>,
        progress: &Progress,
    ) -> Vec<Assembled> {
        // All are started before the first is waited for.
        let tasks: Vec<_> = configs.into_iter().map(|config| self.start(config, progress)).collect();
        let mut assembled = Vec::with_capacity(tasks.len());
        for task in tasks {
            assembled.push(task.await);
        }
        assembled
    }

    /// Resolves one server in a task of its own: a panic leaves it unavailable, and says so.
    fn start(
        self: &Arc<Self>,
        config: ServerConfig,
        progress: &Progress,
    ) -> impl Future<Output = Assembled> + Send + use<> {
        let (assembler, progress, own) = (Arc::clone(self), Arc::clone(progress), config.clone());
        let task = tokio::spawn(async move { assembler.assemble(own, &progress).await });
        async move { task.await.unwrap_or_else(|error| Assembled::abandoned(config, &error)) }
    }

    /// Looks at a component without a policy.
    ///
    /// # Errors
    /// If it can't be had or is no component.
    pub async fn inspect(&self, reference: &Reference) -> Result<(Artifact, Inspection), ServerError> {
        let artifact = self.artifacts.fetch(reference).await?;
        let inspection = inspect(&self.engine, &artifact).await?;
        Ok((artifact, inspection))
    }

    async fn load(
        &self,
        config: &ServerConfig,
        reference: &Reference,
        progress: &Progress,
        found: &mut Option<Found>,
        notes: &mut Vec<String>,
    ) -> Result<Arc<dyn Sandbox>, ServerError> {
        progress(&config.name, Step::Pulling(reference));
        let (artifact, _slot) = self.fetch(reference).await?;
        notes.extend(artifact.notes.iter().cloned());
        progress(&config.name, Step::Preparing(found.insert(Found::of(&artifact))));
        let options = PrepareOptions {
            naming: config.naming.clone(),
            cache: self.cache.as_ref(),
            egress: Some(Arc::new(self.egress.for_server())),
            observer: Some(Arc::new(ServerLog::of(&config.name))),
        };
        let component = Component::prepare(&self.engine, &artifact, config.policy.clone(), options).await?;
        notes.extend(component.notes().iter().cloned());
        self.check_footprint(&component)?;
        Ok(Arc::new(component))
    }

    /// A call that could never be admitted is a fault of the config, to be told at the start.
    fn check_footprint(&self, component: &Component) -> Result<(), ServerError> {
        let tools = 0..component.describe().tools.len();
        let needs = tools.map(|tool| component.footprint(&Target::Tool(tool), 0)).max().unwrap_or(0);
        let memory = self.capacity.memory();
        if needs > memory {
            return Err(ServerError::Footprint { needs, memory });
        }
        Ok(())
    }

    /// An artifact, and a slot in which to prepare it.
    async fn fetch(
        &self,
        reference: &Reference,
    ) -> Result<(Artifact, Option<SemaphorePermit<'_>>), ArtifactError> {
        // Slots are never closed, so there is one.
        let slot = async || self.slots.acquire().await.ok();
        let Reference::Oci(oci) = reference else {
            let slot = slot().await;
            return Ok((self.artifacts.fetch(reference).await?, slot));
        };
        let artifact = {
            let _place = self.pulls.enter(oci.registry()).await;
            self.artifacts.fetch(reference).await?
        };
        Ok((artifact, slot().await))
    }
}

impl Assembled {
    /// The server for the catalog.
    pub fn entry(&self, gate: Arc<Gate>) -> ServerEntry {
        let state = match &self.result {
            Ok(sandbox) => ServerState::Ready(Arc::clone(sandbox)),
            Err(error) => ServerState::Unavailable(error.to_string()),
        };
        entry(&self.config, state, gate)
    }

    /// Whether another try may end otherwise.
    fn may_pass(&self) -> bool {
        self.result.as_ref().is_err_and(|error| error.may_pass(self.config.component.as_ref()))
    }

    fn awaits_engine(&self) -> bool {
        self.result.as_ref().is_err_and(ServerError::awaits_engine)
    }

    /// A server that offers other tools than before.
    fn changed(config: ServerConfig, sandbox: Arc<dyn Sandbox>) -> Self {
        let (artifact, notes) = (None, Vec::new());
        Self { config, artifact, result: Ok(sandbox), notes, elapsed: Duration::ZERO }
    }

    /// A server that worked until a moment ago.
    fn lost(config: ServerConfig, reason: String) -> Self {
        let (artifact, notes) = (None, Vec::new());
        Self { config, artifact, result: Err(ServerError::Lost(reason)), notes, elapsed: Duration::ZERO }
    }

    fn abandoned(config: ServerConfig, error: &tokio::task::JoinError) -> Self {
        Self {
            config,
            artifact: None,
            result: Err(ServerError::Abandoned(error.to_string())),
            notes: Vec::new(),
            elapsed: Duration::ZERO,
        }
    }
}

impl Found {
    fn of(artifact: &Artifact) -> Self {
        Self {
            digest: artifact.digest,
            manifest_digest: artifact.manifest_digest,
            size: artifact.bytes.len() as u64,
        }
    }
}

fn entry(config: &ServerConfig, state: ServerState, gate: Arc<Gate>) -> ServerEntry {
    let backend = match &state {
        ServerState::Ready(sandbox) => sandbox.backend(),
        ServerState::Unavailable(_) if config.is_built_in => Backend::BuiltIn,
        ServerState::Unavailable(_) if config.remote.is_some() => Backend::Remote,
        ServerState::Unavailable(_) if config.component.is_none() => Backend::Docker,
        ServerState::Unavailable(_) => Backend::Wasm,
    };
    let source = match (&config.container, backend) {
        (Some(container), Backend::Docker) => container.image.clone(),
        _ => config.source(),
    };
    ServerEntry { name: config.name.clone(), state, gate, backend, source }
}
