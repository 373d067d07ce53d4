//! All that is needed to make one more container of a server.

use std::sync::Arc;

use bollard::models::ContainerCreateBody;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::engine::DockerEngine;
use super::error::StartError;
use super::facts::{self, Fact};
use super::outlet::{Outlet, Pass};
use super::output::Output;
use super::owner::Owner;
use super::spec::{self, Wanted};
use crate::events::Observer;
use crate::peer::News;
use crate::policy::Policy;
use crate::secret::Shield;

/// Bytes that a message of a server may have at least.
const LEAST_MESSAGE: usize = 1024 * 1024;

/// Bytes around a result in its message.
const AROUND: usize = 64 * 1024;

/// What the containers of a server have in common.
pub(super) struct Blueprint {
    pub(super) engine: DockerEngine,
    pub(super) wanted: Wanted,
    pub(super) policy: Arc<Policy>,
    pub(super) owner: Owner,
    /// Their way out, where they are granted one.
    pub(super) outlet: Option<Outlet>,
    /// A permit for each container that there may be at a time.
    pub(super) places: Arc<Semaphore>,
    /// Hears what happens outside of calls.
    pub(super) observer: Arc<dyn Observer>,
    /// What they say of what they offer.
    pub(super) news: Arc<News>,
}

/// A container that is about to be.
pub(super) struct Drawn {
    /// What the engine is asked for.
    pub(super) body: ContainerCreateBody,
    /// What hears it.
    pub(super) output: Arc<Output>,
    /// By which its requests are known.
    pub(super) pass: Option<Pass>,
}

impl Blueprint {
    /// A place for one more container, as soon as there is one.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, StartError> {
        Arc::clone(&self.places).acquire_owned().await.map_err(|_| StartError::Stopping)
    }

    /// Bytes of one message of a server, beyond which it is cut off: the largest result, and what is around
    /// it. Lists of tools may be larger than small results.
    pub(super) fn message(&self) -> usize {
        let result = usize::try_from(self.policy.limits.output).unwrap_or(usize::MAX);
        result.max(LEAST_MESSAGE).saturating_add(AROUND)
    }

    /// What a container starts with. Secrets that it is to hold are no part of it.
    pub(super) fn facts(&self) -> Vec<Fact> {
        let way = self.outlet.as_ref().map(Outlet::shown);
        facts::facts(&spec::container(&self.wanted, &self.policy, &self.owner, &[], way.as_ref()))
    }

    /// Draws one more container. Secrets are read anew for each.
    pub(super) async fn draw(&self) -> Result<Drawn, StartError> {
        let mut secrets = Vec::new();
        for (grant, name) in self.policy.grants.secret_variables() {
            let secret = grant.fetch().await.map_err(|cause| StartError::Secret {
                secret: grant.to_string(),
                cause: cause.to_string(),
            })?;
            secrets.push((name.to_owned(), secret));
        }
        let shield = Shield::of(secrets.iter().map(|(_, secret)| secret));
        let (news, limit) = (Arc::clone(&self.news), self.policy.limits.stdio);
        let output = Output::new(Arc::clone(&self.observer), limit, shield, news);
        let (pass, way) = self.outlet.as_ref().map(|outlet| outlet.admit(&output)).unzip();
        let body = spec::container(&self.wanted, &self.policy, &self.owner, &secrets, way.as_ref());
        Ok(Drawn { body, output, pass })
    }
}
