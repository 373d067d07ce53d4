//! `index.json` and `oci-layout`, as text.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::digest::Digest;
use super::super::error::ArtifactError;
use super::super::format::{self, Blob};
use super::super::reference::{DEFAULT_TAG, LayoutReference};

/// The annotation that holds a tag.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Tags listed in a message.
const NAMED: usize = 10;

pub(super) const MARKER_JSON: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

#[derive(Deserialize)]
struct Marker {
    #[serde(rename = "imageLayoutVersion")]
    version: String,
}

/// Checks the content of `oci-layout`.
pub(super) fn check_marker(json: &[u8]) -> Result<(), String> {
    let marker: Marker = serde_json::from_slice(json)
        .map_err(|cause| format!("its oci-layout file is not readable: {cause}"))?;
    if marker.version != "1.0.0" {
        let version: String = marker.version.escape_debug().take(20).collect();
        return Err(format!("its version is {version}, only 1.0.0 is known"));
    }
    Ok(())
}

/// `index.json`, with what other tools put into it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    schema_version: u64,
    manifests: Vec<Entry>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl Entry {
    fn tag(&self) -> Option<&str> {
        self.annotations.get(REF_NAME).map(String::as_str)
    }
}

impl Index {
    pub(super) fn new() -> Self {
        let media_type = ("mediaType".to_owned(), format::INDEX.into());
        Self { schema_version: 2, manifests: Vec::new(), other: Map::from_iter([media_type]) }
    }

    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        let index: Self =
            serde_json::from_slice(json).map_err(|cause| format!("is not readable: {cause}"))?;
        if index.schema_version != 2 {
            return Err(format!("has schemaVersion {}, not 2", index.schema_version));
        }
        Ok(index)
    }

    pub(super) fn to_json(&self) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Lets `tag` mean `manifest` from now on.
    pub(super) fn tag(&mut self, tag: &str, manifest: &Blob) {
        self.manifests.retain(|entry| entry.tag() != Some(tag));
        self.manifests.push(Entry {
            media_type: format::MANIFEST.to_owned(),
            digest: manifest.digest.to_string(),
            size: manifest.bytes.len() as u64,
            annotations: BTreeMap::from([(REF_NAME.to_owned(), tag.to_owned())]),
            other: Map::new(),
        });
    }

    /// The manifest that `reference` means: by tag, or the only one there is.
    pub(super) fn resolve(&self, reference: &LayoutReference) -> Result<Digest, ArtifactError> {
        let tag = reference.tag();
        let wanted = tag.unwrap_or(DEFAULT_TAG);
        let tagged = self.manifests.iter().find(|entry| entry.tag() == Some(wanted));
        let entry = match (tagged, tag, self.manifests.as_slice()) {
            (Some(entry), _, _) | (None, None, [entry]) => entry,
            (None, None, [_, _, ..]) => {
                return Err(ArtifactError::Ambiguous {
                    what: reference.to_string(),
                    cause: format!("there are the tags {}", self.tags()),
                });
            }
            (None, ..) => {
                return Err(ArtifactError::NotFound {
                    what: format!("tag {wanted}"),
                    place: reference.directory().display().to_string(),
                    hint: format!("the tags there: {}", self.tags()),
                });
            }
        };
        entry.digest.parse().map_err(|cause| ArtifactError::NotLayout {
            path: reference.directory().display().to_string(),
            cause: format!("its index.json has a bad digest: {cause}"),
        })
    }

    fn tags(&self) -> String {
        let tags: Vec<String> = self
            .manifests
            .iter()
            .filter_map(Entry::tag)
            .take(NAMED)
            .map(|tag| tag.escape_debug().take(128).collect())
            .collect();
        if tags.is_empty() { "none".to_owned() } else { tags.join(", ") }
    }
}
