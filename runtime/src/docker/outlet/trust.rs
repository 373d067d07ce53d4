//! What tells containers whom to trust: a file in a volume of their server's own, which they can only read.
//!
//! An engine writes into a volume by a container that has it, so one is made for that, and never started.

use bollard::body_full;
use bollard::models::{
    ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions, VolumeCreateRequest,
};
use bollard::query_parameters::{CreateContainerOptions, UploadToContainerOptionsBuilder};
use tar::{Builder, Header};

use crate::docker::engine::DockerEngine;
use crate::docker::error::{DockerError, StartError};
use crate::docker::leftover::Leftover;
use crate::docker::owner::Owner;

/// The folder in containers.
pub(in crate::docker) const FOLDER: &str = "/run/toolgate";

/// The file's name there.
const FILE: &str = "authorities.pem";

/// The variables by which clients find such a file: OpenSSL's own, which Python's ssl, Go and Rust's
/// rustls-native-certs read too, and those of curl, requests, Node.js, git and the AWS tools.
const VARIABLES: [&str; 6] = [
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "AWS_CA_BUNDLE",
];

/// A volume with the file; removed when it is dropped, as soon as no container has it.
pub(super) struct Trust {
    engine: DockerEngine,
    volume: String,
}

impl Trust {
    /// Makes the volume, by a container of `image`. In a task of its own, as containers are.
    pub(super) async fn place(
        engine: &DockerEngine,
        owner: &Owner,
        image: &str,
        bundle: String,
    ) -> Result<Self, StartError> {
        let (engine, owner, image) = (engine.clone(), owner.clone(), image.to_owned());
        let task = tokio::spawn(async move { Self::begin(&engine, &owner, image, &bundle).await });
        task.await.unwrap_or_else(|error| Err(refused(error.to_string())))
    }

    async fn begin(
        engine: &DockerEngine,
        owner: &Owner,
        image: String,
        bundle: &str,
    ) -> Result<Self, StartError> {
        let opening = engine.opening().await.ok_or(StartError::Stopping)?;
        let archive = archive(bundle).map_err(|error| refused(error.to_string()))?;
        let (docker, volume) = (engine.docker(), owner.name());
        let request = VolumeCreateRequest {
            name: Some(volume.clone()),
            labels: Some(owner.labels()),
            ..VolumeCreateRequest::default()
        };
        docker.create_volume(request).await.map_err(|error| engine.refused("make a volume", &error))?;
        // From here on it is removed whatever happens.
        let trust = Self { engine: engine.clone(), volume };
        let body = writer(image, owner, &trust.volume);
        let created = docker.create_container(None::<CreateContainerOptions>, body).await;
        let id = created.map_err(|error| engine.refused("create a container", &error))?.id;
        let options = UploadToContainerOptionsBuilder::new().path(FOLDER).build();
        let written = docker.upload_to_container(&id, Some(options), body_full(archive.into())).await;
        engine.remove(&id).await;
        drop(opening);
        written.map_err(|error| engine.refused("write to a volume", &error))?;
        Ok(trust)
    }

    pub(super) fn volume(&self) -> &str {
        &self.volume
    }
}

impl Drop for Trust {
    fn drop(&mut self) {
        Leftover::Volume(std::mem::take(&mut self.volume)).remove_later(&self.engine);
    }
}

/// The variables that name the file.
pub(in crate::docker) fn variables() -> impl Iterator<Item = (&'static str, String)> {
    VARIABLES.into_iter().map(|name| (name, format!("{FOLDER}/{FILE}")))
}

/// The volume in a container.
pub(in crate::docker) fn mount(volume: &str, read_only: bool) -> Mount {
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(volume.to_owned()),
        target: Some(FOLDER.to_owned()),
        read_only: Some(read_only),
        // What an image has there is not to be mixed in.
        volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..MountVolumeOptions::default() }),
        ..Mount::default()
    }
}

/// A container that is there to be written to.
fn writer(image: String, owner: &Owner, volume: &str) -> ContainerCreateBody {
    let host = HostConfig {
        mounts: Some(vec![mount(volume, false)]),
        network_mode: Some("none".to_owned()),
        ..HostConfig::default()
    };
    ContainerCreateBody {
        image: Some(image),
        // It is made of images that have no command as well.
        cmd: Some(vec!["never-started".to_owned()]),
        labels: Some(owner.labels()),
        network_disabled: Some(true),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}

fn archive(bundle: &str) -> std::io::Result<Vec<u8>> {
    let mut header = Header::new_ustar();
    header.set_size(bundle.len() as u64);
    header.set_mode(0o444);
    let mut archive = Builder::new(Vec::new());
    archive.append_data(&mut header, FILE, bundle.as_bytes())?;
    archive.into_inner()
}

fn refused(cause: String) -> StartError {
    DockerError::Refused { what: "make a volume".to_owned(), cause }.into()
}
