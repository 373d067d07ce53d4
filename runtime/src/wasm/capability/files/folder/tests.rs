#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use super::*;
use crate::events::{Observer, Stdio, Usage};
use crate::wasm::capability::files::quota::BLOCK;

const MAX: u64 = 1 << 20;

#[derive(Default)]
struct Heard(Mutex<Vec<Denial>>);

impl Observer for Heard {
    fn stdio(&self, _: Stdio, _: &[u8]) {}
    fn stdio_dropped(&self, _: u64) {}
    fn denied(&self, denial: &Denial) {
        self.0.lock().unwrap().push(denial.clone());
    }
    fn finished(&self, _: &Usage) {}
}

fn denials() -> (Denials, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    (Denials::new(heard.clone()), heard)
}

fn limit(folders: &Folders, host: &Path, max: u64) -> Limit {
    let grant = FilesGrant::parse(host.to_str().unwrap(), "/data", "rw").unwrap().with_max(max).unwrap();
    let dir = Arc::new(File::open(host).unwrap());
    folders.limit(&grant, &dir).unwrap().unwrap()
}

/// A folder that holds half of the limit, and the limit.
fn half_full() -> (tempfile::TempDir, Limit) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("half"), vec![1; 512 << 10]).unwrap();
    let limit = limit(&Folders::default(), dir.path(), MAX);
    (dir, limit)
}

/// Measures at once, however little time passed since it was last done.
fn measure(limit: &Limit) {
    limit.folder.measure().unwrap();
}

#[tokio::test]
async fn what_the_folder_held_and_what_calls_write_count_together() {
    let (dir, limit) = half_full();
    let (denials, heard) = denials();
    for _ in 0..4 {
        limit.enter().take(100 << 10, &denials).await.unwrap();
    }
    // None of it was really written; so it counts until the folder is measured again.
    limit.enter().take(400 << 10, &denials).await.unwrap();
    assert_eq!(heard.0.lock().unwrap().len(), 0);
    fs::write(dir.path().join("more"), vec![1; 400 << 10]).unwrap();
    let refused = limit.enter().take(200 << 10, &denials).await;
    assert_eq!(refused, Err(Errno::NOSPC));
    let told = heard.0.lock().unwrap().remove(0);
    assert_eq!(told.reason, "past the 1048576 bytes that the folder may hold, the `max` of its grant");
    let line = r#"files = [{ host = "…", guest = "/data", mode = "rw", max = "2097152B" }]"#;
    assert_eq!(told.allow.as_deref(), Some(line));
}

#[tokio::test]
async fn room_that_others_made_is_found_before_anything_is_refused() {
    let (dir, limit) = half_full();
    let (denials, _) = denials();
    limit.enter().take(512 << 10, &denials).await.unwrap();
    fs::remove_file(dir.path().join("half")).unwrap();
    limit.enter().take(MAX, &denials).await.unwrap();
}

#[tokio::test]
async fn a_full_folder_is_not_measured_without_end() {
    let (dir, limit) = half_full();
    let (denials, _) = denials();
    locked(&limit.folder.sum).due = Instant::now() + 2 * PATIENCE;
    fs::remove_file(dir.path().join("half")).unwrap();
    assert_eq!(limit.enter().take(MAX, &denials).await, Err(Errno::NOSPC));
    // It is no longer so long until it may be.
    let due = Instant::now() + PATIENCE / 2;
    locked(&limit.folder.sum).due = due;
    limit.enter().take(MAX, &denials).await.unwrap();
    assert!(Instant::now() >= due);
}

#[tokio::test]
async fn what_a_call_in_flight_wrote_counts_though_it_is_not_found() {
    let (dir, limit) = half_full();
    let (denials, _) = denials();
    let share = limit.enter();
    share.take(512 << 10, &denials).await.unwrap();
    measure(&limit);
    assert!(!limit.enter().has(1));
    drop(share);
    assert!(!limit.enter().has(1));
    // Nothing of it was written, and now it can no longer come.
    measure(&limit);
    assert!(limit.enter().has(500 << 10));
    drop(dir);
}

#[tokio::test]
async fn a_call_that_ends_while_the_folder_is_measured_is_not_forgotten() {
    let (_dir, limit) = half_full();
    let (denials, _) = denials();
    let share = limit.enter();
    share.take(512 << 10, &denials).await.unwrap();
    let begun = locked(&limit.folder.sum).begin();
    drop(share);
    locked(&limit.folder.sum).end(&begun, Holds::Bytes(512 << 10), 0);
    assert!(!limit.enter().has(1));
}

#[test]
fn a_name_that_is_moved_meanwhile_hides_nothing() {
    let (_dir, limit) = half_full();
    let share = limit.enter();
    let find_nothing = |limit: &Limit, meanwhile: &dyn Fn()| {
        let begun = locked(&limit.folder.sum).begin();
        meanwhile();
        locked(&limit.folder.sum).end(&begun, Holds::Bytes(0), 0);
        locked(&limit.folder.sum).all()
    };
    let during = find_nothing(&limit, &|| drop(share.moving()));
    assert!(during >= 512 << 10, "{during}");
    let moving = share.moving();
    let throughout = find_nothing(&limit, &|| ());
    assert!(throughout >= 512 << 10, "{throughout}");
    drop(moving);
    assert_eq!(find_nothing(&limit, &|| ()), 0);
}

#[test]
fn a_file_without_a_name_counts_while_it_is_open() {
    let (dir, limit) = half_full();
    let file = Arc::new(File::open(dir.path().join("half")).unwrap());
    let share = limit.enter();
    share.opened(&file);
    fs::remove_file(dir.path().join("half")).unwrap();
    measure(&limit);
    assert!(!share.has(600 << 10));
    drop(file);
    measure(&limit);
    assert!(share.has(MAX));
    for _ in 0..10_000 {
        share.opened(&Arc::new(tempfile::tempfile().unwrap()));
    }
    assert!(locked(&limit.folder.sum).open.len() <= FEW);
}

#[test]
fn grants_of_one_folder_share_what_it_holds_and_each_has_its_own_limit() {
    let dir = tempfile::tempdir().unwrap();
    let folders = Folders::default();
    let (small, large) = (limit(&folders, dir.path(), BLOCK), limit(&folders, dir.path(), MAX));
    let (denials, _) = denials();
    let share = large.enter();
    share.take_now(2 * BLOCK, &denials).unwrap();
    assert!(!small.enter().has(1));
    assert!(large.enter().has(1));
    let other = tempfile::tempdir().unwrap();
    assert!(limit(&folders, other.path(), BLOCK).enter().has(BLOCK));
    drop((share, small, large));
    drop(limit(&folders, other.path(), BLOCK));
    assert_eq!(locked(&folders.0.folders).len(), 1, "what no server has is forgotten");
}

#[test]
fn what_is_full_already_is_noted_with_what_to_change() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("large"), vec![1; 64 << 10]).unwrap();
    let note = |max| limit(&Folders::default(), dir.path(), max).note("/data");
    assert_eq!(note(MAX), None);
    let full = "nothing can be written to /data: past the 4096 bytes that the folder may hold, the `max` of \
                its grant";
    assert_eq!(note(BLOCK).as_deref(), Some(full));
    fs::create_dir_all(dir.path().join(["d"; 100].join("/"))).unwrap();
    let deep = note(MAX).unwrap();
    assert!(deep.ends_with("its folders are nested too deep to be measured, so it counts as full"), "{deep}");
}
