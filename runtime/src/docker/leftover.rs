//! What containers use and what outlives them: the networks and volumes that the gateway made for them.

use std::collections::HashMap;
use std::time::Duration;

use bollard::errors::Error;
use bollard::query_parameters::{ListNetworksOptionsBuilder, ListVolumesOptionsBuilder, RemoveVolumeOptions};
use tokio::time::sleep;

use super::engine::DockerEngine;
use super::error::DockerError;

/// Tries to remove one, whose last containers may just be on their way out.
const TRIES: usize = 100;

/// Between two of them.
const AGAIN: Duration = Duration::from_millis(200);

/// Something that is removed by itself.
#[derive(Debug)]
pub(super) enum Leftover {
    /// A network, by id.
    Network(String),
    /// A volume, by name.
    Volume(String),
}

/// Labels by name.
type Labels = HashMap<String, String>;

impl Leftover {
    /// Removes it; that fails while a container uses it.
    pub(super) async fn remove(&self, engine: &DockerEngine) -> Result<(), Error> {
        match self {
            Self::Network(id) => engine.docker().remove_network(id).await,
            Self::Volume(name) => engine.docker().remove_volume(name, None::<RemoveVolumeOptions>).await,
        }
    }

    /// Removes it as soon as no container uses it.
    pub(super) fn remove_later(self, engine: &DockerEngine) {
        // Outside of a runtime the process is ending, and what is left is for the next start to reap.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let engine = engine.clone();
        runtime.spawn(async move {
            for _ in 0..TRIES {
                match self.remove(&engine).await {
                    Ok(()) | Err(Error::DockerResponseServerError { status_code: 404, .. }) => return,
                    Err(_) => sleep(AGAIN).await,
                }
            }
        });
    }

    /// All that have a label, each with its labels.
    pub(super) async fn labelled(
        engine: &DockerEngine,
        label: &str,
    ) -> Result<Vec<(Self, Labels)>, DockerError> {
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
        let networks = engine.docker().list_networks(Some(options)).await;
        let networks = networks.map_err(|error| engine.refused("list networks", &error))?;
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let volumes = engine.docker().list_volumes(Some(options)).await;
        let volumes = volumes.map_err(|error| engine.refused("list volumes", &error))?;
        let networks = networks
            .into_iter()
            .filter_map(|network| Some((Self::Network(network.id?), network.labels.unwrap_or_default())));
        let volumes = volumes.volumes.into_iter().flatten();
        let volumes = volumes.map(|volume| (Self::Volume(volume.name), volume.labels));
        Ok(networks.chain(volumes).collect())
    }
}
