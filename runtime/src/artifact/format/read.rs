//! From the bytes of a manifest to the layer that holds the component.
//!
//! Liberal in what it takes: any config, as long as exactly one layer is wasm, because tools of
//! several generations disagree about the config. An image index leads on to one of its manifests.

use serde::Deserialize;

use super::{DOCKER_INDEX, DOCKER_MANIFEST, INDEX, MANIFEST};
use crate::artifact::digest::Digest;
use crate::artifact::error::ArtifactError;

/// Layers that are wasm: today's, then those of wasm-to-oci and of early registries.
const LAYERS: [&str; 4] = [
    super::LAYER,
    "application/vnd.wasm.content.layer.v1+wasm",
    "application/vnd.module.wasm.content.layer.v1+wasm",
    "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
];

/// Configs and artifact types that say wasm.
const CONFIGS: [&str; 2] = [super::CONFIG, "application/vnd.wasm.config.v1+json"];

/// Media types named in a message; a manifest may list thousands.
const NAMED: usize = 5;

/// What a manifest leads to.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::artifact) enum Manifest {
    /// The component.
    Layer {
        /// Of its bytes.
        digest: Digest,
        /// In bytes.
        size: u64,
    },
    /// The one manifest of an index that is wasm.
    Index(Digest),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: u64,
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
    artifact_type: Option<String>,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

/// Reads a manifest or an index. `what` names it in errors.
pub(in crate::artifact) fn read(bytes: &[u8], what: &str) -> Result<Manifest, ArtifactError> {
    let garbage = |cause: String| ArtifactError::Garbage { what: format!("the manifest of {what}"), cause };
    let raw: Raw = serde_json::from_slice(bytes).map_err(|cause| garbage(cause.to_string()))?;
    if raw.schema_version != 2 {
        return Err(garbage(format!("schemaVersion is {}, not 2", raw.schema_version)));
    }
    if let Some(other) = raw.media_type.as_deref()
        && ![MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX].contains(&other)
    {
        return Err(garbage(format!("its mediaType is {}", short(other))));
    }
    match (raw.layers, raw.manifests) {
        (Some(layers), None) => component(raw.config.as_ref(), &layers, what),
        (None, Some(manifests)) => choose(&manifests, what),
        // Two readers could see two different artifacts in it.
        (Some(_), Some(_)) => Err(garbage("it has both `layers` and `manifests`".to_owned())),
        (None, None) => Err(garbage("it has neither `layers` nor `manifests`".to_owned())),
    }
}

fn component(
    config: Option<&Descriptor>,
    layers: &[Descriptor],
    what: &str,
) -> Result<Manifest, ArtifactError> {
    let mut wasm = layers.iter().filter(|layer| LAYERS.contains(&layer.media_type.as_str()));
    match (wasm.next(), wasm.next()) {
        (Some(layer), None) => Ok(Manifest::Layer { digest: digest(layer, what)?, size: layer.size }),
        (Some(_), Some(_)) => Err(ArtifactError::Ambiguous {
            what: what.to_owned(),
            cause: "it has several wasm layers".to_owned(),
        }),
        (None, _) => {
            Err(ArtifactError::NotWasmArtifact { what: what.to_owned(), found: media_types(config, layers) })
        }
    }
}

fn media_types(config: Option<&Descriptor>, layers: &[Descriptor]) -> String {
    let config = config.map_or("none".to_owned(), |config| short(&config.media_type));
    let listed = list(layers.iter().map(|layer| short(&layer.media_type)));
    format!("config {config}, layers {listed}")
}

fn list(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let mut listed = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if listed.is_empty() {
        listed.push_str("none");
    }
    if more > 0 {
        listed.push_str(&format!(" and {more} more"));
    }
    listed
}

/// The one entry of an index that is wasm; wasip2 before any other system.
fn choose(entries: &[Descriptor], what: &str) -> Result<Manifest, ArtifactError> {
    let wasm: Vec<_> = entries.iter().filter(|entry| is_wasm(entry)).collect();
    let components: Vec<_> = wasm
        .iter()
        .copied()
        .filter(|entry| entry.platform.as_ref().is_some_and(|platform| platform.os == "wasip2"))
        .collect();
    let only = match (components.as_slice(), wasm.as_slice(), entries) {
        ([one], _, _) | ([], [one], _) => *one,
        // An index of one that says nothing: worth a look.
        ([], [], [one]) if one.platform.is_none() => one,
        ([], [], _) => {
            return Err(ArtifactError::NotWasmArtifact {
                what: what.to_owned(),
                found: format!("an index for {}", list(entries.iter().map(kind))),
            });
        }
        _ => {
            return Err(ArtifactError::Ambiguous {
                what: what.to_owned(),
                cause: "its index has several wasm manifests".to_owned(),
            });
        }
    };
    Ok(Manifest::Index(digest(only, what)?))
}

fn is_wasm(entry: &Descriptor) -> bool {
    let by_platform = entry.platform.as_ref().is_some_and(|platform| platform.architecture == "wasm");
    let by_type = entry.artifact_type.as_deref().is_some_and(|kind| CONFIGS.contains(&kind));
    by_platform || by_type
}

fn kind(entry: &Descriptor) -> String {
    match &entry.platform {
        Some(platform) => short(&format!("{}/{}", platform.os, platform.architecture)),
        None => short(entry.artifact_type.as_ref().unwrap_or(&entry.media_type)),
    }
}

fn digest(descriptor: &Descriptor, what: &str) -> Result<Digest, ArtifactError> {
    descriptor.digest.parse().map_err(|cause| ArtifactError::Garbage {
        what: format!("the manifest of {what}"),
        cause: format!("`{}`: {cause}", short(&descriptor.digest)),
    })
}

/// Foreign text made fit for a message.
fn short(text: &str) -> String {
    text.chars().take(100).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
