//! A real registry: tools are pushed to it and served from it, by tag and by digest.

use e2e::gateway::{Gateway, run};
use e2e::guests;
use e2e::registry::Registry;
use e2e::site::Site;
use serde_json::{Value, json};

const CLOCK: &str = "tools/clock:1.0";

fn registries(host: &str, more: &str) -> String {
    format!("[registries]\nplain-http = [\"{host}\"]\n{more}\n")
}

fn push(site: &Site, reference: &str) -> Value {
    let clock = guests::tool("clock");
    let output = run(site, &["push", "--json", clock.to_str().unwrap(), reference]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn failure(site: &Site, args: &[&str]) -> String {
    let output = run(site, args);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stderr).unwrap()
}

async fn tells_the_time(site: &Site) {
    let gateway = Gateway::start(site).await;
    let arguments = json!({ "time": "2026-11-21T12:00Z", "to-zone": "Asia/Tokyo" });
    let result = gateway.client().call("clock__convert", arguments).await;
    assert_eq!(result["isError"], false, "{result}");
    assert!(result["structuredContent"]["time"].as_str().unwrap().contains("21:00"), "{result}");
}

#[tokio::test]
async fn tools_are_served_by_tag_and_by_digest_from_an_anonymous_registry() {
    let registry = Registry::anonymous();
    let host = registry.host();
    let site = Site::new(&registries(&host, ""));
    let pushed = push(&site, &format!("oci://{host}/{CLOCK}"));
    let digest = pushed["manifestDigest"].as_str().unwrap();
    for reference in [
        format!("oci://{host}/{CLOCK}"),
        format!("oci://{host}/tools/clock@{digest}"),
        format!("oci://{host}/{CLOCK}@{digest}"),
    ] {
        let servers = format!("{}[servers.clock]\ncomponent = \"{reference}\"\n", registries(&host, ""));
        site.configure(&servers);
        tells_the_time(&site).await;
    }
}

#[tokio::test]
async fn pushing_the_same_bytes_twice_gives_the_same_digest() {
    let registry = Registry::anonymous();
    let host = registry.host();
    let site = Site::new(&registries(&host, ""));
    let first = push(&site, &format!("oci://{host}/a/clock:1"));
    let second = push(&site, &format!("oci://{host}/b/clock:2"));
    assert_eq!(first["manifestDigest"], second["manifestDigest"]);
    let layout = push(&site, "oci-layout:layout:clock");
    assert_eq!(first["manifestDigest"], layout["manifestDigest"], "registry and layout agree");
}

#[tokio::test]
async fn a_private_registry_takes_the_users_docker_credentials() {
    let registry = Registry::with_basic_auth("ada", "s3cret-5512");
    let host = registry.host();
    let site = Site::new(&registries(&host, ""));
    let reference = format!("oci://{host}/{CLOCK}");
    let told = failure(&site, &["pull", &reference]);
    assert!(told.contains("401") && told.contains("hint:"), "{told}");

    let encoded = "YWRhOnMzY3JldC01NTEy";
    let auths = json!({ "auths": { host.clone(): { "auth": encoded } } });
    site.write("docker.json", auths.to_string());
    let servers = format!(
        "{}[servers.clock]\ncomponent = \"{reference}\"\n",
        registries(&host, "docker-config = \"docker.json\"")
    );
    site.configure(&servers);
    push(&site, &reference);
    tells_the_time(&site).await;

    let wrong = json!({ "auths": { host: { "auth": "YWRhOndyb25n" } } });
    site.write("docker.json", wrong.to_string());
    let told = failure(&site, &["push", guests::tool("clock").to_str().unwrap(), &reference]);
    assert!(told.contains("401"), "{told}");
    assert!(!told.contains("s3cret") && !told.contains(encoded) && !told.contains("wrong"), "{told}");
}

#[tokio::test]
async fn http_is_spoken_only_to_hosts_named_as_plain() {
    let registry = Registry::anonymous();
    let host = registry.host();
    let site = Site::new("");
    let reference = format!("oci://{host}/{CLOCK}");
    let told = failure(&site, &["pull", &reference]);
    assert!(told.contains(&format!("plain-http = [\"{host}\"]")), "{told}");
}

#[tokio::test]
async fn what_is_not_in_the_registry_is_said_so() {
    let registry = Registry::anonymous();
    let host = registry.host();
    let site = Site::new(&registries(&host, ""));
    push(&site, &format!("oci://{host}/{CLOCK}"));
    let told = failure(&site, &["pull", &format!("oci://{host}/tools/clock:9.9")]);
    assert!(told.contains("tag 9.9 does not exist") && told.contains("hint:"), "{told}");
    let absent = format!("sha256:{}", "0".repeat(64));
    let told = failure(&site, &["pull", &format!("oci://{host}/tools/clock@{absent}")]);
    assert!(told.contains("does not exist") && told.contains(&absent), "{told}");
}

#[tokio::test]
async fn a_registry_that_is_down_does_not_keep_stored_tools_or_other_servers_from_serving() {
    let registry = Registry::anonymous();
    let host = registry.host();
    let site = Site::new(&registries(&host, ""));
    let pushed = push(&site, &format!("oci://{host}/{CLOCK}"));
    let digest = pushed["manifestDigest"].as_str().unwrap();
    let servers = format!(
        "{}[servers.clock]\ncomponent = \"oci://{host}/{CLOCK}@{digest}\"\n\
         [servers.other]\ncomponent = \"oci://{host}/tools/other:1\"\n",
        registries(&host, "")
    );
    site.configure(&servers);
    tells_the_time(&site).await;
    drop(registry);
    let gateway = Gateway::start(&site).await;
    let result = gateway.client().call("clock__now", json!({})).await;
    assert_eq!(result["isError"], false, "{result}");
    let health: Value =
        reqwest::get(gateway.url("/health")).await.unwrap().text().await.unwrap().parse().unwrap();
    assert!(health.to_string().contains("unavailable"), "{health}");
    gateway.logged(&host).await;
}

#[tokio::test]
async fn the_registrys_copy_is_read_by_another_tool() {
    let registry = Registry::anonymous();
    let host = registry.host();
    let site = Site::new(&registries(&host, ""));
    push(&site, &format!("oci://{host}/{CLOCK}"));
    let output = std::process::Command::new("skopeo")
        .args(["inspect", "--raw", "--tls-verify=false", &format!("docker://{host}/{CLOCK}")])
        .output()
        .expect("skopeo: run `cargo xtask test`, which installs it");
    let manifest: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json", "{manifest}");
    assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm", "{manifest}");
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
}
