//! The two verbs over files and layouts; registries have their own tests beside their client.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::artifact::test_support::{CORE_MODULE, component};

fn artifacts() -> Artifacts {
    Artifacts::open(ArtifactsOptions { max_bytes: 1000, ..ArtifactsOptions::default() }).unwrap()
}

async fn file_error(content: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.wasm");
    std::fs::write(&path, content).unwrap();
    let reference = format!("file:{}", path.display()).parse().unwrap();
    let error = artifacts().fetch(&reference).await.unwrap_err().to_string();
    error.replace(dir.path().to_str().unwrap(), "DIR")
}

#[tokio::test]
async fn a_file_is_read_and_hashed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.wasm");
    std::fs::write(&path, component("x")).unwrap();
    let reference: Reference = format!("file:{}", path.display()).parse().unwrap();
    let artifact = artifacts().fetch(&reference).await.unwrap();
    assert_eq!(artifact.bytes, component("x"));
    assert_eq!(artifact.digest, Digest::of(&artifact.bytes));
    assert_eq!((artifact.reference, artifact.manifest_digest), (reference, None));
}

#[tokio::test]
async fn a_file_that_is_no_component_is_refused() {
    assert_eq!(file_error(b"").await, "file:DIR/x.wasm is empty");
    let module = "file:DIR/x.wasm is a core wasm module, not a component";
    assert_eq!(file_error(CORE_MODULE).await, module);
    assert_eq!(
        file_error(b"(component)").await,
        "file:DIR/x.wasm is not wasm: it does not start with `\\0asm` and a component's version"
    );
    let oversized = "DIR/x.wasm is larger than the limit of 1000 bytes";
    assert_eq!(file_error(&[0; 1001]).await, oversized);
}

#[tokio::test]
async fn a_file_that_is_none_is_named() {
    for (path, cause) in [
        ("/nonexistent.wasm", "No such file or directory (os error 2)"),
        ("/dev/zero", "not a regular file"),
        ("/", "not a regular file"),
    ] {
        let reference = format!("file:{path}").parse().unwrap();
        let error = artifacts().fetch(&reference).await.unwrap_err().to_string();
        assert_eq!(error, format!("{path}: {cause}"));
    }
}

#[tokio::test]
async fn a_layout_takes_and_gives() {
    let dir = tempfile::tempdir().unwrap();
    let reference: Reference = format!("oci-layout:{}/t:1", dir.path().display()).parse().unwrap();
    let pushed = artifacts().push(component("x"), &reference).await.unwrap();
    let artifact = artifacts().fetch(&reference).await.unwrap();
    assert_eq!(artifact.bytes, component("x"));
    assert_eq!(artifact.manifest_digest, Some(pushed.manifest_digest));
    let pinned = format!("{reference}@{}", pushed.manifest_digest).parse().unwrap();
    assert_eq!(artifacts().fetch(&pinned).await.unwrap().digest, artifact.digest);
}

#[tokio::test]
async fn a_push_keeps_to_the_digest_in_its_reference() {
    let dir = tempfile::tempdir().unwrap();
    let other = Digest::of(b"other");
    let text = format!("oci-layout:{}/t:1@{other}", dir.path().display());
    let reference = text.parse().unwrap();
    let error = artifacts().push(component("x"), &reference).await.unwrap_err().to_string();
    assert!(error.contains(&format!("is not what it should be: expected {other}")), "{error}");
    assert!(!dir.path().join("t").exists());
}

#[tokio::test]
async fn what_cannot_be_published_is_refused() {
    let file = "file:x.wasm".parse().unwrap();
    let error = artifacts().push(component("x"), &file).await.unwrap_err();
    assert_eq!(error.to_string(), "file:x.wasm can't be pushed to: a file is no registry");
    assert!(error.hint().unwrap().contains("oci-layout:DIR:TAG"));
    let layout = "oci-layout:/nonexistent:1".parse().unwrap();
    let error = artifacts().push(vec![0; 1001].into(), &layout).await.unwrap_err();
    assert_eq!(error.to_string(), "the component is larger than the limit of 1000 bytes");
}
