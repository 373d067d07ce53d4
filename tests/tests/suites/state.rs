//! The state directory: read-only, full, shared, tampered with. The gateway serves all the same.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use e2e::gateway::{Gateway, run};
use e2e::guests;
use e2e::site::Site;
use serde_json::{Value, json};

fn hello() -> String {
    format!("[servers.hello]\ncomponent = \"file:{}\"\n", guests::guest("hello").display())
}

async fn greets(gateway: &Gateway) {
    let result = gateway.client().call("hello__greet", json!({ "name": "Ada" })).await;
    assert_eq!(result["isError"], false, "{result}");
}

/// The warnings in a log so far, with the site's folder as `SITE`.
fn warnings(log: &str, site: &Site) -> Vec<String> {
    let events =
        log.lines().map(|line| line.parse::<Value>().unwrap_or_else(|error| panic!("{error}: {line}")));
    let warnings = events.filter(|event| event["level"] == "WARN");
    let text =
        |event: Value| event["message"].as_str().unwrap().replace(&site.dir().display().to_string(), "SITE");
    warnings.map(text).collect()
}

/// `FILE` for the names of files in the cache, which are a digest or random letters.
fn without_names(warning: &str) -> String {
    let mut parts = warning.split("/compiled/");
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let end = part.find(['`', '"']).unwrap();
        text.push_str("/compiled/FILE");
        text.push_str(&part[end..]);
    }
    text
}

/// All of them at the start: the last line of it is the address.
async fn warnings_at_the_start(gateway: &Gateway, site: &Site) -> Vec<String> {
    warnings(&gateway.logged("serving at").await, site)
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
    let _mount = Mount::tmpfs(site.path("state"), "ro,size=1m,mode=0700");
    let gateway = Gateway::start(&site).await;
    greets(&gateway).await;
    let expected = "compiled code is not kept in `SITE/state/compiled`: Read-only file system (os error 30)";
    assert_eq!(warnings_at_the_start(&gateway, &site).await, [expected]);
}

#[tokio::test]
async fn a_full_state_directory_costs_the_cache_and_is_told() {
    let site = Site::new(&hello());
    let _mount = Mount::tmpfs(site.path("state"), "size=16k,mode=0700");
    let gateway = Gateway::start(&site).await;
    greets(&gateway).await;
    let [warning] = &warnings_at_the_start(&gateway, &site).await[..] else { panic!("{}", gateway.log()) };
    assert_eq!(
        without_names(warning),
        "compiled code was not kept in `SITE/state/compiled/FILE`: No space left on device (os error 28) at path \
         \"SITE/state/compiled/FILE\""
    );
}

#[tokio::test]
async fn code_that_can_not_be_mapped_is_copied_and_told() {
    let site = Site::new(&hello());
    let _mount = Mount::tmpfs(site.path("state"), "noexec,size=64m,mode=0700");
    let expected = format!(
        "the code of `file:{}` is copied and shared with no other gateway, as it can't be mapped: Permission \
         denied (os error 13); let `state-dir` be where files may be executed",
        guests::guest("hello").display()
    );
    // Once compiled, and once from the cache.
    for _ in 0..2 {
        let gateway = Gateway::start(&site).await;
        greets(&gateway).await;
        assert_eq!(warnings_at_the_start(&gateway, &site).await, [expected.as_str()]);
    }
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
    let is_code =
        |(path, _): &(std::path::PathBuf, u64)| path.extension().is_some_and(|ending| ending == "cwasm");
    assert_eq!(before.iter().filter(|file| is_code(file)).count(), 1, "{before:?}");
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
