//! The state directory: read-only, full, shared, tampered with. The gateway serves all the same.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use e2e::gateway::{Gateway, run};
use e2e::guests;
use e2e::site::Site;
use serde_json::json;

fn hello() -> String {
    format!("[servers.hello]\ncomponent = \"file:{}\"\n", guests::guest("hello").display())
}

async fn greets(gateway: &Gateway) {
    let result = gateway.client().call("hello__greet", json!({ "name": "Ada" })).await;
    assert_eq!(result["isError"], false, "{result}");
}

/// A small file system on a folder of the site, unmounted on drop.
struct Mount(std::path::PathBuf);

impl Mount {
    fn tmpfs(path: std::path::PathBuf, options: &str) -> Self {
        fs::create_dir_all(&path).unwrap();
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&path).status();
        assert!(status.unwrap().success(), "mounting a tmpfs needs root, as in a CI container");
        Self(path)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}

#[tokio::test]
async fn a_read_only_state_directory_costs_the_cache_and_is_told() {
    let site = Site::new(&hello());
    let _mount = Mount::tmpfs(site.path("state"), "ro,size=1m");
    let gateway = Gateway::start(&site).await;
    greets(&gateway).await;
    let log = gateway.logged("ead-only").await;
    assert!(log.contains("state"), "{log}");
}

#[tokio::test]
async fn a_full_state_directory_costs_the_cache_and_is_told() {
    let site = Site::new(&hello());
    let _mount = Mount::tmpfs(site.path("state"), "size=16k,mode=0700");
    let gateway = Gateway::start(&site).await;
    greets(&gateway).await;
    gateway.logged("o space left").await;
}

#[tokio::test]
async fn two_gateways_share_a_state_directory() {
    let site = Site::new(&hello());
    let (first, second) = tokio::join!(Gateway::start_with(&site, &[]), async {
        let other = Site::new(&hello());
        let text = fs::read_to_string(other.config()).unwrap();
        let shared = format!("state-dir = \"{}\"", site.path("state").display());
        other.write("toolgate.toml", text.replace("state-dir = \"state\"", &shared));
        let gateway = Gateway::start(&other).await;
        (other, gateway)
    });
    greets(&first).await;
    greets(&second.1).await;
}

#[tokio::test]
async fn tampered_native_code_is_never_loaded() {
    let site = Site::new(&hello());
    drop(Gateway::start(&site).await);
    let mut tampered = 0;
    for file in files_below(&site.path("state")) {
        let mut bytes = fs::read(&file).unwrap();
        if bytes.len() > 50_000 && !file.to_string_lossy().contains("blobs") {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            fs::write(&file, bytes).unwrap();
            tampered += 1;
        }
    }
    assert_eq!(tampered, 1, "one compiled component: {:?}", files_below(&site.path("state")));
    let gateway = Gateway::start(&site).await;
    greets(&gateway).await;
    gateway.logged("was compiled again: it was changed").await;
}

#[tokio::test]
async fn a_second_start_takes_compiled_code_from_the_cache() {
    let site = Site::new(&hello());
    drop(Gateway::start(&site).await);
    let before = contents(&site);
    let gateway = Gateway::start(&site).await;
    greets(&gateway).await;
    assert_eq!(before, contents(&site), "nothing was written again");
}

#[test]
fn the_state_directory_is_private() {
    let site = Site::new(&hello());
    assert!(run(&site, &["check"]).status.success());
    let mode = fs::metadata(site.path("state")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

/// Which file each path is: replacing one, even by the same bytes, gives another inode.
fn contents(site: &Site) -> Vec<(std::path::PathBuf, u64)> {
    let inode = |path: std::path::PathBuf| {
        let inode = fs::metadata(&path).unwrap().ino();
        (path, inode)
    };
    files_below(&site.path("state")).into_iter().map(inode).collect()
}

fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
