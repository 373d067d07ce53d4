//! A layout is read and written as the specification says, and can't be made to reach elsewhere.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::*;
use crate::artifact::format::pack;
use crate::artifact::reference::Reference;
use crate::artifact::test_support::component;

const MAX: u64 = 1 << 20;

fn layout(dir: &Path, suffix: &str) -> LayoutReference {
    match format!("oci-layout:{}{suffix}", dir.display()).parse() {
        Ok(Reference::Layout(layout)) => layout,
        other => panic!("{other:?}"),
    }
}

fn packed(name: &str) -> Packed {
    pack(component(name), "x").unwrap()
}

fn pushed(names: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tools");
    for (name, suffix) in names {
        push(&layout(&path, suffix), &packed(name)).unwrap();
    }
    (dir, path)
}

fn error(dir: &Path, suffix: &str) -> String {
    let text = fetch(&layout(dir, suffix), MAX).unwrap_err().to_string();
    text.replace(dir.to_str().unwrap(), "DIR")
}

#[test]
fn what_was_pushed_is_fetched_by_tag_and_by_digest() {
    let (_dir, path) = pushed(&[("one", ":1"), ("two", ":2")]);
    let two = fetch(&layout(&path, ":2"), MAX).unwrap();
    assert_eq!(two.bytes, component("two"));
    assert_eq!(two.digest, Digest::of(&two.bytes));
    let suffix = format!(":1@{}", two.manifest_digest);
    assert_eq!(fetch(&layout(&path, &suffix), MAX).unwrap().bytes, two.bytes, "the digest wins");
}

