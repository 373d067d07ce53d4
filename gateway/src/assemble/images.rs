//! Servers that are images: one engine for all of them, found when the first one needs it.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tokio::sync::OnceCell;
use toolgate_runtime::artifact::Artifacts;
use toolgate_runtime::docker::{
    self, About, Address, DockerEngine, DockerServer, EngineTools, Identity, StartError, Surroundings,
};
use toolgate_runtime::egress::Egress;

use super::{Progress, ServerError, Step};
use crate::config::{DockerConfig, ServerConfig};
use crate::observe::ServerLog;

/// The engine, and who we are to it.
#[derive(Debug)]
pub struct Images {
    config: DockerConfig,
    state_dir: Option<PathBuf>,
    engine: OnceLock<DockerEngine>,
    identity: OnceLock<Identity>,
    /// Filled once what earlier processes left is gone.
    reaped: OnceCell<()>,
}

impl Images {
    /// Nothing is asked and nothing written before an image is wanted.
    #[must_use]
    pub fn new(config: DockerConfig, state_dir: Option<PathBuf>) -> Self {
        Self {
            config,
            state_dir,
            engine: OnceLock::new(),
            identity: OnceLock::new(),
            reaped: OnceCell::new(),
        }
    }

    /// Asks the engine what it is.
    pub(super) async fn look(&self) -> Result<(Address, About), ServerError> {
        let engine = self.engine()?;
        let about = engine.ping().await.map_err(StartError::Engine)?;
        Ok((engine.address().clone(), about))
    }

    /// Brings the image of a server and starts it.
    pub(super) async fn prepare(
        &self,
        config: &ServerConfig,
        artifacts: &Artifacts,
        egress: &Egress,
        progress: &Progress,
    ) -> Result<DockerServer, ServerError> {
        let Some(options) = config.container.clone() else { return Err(ServerError::NoImage) };
        let engine = self.engine()?;
        let identity = self.identity();
        engine.ping().await.map_err(StartError::Engine)?;
        self.reaped.get_or_try_init(|| self.reap(engine)).await?;
        let shown = |pulled| progress(&config.name, Step::PullingImage(&options.image, pulled));
        progress(&config.name, Step::Starting(&options.image));
        let around = Surroundings {
            engine,
            owner: identity.owner(&config.name),
            policy: config.policy.clone(),
            artifacts,
            egress,
            naming: &config.naming,
            observer: Arc::new(ServerLog::of(&config.name)),
            progress: &shown,
        };
        Ok(DockerServer::prepare(options.clone(), around).await?)
    }

    /// What looks at the engine.
    pub(super) async fn tools(&self, config: &ServerConfig) -> Result<EngineTools, ServerError> {
        Ok(EngineTools::prepare(self.engine()?, config.policy.clone(), &config.naming).await?)
    }

    /// Removes all containers of this process; to be called before it ends.
    pub async fn clear(&self) {
        let (Some(engine), Some(identity)) = (self.engine.get(), self.identity.get()) else { return };
        if let Err(error) = docker::clear(engine, identity).await {
            tracing::warn!("containers may be left, to be removed at the next start: {error}");
        }
    }

    async fn reap(&self, engine: &DockerEngine) -> Result<(), ServerError> {
        let count = docker::reap(engine, self.identity()).await.map_err(StartError::Engine)?;
        if count > 0 {
            tracing::info!(count, "removed containers that an earlier process had left");
        }
        Ok(())
    }

    fn engine(&self) -> Result<&DockerEngine, ServerError> {
        let address = self.config.address.as_ref().map_err(|error| ServerError::Engine(error.clone()))?;
        if let Some(engine) = self.engine.get() {
            return Ok(engine);
        }
        // A socket, or certificates, that are not there may come.
        let engine = DockerEngine::at(address.clone()).map_err(StartError::Engine)?;
        Ok(self.engine.get_or_init(|| engine))
    }

    fn identity(&self) -> &Identity {
        self.identity.get_or_init(|| Identity::open(self.state_dir.as_deref()))
    }
}
