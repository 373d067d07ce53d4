//! What is written is fixed; what is read comes from several tools.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::artifact::digest::Digest;
use crate::artifact::test_support::{CORE_MODULE, component};

fn error(manifest: &str) -> String {
    read(manifest.as_bytes(), "REF").unwrap_err().to_string()
}

#[test]
fn the_same_component_always_gets_the_same_manifest() {
    let packed = pack(component("pin"), "x").unwrap();
    let config = std::str::from_utf8(&packed.config.bytes).unwrap();
    let layer = packed.layer.digest;
    assert_eq!(
        config,
        format!(
            r#"{{"created":"1970-01-01T00:00:00Z","architecture":"wasm","os":"wasip2","layerDigests":["{layer}"],"component":{{"exports":["pin"],"imports":[],"target":null}}}}"#
        )
    );
    let size = packed.layer.bytes.len();
    let config = (packed.config.digest, packed.config.bytes.len());
    assert_eq!(
        std::str::from_utf8(&packed.manifest.bytes).unwrap(),
        format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.wasm.config.v0+json","digest":"{}","size":{}}},"layers":[{{"mediaType":"application/wasm","digest":"{layer}","size":{size},"annotations":{{"org.opencontainers.image.title":"component.wasm"}}}}]}}"#,
            config.0, config.1
        )
    );
    let again = pack(component("pin"), "elsewhere").unwrap();
    assert_eq!(again.manifest.digest, packed.manifest.digest);
}

#[test]
fn what_is_written_can_be_read() {
    let packed = pack(component("a"), "x").unwrap();
    assert_eq!(
        read(&packed.manifest.bytes, "x").unwrap(),
        Manifest::Layer { digest: packed.layer.digest, size: packed.layer.bytes.len() as u64 }
    );
}

#[test]
fn only_components_can_be_published() {
    let error = |bytes: &[u8]| pack(Bytes::copy_from_slice(bytes), "x.wasm").unwrap_err().to_string();
    assert_eq!(error(b""), "x.wasm is empty");
    assert_eq!(error(CORE_MODULE), "x.wasm is a core wasm module, not a component");
    let not_wasm = "x.wasm is not wasm: it does not start with `\\0asm` and a component's version";
    assert_eq!(error(b"#!/bin/sh"), not_wasm);
    assert_eq!(error(b"\0asm"), not_wasm);
    assert_eq!(
        error(b"\0asm\x0e\0\x01\0"),
        "x.wasm is not a valid component: its encoding has version 14, only 13 is known"
    );
    let whole = component("a");
    let cut = error(&whole[..whole.len() - 3]);
    assert!(cut.starts_with("x.wasm is not a valid component: "), "{cut}");
    assert!(ArtifactError::CoreModule(String::new()).hint().unwrap().contains("wasm32-wasip2"));
}

