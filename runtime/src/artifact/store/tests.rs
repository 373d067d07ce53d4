//! The store gives right bytes or none, and never stands in the way of serving.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::symlink;

use super::*;

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(Some(dir.path().join("state")));
    (dir, store)
}

fn blob() -> (Digest, Bytes) {
    let bytes = Bytes::from_static(b"component");
    (Digest::of(&bytes), bytes)
}

#[test]
fn a_blob_is_found_by_its_digest() {
    let (_dir, store) = store();
    let (digest, bytes) = blob();
    assert!(store.get(&digest, 100).bytes.is_none());
    assert_eq!(store.put(&digest, &bytes), None);
    let found = store.get(&digest, 100);
    assert_eq!((found.bytes, found.note), (Some(bytes), None));
}

#[test]
fn a_corrupt_blob_is_removed_and_not_returned() {
    let (dir, store) = store();
    let (digest, bytes) = blob();
    let path = dir.path().join("state/blobs/sha256").join(digest.hex());
    for corrupt in ["compOnent", "", "component and much more than the cap allows"] {
        store.put(&digest, &bytes);
        std::fs::write(&path, corrupt).unwrap();
        let found = store.get(&digest, 20);
        assert_eq!(found.bytes, None);
        assert_eq!(found.note.unwrap(), format!("the stored {digest} was corrupt; removed it"));
        assert!(!path.exists());
    }
}

#[test]
fn a_symlink_does_not_lead_out_of_the_store() {
    let (dir, store) = store();
    let (digest, bytes) = blob();
    store.put(&digest, &bytes);
    let secret = dir.path().join("outside");
    std::fs::write(&secret, &bytes).unwrap();
    let path = dir.path().join("state/blobs/sha256").join(digest.hex());
    std::fs::remove_file(&path).unwrap();
    symlink(&secret, &path).unwrap();
    let found = store.get(&digest, 100);
    assert_eq!(found.bytes, None);
    assert!(found.note.unwrap().contains("is unreadable"));
}

#[test]
fn an_unusable_directory_is_a_note_and_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let (digest, bytes) = blob();
    let store = Store::new(Some(file.join("state")));
    let note = store.put(&digest, &bytes).unwrap();
    assert!(note.starts_with(&format!("{digest} is not kept in the state directory")), "{note}");
    assert!(store.remember("oci://a/b:c", &digest).is_some());
    assert!(store.get(&digest, 100).bytes.is_none());
    assert_eq!(Store::new(None).put(&digest, &bytes), None);
}

#[test]
fn full_and_read_only_are_said_plainly() {
    let note = |errno: rustix::io::Errno| not_kept("x", Path::new("/state"), &errno.into());
    let full = "x is not kept in the state directory /state: it is full; it will be fetched again";
    assert_eq!(note(rustix::io::Errno::NOSPC), full);
    assert_eq!(note(rustix::io::Errno::DQUOT), full);
    let read_only = full.replace("full", "read-only");
    assert_eq!(note(rustix::io::Errno::ROFS), read_only);
    assert_eq!(note(rustix::io::Errno::ACCESS), read_only);
}

#[test]
fn a_full_disk_leaves_no_half_written_blob() {
    let (dir, store) = store();
    let (digest, bytes) = blob();
    store.put(&Digest::of(b""), &Bytes::new());
    // The name is taken by a directory, so the last step fails as it does on a full disk.
    let folder = dir.path().join("state/blobs/sha256");
    std::fs::create_dir_all(folder.join(digest.hex()).join("x")).unwrap();
    assert!(store.put(&digest, &bytes).is_some());
    let names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().starts_with(".tmp-")), "{names:?}");
}

#[test]
fn remains_of_a_crash_are_swept_but_not_work_in_progress() {
    let (dir, store) = store();
    let folder = dir.path().join("state/blobs/sha256");
    std::fs::create_dir_all(&folder).unwrap();
    for name in [".tmp-1-old", ".tmp-2-new"] {
        std::fs::write(folder.join(name), "half").unwrap();
    }
    let old = std::fs::File::options().write(true).open(folder.join(".tmp-1-old")).unwrap();
    old.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(7200)).unwrap();
    let (digest, bytes) = blob();
    store.put(&digest, &bytes);
    assert!(!folder.join(".tmp-1-old").exists());
    assert!(folder.join(".tmp-2-new").exists());
}