#[test]
fn the_directory_is_an_image_layout() {
    let (_dir, path) = pushed(&[("one", ":1")]);
    let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap();
    assert_eq!(read("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#);
    let manifest = packed("one").manifest;
    assert_eq!(
        read("index.json"),
        format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{}","size":{},"annotations":{{"org.opencontainers.image.ref.name":"1"}}}}],"mediaType":"application/vnd.oci.image.index.v1+json"}}"#,
            manifest.digest,
            manifest.bytes.len()
        )
    );
}

#[test]
fn a_tag_pushed_again_means_the_new_component() {
    let (_dir, path) = pushed(&[("one", ":1"), ("keep", ":2"), ("two", ":1")]);
    assert_eq!(fetch(&layout(&path, ":1"), MAX).unwrap().bytes, component("two"));
    assert_eq!(fetch(&layout(&path, ":2"), MAX).unwrap().bytes, component("keep"));
    let index = std::fs::read_to_string(path.join("index.json")).unwrap();
    assert_eq!(index.matches("ref.name").count(), 2);
}

#[test]
fn without_a_tag_the_only_manifest_or_latest_is_meant() {
    let (_dir, path) = pushed(&[("one", ":1")]);
    assert_eq!(fetch(&layout(&path, ""), MAX).unwrap().bytes, component("one"));
    push(&layout(&path, ":2"), &packed("two")).unwrap();
    assert_eq!(error(&path, ""), "oci-layout:DIR is ambiguous: there are the tags 1, 2");
    push(&layout(&path, ""), &packed("new")).unwrap();
    assert_eq!(fetch(&layout(&path, ""), MAX).unwrap().bytes, component("new"));
}

#[test]
fn a_missing_tag_or_digest_is_named_with_what_is_there() {
    let (_dir, path) = pushed(&[("one", ":1"), ("two", ":1.1")]);
    assert_eq!(error(&path, ":2"), "tag 2 does not exist in DIR");
    let hint = fetch(&layout(&path, ":2"), MAX).unwrap_err().hint();
    assert_eq!(hint.unwrap(), "the tags there: 1, 1.1");
    let digest = Digest::of(b"none");
    assert_eq!(error(&path, &format!("@{digest}")), format!("manifest {digest} does not exist in DIR"));
}

#[test]
fn a_directory_that_is_no_layout_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    assert_eq!(error(&missing, ""), "DIR is not an OCI image layout: No such file or directory (os error 2)");
    std::fs::write(dir.path().join("thesis.txt"), "").unwrap();
    assert_eq!(error(dir.path(), ""), "DIR is not an OCI image layout: it has no oci-layout file");
    let refused = push(&layout(dir.path(), ":1"), &packed("one")).unwrap_err().to_string();
    assert!(refused.ends_with("it has no oci-layout file but is not empty"), "{refused}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_damaged_layout_says_where() {
    let (_dir, path) = pushed(&[("one", ":1")]);
    let blob = |digest: &Digest| path.join(blob_path(digest));
    let damage = |file: PathBuf, content: &str| {
        let before = std::fs::read(&file).unwrap();
        std::fs::write(&file, content).unwrap();
        let text = error(&path, ":1");
        std::fs::write(&file, before).unwrap();
        text
    };
    let one = packed("one");
    assert_eq!(
        damage(blob(&one.layer.digest), "evil"),
        format!(
            "DIR/{} is not what it should be: expected {}, got {}",
            blob_path(&one.layer.digest),
            one.layer.digest,
            Digest::of(b"evil")
        )
    );
    assert!(damage(blob(&one.manifest.digest), "evil").contains("is not what it should be"));
    assert_eq!(
        damage(path.join("index.json"), "{}"),
        "DIR is not an OCI image layout: its index.json is not readable: missing field `schemaVersion` at line 1 column 2"
    );
    assert_eq!(
        damage(path.join("oci-layout"), r#"{"imageLayoutVersion":"2"}"#),
        "DIR is not an OCI image layout: its version is 2, only 1.0.0 is known"
    );
}

#[test]
fn a_push_heals_a_damaged_blob() {
    let (_dir, path) = pushed(&[("one", ":1")]);
    std::fs::write(path.join(blob_path(&packed("one").layer.digest)), "evil").unwrap();
    push(&layout(&path, ":1"), &packed("one")).unwrap();
    assert_eq!(fetch(&layout(&path, ":1"), MAX).unwrap().bytes, component("one"));
}

#[test]
fn a_component_beyond_the_limit_is_not_read() {
    let (_dir, path) = pushed(&[("one", ":1")]);
    let text = fetch(&layout(&path, ":1"), 10).unwrap_err().to_string();
    assert!(text.ends_with("is larger than the limit of 10 bytes"), "{text}");
}

#[test]
fn a_symlink_or_pipe_in_a_layout_reaches_nothing() {
    let (dir, path) = pushed(&[("one", ":1")]);
    let one = path.join(blob_path(&packed("one").layer.digest));
    let outside = dir.path().join("outside");
    std::fs::rename(&one, &outside).unwrap();
    symlink(&outside, &one).unwrap();
    let text = error(&path, ":1");
    assert!(text.ends_with("leads out of it"), "{text}");
    std::fs::remove_file(&one).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &one, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    assert!(error(&path, ":1").ends_with("not a regular file"));
}

#[test]
fn entries_and_fields_of_other_tools_survive_a_push() {
    let (_dir, path) = pushed(&[("one", ":1")]);
    let index = path.join("index.json");
    let foreign = r#"{"schemaVersion":2,"annotations":{"a":"b"},"manifests":[{"mediaType":"x/y","digest":"sha256:00","size":1,"platform":{"os":"linux","architecture":"arm64","variant":"v8"},"data":"eA=="}]}"#;
    std::fs::write(&index, foreign).unwrap();
    push(&layout(&path, ":2"), &packed("two")).unwrap();
    let after = std::fs::read_to_string(&index).unwrap();
    for kept in [r#""annotations":{"a":"b"}"#, r#""variant":"v8""#, r#""data":"eA==""#] {
        assert!(after.contains(kept), "{kept} in {after}");
    }
}

#[test]
fn writers_at_the_same_time_all_get_their_tag() {
    let dir = tempfile::tempdir().unwrap();
    let path = &dir.path().join("tools");
    std::thread::scope(|scope| {
        for n in 0..8 {
            scope.spawn(move || {
                let name = format!("tool{n}");
                push(&layout(path, &format!(":{name}")), &packed(&name)).unwrap();
            });
        }
    });
    for n in 0..8 {
        let name = format!("tool{n}");
        let fetched = fetch(&layout(path, &format!(":{name}")), MAX).unwrap();
        assert_eq!(fetched.bytes, component(&name));
    }
}
