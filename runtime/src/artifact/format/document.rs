//! From the bytes of a manifest to the one layer of an artifact of a given type, which is no component.

use serde::Deserialize;

use super::MANIFEST;
use crate::artifact::digest::Digest;
use crate::artifact::error::ArtifactError;

/// Characters of a publisher's text that a message shows.
const SHOWN: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: u64,
    media_type: Option<String>,
    artifact_type: Option<String>,
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    digest: String,
    size: u64,
}

/// Digest and size of the layer of a manifest with that artifact type. `what` names it in errors.
pub(in crate::artifact) fn document(
    bytes: &[u8],
    artifact_type: &str,
    what: &str,
) -> Result<(Digest, u64), ArtifactError> {
    let garbage = |cause: String| ArtifactError::Garbage { what: format!("the manifest of {what}"), cause };
    let raw: Raw = serde_json::from_slice(bytes).map_err(|cause| garbage(cause.to_string()))?;
    if raw.schema_version != 2 || raw.media_type.as_deref().is_some_and(|other| other != MANIFEST) {
        return Err(garbage("it is no manifest of OCI's image specification".to_owned()));
    }
    if raw.artifact_type.as_deref() != Some(artifact_type) {
        let found = raw.artifact_type.unwrap_or_else(|| "none".to_owned());
        let found: String = found.chars().take(SHOWN).collect();
        return Err(garbage(format!("its artifactType is {found}, not {artifact_type}")));
    }
    let [layer] = &raw.layers[..] else {
        return Err(garbage(format!("it has {} layers, not one", raw.layers.len())));
    };
    let digest =
        layer.digest.parse().map_err(|cause| garbage(format!("its layer has no digest: {cause}")))?;
    Ok((digest, layer.size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_manifest_of_the_type_with_one_layer_leads_to_it() {
        let manifest = |kind: &str, layers: &str| {
            format!(r#"{{"schemaVersion":2,"artifactType":"{kind}","config":{{}},"layers":[{layers}]}}"#)
        };
        let layer = format!(r#"{{"mediaType":"application/json","digest":"{}","size":7}}"#, Digest::of(b"x"));
        let read = |text: String| document(text.as_bytes(), "a/b", "oci://r/c:1");
        assert_eq!(read(manifest("a/b", &layer)).unwrap(), (Digest::of(b"x"), 7));
        for (text, why) in [
            (manifest("a/c", &layer), "its artifactType is a/c, not a/b"),
            (manifest("a/b", ""), "it has 0 layers, not one"),
            (manifest("a/b", &format!("{layer},{layer}")), "it has 2 layers, not one"),
            (manifest("a/b", r#"{"digest":"md5:x","size":1}"#), "its layer has no digest"),
            ("{".to_owned(), "EOF"),
        ] {
            let error = read(text.clone()).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