fn manifest(config: &str, layers: &[&str]) -> String {
    let descriptor =
        |kind: &str| format!(r#"{{"mediaType":"{kind}","digest":"{}","size":7}}"#, Digest::of(b"x"));
    let layers: Vec<_> = layers.iter().map(|kind| descriptor(kind)).collect();
    format!(r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#, descriptor(config), layers.join(","))
}

#[test]
fn artifacts_of_other_tools_are_read() {
    for (config, layer) in [
        ("application/vnd.wasm.config.v0+json", "application/wasm"),
        ("application/vnd.oci.empty.v1+json", "application/wasm"),
        ("application/vnd.unknown.config.v1+json", "application/wasm"),
        ("application/vnd.wasm.config.v1+json", "application/vnd.wasm.content.layer.v1+wasm"),
    ] {
        let read = read(manifest(config, &[layer]).as_bytes(), "x").unwrap();
        assert_eq!(read, Manifest::Layer { digest: Digest::of(b"x"), size: 7 });
    }
    let with_docs = manifest("a/b", &["text/markdown", "application/wasm"]);
    assert!(read(with_docs.as_bytes(), "x").is_ok());
}

#[test]
fn a_container_image_is_refused_with_what_it_holds() {
    let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
    assert_eq!(
        error(&manifest("application/vnd.oci.image.config.v1+json", &[tar, tar])),
        format!(
            "REF is not a wasm artifact: it holds config application/vnd.oci.image.config.v1+json, layers {tar}, {tar}"
        )
    );
    assert_eq!(
        error(&manifest("a/b", &["c/d"; 9])),
        "REF is not a wasm artifact: it holds config a/b, layers c/d, c/d, c/d, c/d, c/d and 4 more"
    );
    assert_eq!(
        error(&manifest("a/b", &["application/wasm", "application/wasm"])),
        "REF is ambiguous: it has several wasm layers"
    );
}

fn index(entries: &[&str]) -> String {
    let entries: Vec<_> = entries
        .iter()
        .enumerate()
        .map(|(n, more)| {
            format!(r#"{{"mediaType":"{MANIFEST}","digest":"{}","size":1{more}}}"#, Digest::of(&[n as u8]))
        })
        .collect();
    format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, entries.join(","))
}

#[test]
fn an_index_leads_to_its_wasm_manifest() {
    let linux = r#","platform":{"os":"linux","architecture":"amd64"}"#;
    let p1 = r#","platform":{"os":"wasip1","architecture":"wasm"}"#;
    let p2 = r#","platform":{"os":"wasip2","architecture":"wasm"}"#;
    let typed = r#","artifactType":"application/vnd.wasm.config.v0+json""#;
    let chosen = |entries: &[&str]| read(index(entries).as_bytes(), "x").unwrap();
    let nth = |n: u8| Manifest::Index(Digest::of(&[n]));
    assert_eq!(chosen(&[linux, p2]), nth(1));
    assert_eq!(chosen(&[p1, linux, p2]), nth(2));
    assert_eq!(chosen(&[linux, typed]), nth(1));
    assert_eq!(chosen(&[""]), nth(0));
    assert_eq!(
        error(&index(&[linux, linux])),
        "REF is not a wasm artifact: it holds an index for linux/amd64, linux/amd64"
    );
    assert_eq!(error(&index(&[p2, p2])), "REF is ambiguous: its index has several wasm manifests");
    assert_eq!(error(&index(&[])), "REF is not a wasm artifact: it holds an index for none");
}

#[test]
fn garbage_is_named() {
    assert_eq!(error("<html>"), "the manifest of REF is not readable: expected value at line 1 column 1");
    assert_eq!(
        error(r#"{"schemaVersion":1}"#),
        "the manifest of REF is not readable: schemaVersion is 1, not 2"
    );
    assert_eq!(
        error(r#"{"schemaVersion":2,"mediaType":"text/plain"}"#),
        "the manifest of REF is not readable: its mediaType is text/plain"
    );
    assert_eq!(
        error(r#"{"schemaVersion":2}"#),
        "the manifest of REF is not readable: it has neither `layers` nor `manifests`"
    );
    assert_eq!(
        error(r#"{"schemaVersion":2,"layers":[],"manifests":[]}"#),
        "the manifest of REF is not readable: it has both `layers` and `manifests`"
    );
    let layer =
        r#"{"schemaVersion":2,"layers":[{"mediaType":"application/wasm","digest":"md5:1","size":1}]}"#;
    assert_eq!(
        error(layer),
        "the manifest of REF is not readable: `md5:1`: digest algorithm `md5` is not supported, only sha256 is"
    );
}

proptest! {
    #[test]
    fn reading_never_panics(text in "\\PC{0,80}", cut in 0usize..400) {
        let _ = read(text.as_bytes(), "x");
        let whole = manifest("a/b", &["application/wasm"]);
        let _ = read(&whole.as_bytes()[..cut.min(whole.len())], "x");
    }
}