#[test]
fn a_tag_is_remembered_for_its_own_reference_only() {
    let (dir, store) = store();
    let (digest, _) = blob();
    assert_eq!(store.remember("oci://a/b:c", &digest), None);
    assert_eq!(store.recall("oci://a/b:c"), Some(digest));
    assert_eq!(store.recall("oci://a/b:d"), None);
    let tags = dir.path().join("state/tags");
    let moved = tags.join(tag_file("oci://a/b:d"));
    std::fs::copy(tags.join(tag_file("oci://a/b:c")), moved).unwrap();
    assert_eq!(store.recall("oci://a/b:d"), None);
}

#[test]
fn several_writers_do_not_disturb_each_other() {
    let (_dir, store) = store();
    let (digest, bytes) = blob();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(store.put(&digest, &bytes), None);
                    assert_eq!(store.get(&digest, 100).bytes.as_ref(), Some(&bytes));
                }
            });
        }
    });
}

/// A store for few blobs, and `count` blobs of 100 bytes; the older their number, the older they are.
fn aged(count: u8, bound: Bound) -> (tempfile::TempDir, Store, Vec<Digest>) {
    let (dir, mut store) = store();
    let folder = dir.path().join("state/blobs/sha256");
    let now = std::time::SystemTime::now();
    let put = |n: u8| {
        let bytes = Bytes::from(vec![n; 100]);
        let digest = Digest::of(&bytes);
        assert_eq!(store.put(&digest, &bytes), None);
        let file = std::fs::File::open(folder.join(digest.hex())).unwrap();
        file.set_modified(now - std::time::Duration::from_secs(60 * u64::from(count - n))).unwrap();
        digest
    };
    let digests = (0..count).map(put).collect();
    store.max_blobs = bound;
    (dir, store, digests)
}

fn found(store: &Store, digests: &[Digest]) -> Vec<bool> {
    digests.iter().map(|digest| store.get(digest, 1000).bytes.is_some()).collect()
}

#[test]
fn the_least_recently_used_blobs_go_first() {
    for bound in [Bound { files: 3, bytes: u64::MAX }, Bound { files: usize::MAX, bytes: 250 }] {
        let (_dir, store, digests) = aged(4, bound);
        assert!(store.get(&digests[0], 1000).bytes.is_some(), "used: now the youngest");
        let (new, bytes) = blob();
        assert_eq!(store.put(&new, &bytes), None);
        assert_eq!(found(&store, &digests), [true, false, false, true], "{bound:?}");
        assert_eq!(store.get(&new, 1000).bytes, Some(bytes));
    }
}

#[test]
fn a_blob_larger_than_all_may_be_is_kept_alone() {
    let (_dir, store, digests) = aged(2, Bound { files: 10, bytes: 5 });
    let (new, bytes) = blob();
    assert_eq!(store.put(&new, &bytes), None);
    assert_eq!(found(&store, &digests), [false, false]);
    assert_eq!(store.get(&new, 1000).bytes, Some(bytes));
}

#[test]
fn processes_that_evict_at_a_time_give_right_bytes_or_none() {
    let (dir, _) = store();
    let bound = Bound { files: 2, bytes: u64::MAX };
    std::thread::scope(|scope| {
        for process in 0..4u8 {
            let mut store = Store::new(Some(dir.path().join("state")));
            store.max_blobs = bound;
            scope.spawn(move || {
                for n in 0..50u8 {
                    let bytes = Bytes::from(vec![n.wrapping_mul(process); 100]);
                    let digest = Digest::of(&bytes);
                    assert_eq!(store.put(&digest, &bytes), None);
                    let found = store.get(&digest, 1000);
                    assert_eq!(found.note, None);
                    assert!(found.bytes.is_none_or(|found| found == bytes));
                }
            });
        }
    });
    let left = std::fs::read_dir(dir.path().join("state/blobs/sha256")).unwrap().count();
    assert!((1..=5).contains(&left), "{left} blobs are left");
}
