//! What a container starts with, as it sees it itself: the attempts of `tests/escape` that make sense there.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::support::{Docked, READY, is_nobody, text, went_well};

async fn refused(docked: &Docked, tool: &str, arguments: Value) -> String {
    let result = docked.client().call(tool, arguments).await;
    assert_eq!(result["isError"], true, "{tool} went through: {result}");
    text(&result).to_owned()
}

#[tokio::test]
async fn it_is_nobody_and_may_nothing() {
    let docked = Docked::start("").await;
    let result = docked.client().call("identity", json!({})).await;
    is_nobody(&result);
}

#[tokio::test]
async fn only_its_tmp_is_writable_and_that_has_an_end() {
    let docked = Docked::start("").await;
    for path in ["/odd", "/new", "/etc/passwd", "/proc/sys/kernel/core_pattern", "/sys/kernel/uevent_helper"]
    {
        refused(&docked, "write", json!({ "path": path, "bytes": 1 })).await;
    }
    let written = docked.client().call("write", json!({ "path": "/tmp/x", "bytes": 1 << 20 })).await;
    went_well(&written);
    let full = refused(&docked, "write", json!({ "path": "/tmp/x", "bytes": 128 << 20 })).await;
    assert!(full.contains("No space left on device"), "{full}");
}

#[tokio::test]
async fn the_hosts_files_processes_and_devices_are_not_there() {
    let docked = Docked::start("").await;
    let (site, pid) = (docked.site.config(), docked.gateway.pid());
    let environment = format!("/proc/{pid}/environ");
    for path in
        [site.to_str().unwrap(), "/var/run/docker.sock", "/etc/shadow", &environment, "/dev/mem", "/dev/kmsg"]
    {
        refused(&docked, "read", json!({ "path": path })).await;
    }
}

#[tokio::test]
async fn there_is_no_network() {
    let here = TcpListener::bind("127.0.0.1:0").unwrap();
    let docked = Docked::start("").await;
    let own = here.local_addr().unwrap().to_string();
    for address in [
        own.as_str(),
        docked.gateway.address(),
        "169.254.169.254:80",
        "[fd00:ec2::254]:80",
        "10.0.0.1:80",
        "deb.example:80",
    ] {
        refused(&docked, "connect", json!({ "address": address })).await;
    }
    let seen = docked.client().call("read", json!({ "path": "/proc/net/dev" })).await;
    let interfaces: Vec<&str> =
        went_well(&seen).lines().skip(2).map(|line| line.split(':').next().unwrap().trim()).collect();
    assert_eq!(interfaces, ["lo"]);
}

#[tokio::test]
async fn it_cannot_fork_without_end() {
    let docked = Docked::start("").await;
    let said = refused(&docked, "fork", json!({})).await;
    let count: u32 =
        said.split(" after ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok()).unwrap();
    assert!((100..256).contains(&count), "{said}");
    went_well(&docked.client().call("count", json!({})).await);
}

#[tokio::test]
async fn a_folder_is_there_as_it_was_granted() {
    let docked = Docked::of(&format!(
        "[servers.odd]\nimage = \"{}\"\n[servers.odd.grants]\nfiles = [\n  {{ host = \"./data\", guest = \"/data\", mode = \"ro\" }},\n  {{ host = \"./out\", guest = \"/out\", mode = \"rw\" }},\n]\n",
        e2e::engine::ODD
    ))
    .await;
    // The folders are made before the server is tried again by itself.
    docked.site.write("data/word", "inside");
    docked.site.write("out/word", "inside");
    let writable = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(docked.site.path("out"), writable).unwrap();
    docked.gateway.logged_within(std::time::Duration::from_secs(30), READY).await;
    let read = docked.client().call("read", json!({ "path": "/data/word" })).await;
    assert_eq!(went_well(&read), "inside");
    refused(&docked, "write", json!({ "path": "/data/word", "bytes": 1 })).await;
    went_well(&docked.client().call("write", json!({ "path": "/out/new", "bytes": 1 })).await);
    assert_eq!(std::fs::metadata(docked.site.path("out/new")).unwrap().len(), 4096);
}

#[tokio::test]
async fn what_the_engine_was_asked_for_is_what_it_made() {
    let docked = Docked::start("[servers.odd.limits]\ncpus = 0.5\nmemory = \"256MiB\"").await;
    let ids = docked.engine.settles_at(&docked.label(), 1).await;
    let inspected: Value = serde_json::from_str(&docked.engine.docker(&["inspect", &ids[0]])).unwrap();
    let host = &inspected[0]["HostConfig"];
    assert_eq!((&host["NanoCpus"], &host["Memory"]), (&json!(500_000_000), &json!(256 << 20)), "{host}");
    assert_eq!((&host["MemorySwap"], &host["PidsLimit"]), (&json!(256 << 20), &json!(256)), "{host}");
    assert_eq!((&host["ReadonlyRootfs"], &host["NetworkMode"]), (&json!(true), &json!("none")), "{host}");
    assert_eq!((&host["CapDrop"], &host["Privileged"]), (&json!(["ALL"]), &json!(false)), "{host}");
    assert_eq!(
        (&host["Init"], &host["SecurityOpt"]),
        (&json!(true), &json!(["no-new-privileges"])),
        "{host}"
    );
    let labels = &inspected[0]["Config"]["Labels"];
    assert_eq!(
        (&labels["dev.toolgate.server"], &labels["dev.toolgate"]),
        (&json!("odd"), &json!("1")),
        "{labels}"
    );
}
