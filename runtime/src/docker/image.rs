//! From the name of an image to one that is there: found, pulled if it is not, and looked at.

use std::time::{Duration, Instant};

use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::models::{CreateImageInfo, ImageConfig, ImageInspect};
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt;

use super::engine::DockerEngine;
use super::error::DockerError;
use crate::artifact::{Artifacts, SignIn, SignInAs};

/// An image of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// What a container is made of: `sha256:…`, which no tag can move.
    pub id: String,
    /// The digest in its registry, where it has one: `REPOSITORY@sha256:…`.
    pub digest: Option<String>,
    /// Bytes.
    pub size: u64,
    /// The user that it would run as: empty for root.
    pub user: String,
    /// Folders for which an engine would make room on its disk.
    pub volumes: Vec<String>,
    /// Whether it says what to run.
    pub has_command: bool,
}

/// Bytes of a pull so far, and of all that is known of yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// Bytes that have come.
    pub current: u64,
    /// Bytes of the layers that have begun to come.
    pub total: u64,
}

/// Time between two words about a pull.
const PROGRESS: Duration = Duration::from_secs(1);

/// Makes an image available.
///
/// # Errors
/// If there is no engine, no such image, or it is for another machine.
pub(super) async fn resolve(
    engine: &DockerEngine,
    reference: &str,
    artifacts: &Artifacts,
    progress: &(dyn Fn(Pulled) + Send + Sync),
) -> Result<Image, DockerError> {
    let found = match engine.docker().inspect_image(reference).await {
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => {
            pull(engine, reference, artifacts, progress).await?;
            engine.docker().inspect_image(reference).await
        }
        other => other,
    };
    let inspected =
        found.map_err(|error| engine.refused(&format!("look at the image {reference}"), &error))?;
    check_machine(engine, reference, &inspected).await?;
    Ok(Image::of(inspected))
}

/// The engine brings it, as whoever the gateway is to its registry.
async fn pull(
    engine: &DockerEngine,
    reference: &str,
    artifacts: &Artifacts,
    progress: &(dyn Fn(Pulled) + Send + Sync),
) -> Result<(), DockerError> {
    // Without a tag an engine pulls all there are.
    let name = if has_tag(reference) { reference.to_owned() } else { format!("{reference}:latest") };
    let options = CreateImageOptionsBuilder::new().from_image(&name).build();
    let sign_in = artifacts.sign_in(reference).await.map_err(|error| DockerError::Refused {
        what: format!("pull the image {reference}"),
        cause: error.to_string(),
    })?;
    let credentials = sign_in.map(credentials);
    let (mut layers, mut told) = (Layers::default(), Instant::now());
    let mut steps = std::pin::pin!(engine.docker().create_image(Some(options), None, credentials));
    while let Some(step) = steps.next().await {
        let step = step.map_err(|error| engine.refused(&format!("pull the image {reference}"), &error))?;
        let pulled = layers.note(step);
        if let Some(pulled) = pulled.filter(|_| told.elapsed() >= PROGRESS) {
            told = Instant::now();
            progress(pulled);
        }
    }
    Ok(())
}

fn credentials(SignIn { registry, who }: SignIn) -> DockerCredentials {
    let credentials = DockerCredentials { serveraddress: Some(registry), ..DockerCredentials::default() };
    match who {
        SignInAs::User(user, password) => DockerCredentials {
            username: Some(user),
            password: Some(password.expose().to_owned()),
            ..credentials
        },
        SignInAs::Token(token) => {
            DockerCredentials { identitytoken: Some(token.expose().to_owned()), ..credentials }
        }
    }
}

fn has_tag(reference: &str) -> bool {
    let name = reference.rsplit('/').next().unwrap_or(reference);
    name.contains(':') || name.contains('@')
}

/// An engine starts an image for another machine, and its program fails with words that lead nowhere.
async fn check_machine(
    engine: &DockerEngine,
    reference: &str,
    image: &ImageInspect,
) -> Result<(), DockerError> {
    let about = engine.ping().await?;
    let os = image.os.as_deref().unwrap_or("linux");
    let Some(architecture) = image.architecture.as_deref().filter(|name| !name.is_empty()) else {
        return Ok(());
    };
    if os == "linux" && (architecture == about.architecture || about.architecture == "unknown") {
        return Ok(());
    }
    let cause =
        format!("it is for {os}/{architecture}, and the engine's machine is linux/{}", about.architecture);
    Err(DockerError::Refused { what: format!("run the image {reference}"), cause })
}

/// Layers that are on their way; bounded by what an image may have.
#[derive(Default)]
struct Layers(std::collections::HashMap<String, (u64, u64)>);

/// Layers of an image that are counted. Against an engine that makes them up.
const MAX_LAYERS: usize = 1024;

impl Layers {
    fn note(&mut self, step: CreateImageInfo) -> Option<Pulled> {
        let (layer, detail) = (step.id?, step.progress_detail?);
        let bytes = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
        let (current, total) = (bytes(detail.current)?, bytes(detail.total)?);
        if self.0.len() < MAX_LAYERS || self.0.contains_key(&layer) {
            self.0.insert(layer, (current, total));
        }
        let add = |sum: Pulled, &(current, total): &(u64, u64)| Pulled {
            current: sum.current.saturating_add(current),
            total: sum.total.saturating_add(total),
        };
        Some(self.0.values().fold(Pulled::default(), add))
    }
}

impl Image {
    fn of(inspected: ImageInspect) -> Self {
        let config = inspected.config.unwrap_or_default();
        let some = |words: &Option<Vec<String>>| words.as_ref().is_some_and(|words| !words.is_empty());
        let ImageConfig { user, volumes, cmd, entrypoint, .. } = config;
        Self {
            id: inspected.id.unwrap_or_default(),
            digest: inspected.repo_digests.and_then(|digests| digests.into_iter().next()),
            size: inspected.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            user: user.unwrap_or_default(),
            volumes: volumes.unwrap_or_default(),
            has_command: some(&cmd) || some(&entrypoint),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use bollard::models::ProgressDetail;

    use super::*;

    #[test]
    fn a_name_without_a_tag_means_the_latest() {
        for (name, tagged) in [
            ("mcp/time", false),
            ("localhost:5000/time", false),
            ("mcp/time:1", true),
            ("localhost:5000/mcp/time:1", true),
            ("mcp/time@sha256:abc", true),
        ] {
            assert_eq!(has_tag(name), tagged, "{name}");
        }
    }

    #[test]
    fn a_pull_is_the_sum_of_its_layers() {
        let step = |id: &str, current, total| CreateImageInfo {
            id: Some(id.to_owned()),
            progress_detail: Some(ProgressDetail { current, total }),
            ..CreateImageInfo::default()
        };
        let mut layers = Layers::default();
        assert_eq!(layers.note(step("a", None, None)), None);
        layers.note(step("a", Some(1), Some(10)));
        layers.note(step("b", Some(5), Some(5)));
        let pulled = layers.note(step("a", Some(7), Some(10))).unwrap();
        assert_eq!(pulled, Pulled { current: 12, total: 15 });
        assert_eq!(layers.note(step("c", Some(-1), Some(10))), None);
    }
}
