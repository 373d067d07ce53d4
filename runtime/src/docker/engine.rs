//! A connection to a Docker Engine API: whether it answers, and what it says.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::ContainerSummary;
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, Docker};
use tokio::sync::{RwLock, RwLockReadGuard, watch};
use tokio::time::{sleep, timeout};

use super::address::Address;
use super::error::{DockerError, told};

/// Time for the engine to answer most requests. What takes long, as a pull does, sends all the while.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Time to answer that it is there.
const PING: Duration = Duration::from_secs(5);

/// Between two looks whether an engine is still there.
const WATCH: Duration = Duration::from_secs(2);

/// An engine. Cheap to clone; it need not be up, nor stay.
#[derive(Clone, Debug)]
pub struct DockerEngine {
    docker: Docker,
    address: Address,
    watch: Arc<OnceLock<watch::Sender<Option<DockerError>>>>,
    /// Whether containers may still be made. Whoever makes one reads it until it is there.
    open: Arc<RwLock<bool>>,
}

/// The states of podman's containers that others have too. It has more, in which one is on its way out, and an
/// answer with them could not be read.
const STATES: [&str; 5] = ["created", "running", "paused", "removing", "exited"];

/// What an engine says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Its version: `28.2.2`.
    pub version: String,
    /// The architecture of its machine: `amd64`.
    pub architecture: String,
}

impl DockerEngine {
    /// An engine at that address. Nothing is sent yet.
    ///
    /// # Errors
    /// If the certificates can't be read.
    pub fn at(address: Address) -> Result<Self, DockerError> {
        let seconds = TIMEOUT.as_secs();
        let docker = match &address {
            Address::Unix(path) => {
                Docker::connect_with_unix(&path.to_string_lossy(), seconds, API_DEFAULT_VERSION)
            }
            Address::Tcp(authority) => Docker::connect_with_http(authority, seconds, API_DEFAULT_VERSION),
            Address::Tls { authority, certificates } => Docker::connect_with_ssl(
                &format!("tcp://{authority}"),
                &certificates.join("key.pem"),
                &certificates.join("cert.pem"),
                &certificates.join("ca.pem"),
                seconds,
                API_DEFAULT_VERSION,
            ),
        };
        match docker {
            Ok(docker) => {
                Ok(Self { docker, address, watch: Arc::default(), open: Arc::new(RwLock::new(true)) })
            }
            Err(error) => Err(DockerError::None { address, cause: told(&error) }),
        }
    }

    /// Whether it answers, and how.
    ///
    /// # Errors
    /// [`DockerError::None`] with the reason.
    pub async fn ping(&self) -> Result<About, DockerError> {
        let none = |cause| DockerError::None { address: self.address.clone(), cause };
        let asked = timeout(PING, self.negotiated()).await;
        match asked {
            Err(_) => Err(none(format!("it did not answer within {} s", PING.as_secs()))),
            Ok(Err(error)) => Err(none(told(&error))),
            Ok(Ok(about)) => Ok(about),
        }
    }

    /// Waits until it no longer answers, and says why. All who wait share one look at it.
    pub async fn lost(&self) -> DockerError {
        let sender = self.watch.get_or_init(|| {
            let sender = watch::Sender::new(None);
            tokio::spawn(look(self.docker.clone(), self.address.clone(), sender.clone()));
            sender
        });
        let mut watched = sender.subscribe();
        match watched.wait_for(Option::is_some).await.map(|lost| lost.clone()) {
            Ok(Some(error)) => error,
            // The sender is ours, so this does not happen.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Old engines refuse a version that they don't know, so theirs is asked for first.
    async fn negotiated(&self) -> Result<About, Error> {
        let docker = self.docker.clone().negotiate_version().await?;
        let version = docker.version().await?;
        let known = |text: Option<String>| text.unwrap_or_else(|| "unknown".to_owned());
        Ok(About { version: known(version.version), architecture: known(version.arch) })
    }

    /// Whether it is podman, which gives a network its address on the machine only once a container is on it.
    pub(super) async fn is_podman(&self) -> bool {
        let components = self.docker.version().await.ok().and_then(|version| version.components);
        components.into_iter().flatten().any(|component| component.name.starts_with("Podman"))
    }

    /// Its containers with a label, if one is given; those that don't run as well, if `all` are asked for.
    pub(super) async fn containers(
        &self,
        label: Option<&str>,
        all: bool,
    ) -> Result<Vec<ContainerSummary>, Error> {
        let mut filters: HashMap<&str, Vec<&str>> = HashMap::new();
        filters.extend(label.map(|label| ("label", vec![label])));
        if all && self.is_podman().await {
            filters.insert("status", STATES.to_vec());
        }
        let options = ListContainersOptionsBuilder::new().all(all).filters(&filters).build();
        self.docker.list_containers(Some(options)).await
    }

    /// A right to make a container, to be kept until it is there; `None` at the end of the process.
    pub(super) async fn opening(&self) -> Option<RwLockReadGuard<'_, bool>> {
        Some(self.open.read().await).filter(|open| **open)
    }

    /// From now on no container is made, and those that just were are there.
    pub(super) async fn close(&self) {
        *self.open.write().await = false;
    }

    pub(super) fn docker(&self) -> &Docker {
        &self.docker
    }

    /// What it would not do, or that it is gone.
    pub(super) fn refused(&self, what: &str, error: &Error) -> DockerError {
        match error {
            Error::DockerResponseServerError { .. } => {
                DockerError::Refused { what: what.to_owned(), cause: told(error) }
            }
            _ => DockerError::None { address: self.address.clone(), cause: told(error) },
        }
    }

    /// Removes a container, running or not. What is gone already, or can't be asked for, is left to reaping.
    pub(super) async fn remove(&self, id: &str) {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        drop(self.docker.remove_container(id, Some(options)).await);
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }
}

/// Looks at an engine again and again, as long as anybody may ask.
async fn look(docker: Docker, address: Address, lost: watch::Sender<Option<DockerError>>) {
    loop {
        sleep(WATCH).await;
        let cause = match timeout(PING, docker.ping()).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(told(&error)),
            Err(_) => Some(format!("it did not answer within {} s", PING.as_secs())),
        };
        lost.send_replace(cause.map(|cause| DockerError::None { address: address.clone(), cause }));
    }
}
