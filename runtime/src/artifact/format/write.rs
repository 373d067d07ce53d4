//! From a component to the blobs that publish it.
//!
//! Nothing here depends on the time or the place: the same component gives the same manifest
//! digest on every machine, so that a rebuild can be compared with what was published.

use std::collections::BTreeMap;

use bytes::Bytes;
use oci_distribution::manifest::{OciDescriptor, OciImageManifest};
use serde::Serialize;
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Resolve, WorldKey};

use super::{CONFIG, LAYER, MANIFEST, check_component};
use crate::artifact::digest::Digest;
use crate::artifact::error::ArtifactError;

/// The required `created` of the config; a real time would change the digest with each push.
const CREATED: &str = "1970-01-01T00:00:00Z";
/// The name under which `oras pull` saves the layer; without one it saves nothing.
const TITLE: (&str, &str) = ("org.opencontainers.image.title", "component.wasm");

/// A component and what goes with it.
#[derive(Debug)]
pub(in crate::artifact) struct Packed {
    /// The component.
    pub(in crate::artifact) layer: Blob,
    /// The config.
    pub(in crate::artifact) config: Blob,
    /// The manifest that binds them.
    pub(in crate::artifact) manifest: Blob,
}

/// Bytes and their name.
#[derive(Debug)]
pub(in crate::artifact) struct Blob {
    /// Of `bytes`.
    pub(in crate::artifact) digest: Digest,
    /// The content.
    pub(in crate::artifact) bytes: Bytes,
}

impl Blob {
    fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { digest: Digest::of(&bytes), bytes }
    }

    fn descriptor(&self, media_type: &str) -> OciDescriptor {
        OciDescriptor {
            media_type: media_type.to_owned(),
            digest: self.digest.to_string(),
            size: i64::try_from(self.bytes.len()).unwrap_or(i64::MAX),
            urls: None,
            annotations: None,
            artifact_type: None,
        }
    }
}

/// Fields and their order as in the CNCF specification.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    created: &'a str,
    architecture: &'a str,
    os: &'a str,
    layer_digests: [String; 1],
    component: Component,
}

#[derive(Serialize)]
struct Component {
    exports: Vec<String>,
    imports: Vec<String>,
    target: Option<String>,
}

/// Builds config and manifest of a component. Decodes all of it: seconds for the largest.
pub(in crate::artifact) fn pack(wasm: Bytes, what: &str) -> Result<Packed, ArtifactError> {
    check_component(&wasm, what)?;
    let component = component(&wasm, what)?;
    let layer = Blob::new(wasm);
    let config = Config {
        created: CREATED,
        architecture: "wasm",
        os: "wasip2",
        layer_digests: [layer.digest.to_string()],
        component,
    };
    let config = Blob::new(json(&config, what)?);
    let mut layers = vec![layer.descriptor(LAYER)];
    layers[0].annotations = Some(BTreeMap::from([(TITLE.0.to_owned(), TITLE.1.to_owned())]));
    let manifest = OciImageManifest {
        media_type: Some(MANIFEST.to_owned()),
        config: config.descriptor(CONFIG),
        layers,
        ..OciImageManifest::default()
    };
    let manifest = Blob::new(json(&manifest, what)?);
    Ok(Packed { layer, config, manifest })
}

fn json(value: &impl Serialize, what: &str) -> Result<Vec<u8>, ArtifactError> {
    serde_json::to_vec(value)
        .map_err(|cause| ArtifactError::NotComponent { what: what.to_owned(), cause: cause.to_string() })
}

fn component(wasm: &[u8], what: &str) -> Result<Component, ArtifactError> {
    let not = |cause: String| ArtifactError::NotComponent { what: what.to_owned(), cause };
    match decode(wasm).map_err(|cause| not(format!("{cause:#}")))? {
        DecodedWasm::Component(resolve, world) => {
            let world = &resolve.worlds[world];
            Ok(Component {
                exports: world.exports.keys().map(|key| name(&resolve, key)).collect(),
                imports: world.imports.keys().map(|key| name(&resolve, key)).collect(),
                target: None,
            })
        }
        DecodedWasm::WitPackage(..) => Err(not("it is a WIT package, which has no code to run".to_owned())),
    }
}

fn name(resolve: &Resolve, key: &WorldKey) -> String {
    match key {
        WorldKey::Name(name) => name.clone(),
        WorldKey::Interface(id) => resolve.id_of(*id).unwrap_or_else(|| "(unnamed)".to_owned()),
    }
}
