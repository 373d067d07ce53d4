//! A real registry: tools are pushed to it and served from it, by tag and by digest.

use std::process::Command;

use e2e::client::Client;
use e2e::gateway::{Gateway, run};
use e2e::guests;
use e2e::registry::Registry;
use e2e::server::{Answer, Server};
use e2e::site::Site;
use serde_json::{Value, json};

const CLOCK: &str = "tools/clock:1.0";
const TOOLS: [&str; 3] = ["clock", "fetch", "files"];

fn registries(host: &str, more: &str) -> String {
    format!("[registries]\nplain-http = [\"{host}\"]\n{more}\n")
}

fn push(site: &Site, tool: &str, reference: &str) -> Value {
    let tool = guests::tool(tool);
    parsed(site, &["push", "--json", tool.to_str().unwrap(), reference])
}

/// Pushes each tool by its name; gives the digests of the manifests.
fn push_all(site: &Site, host: &str) -> [String; 3] {
    TOOLS.map(|tool| {
        let pushed = push(site, tool, &format!("oci://{host}/tools/{tool}:1.0"));
        pushed["manifestDigest"].as_str().unwrap().to_owned()
    })
}

/// What a command that succeeds prints as JSON.
fn parsed(site: &Site, args: &[&str]) -> Value {
    let output = run(site, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn failure(site: &Site, args: &[&str]) -> String {
    let output = run(site, args);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stderr).unwrap()
}

async fn tells_the_time(site: &Site) {
    let gateway = Gateway::start(site).await;
    clock_answers(&gateway.client()).await;
}

async fn clock_answers(client: &Client) {
    let arguments = json!({ "time": "2026-11-21T12:00Z", "to-zone": "Asia/Tokyo" });
    let result = client.call("clock__convert", arguments).await;
    assert_eq!(result["isError"], false, "{result}");
    assert!(result["structuredContent"]["time"].as_str().unwrap().contains("21:00"), "{result}");
}

/// Serves the three tools by these references in a site of its own, whose store is empty: what
/// answers came from the registry.
async fn all_work(registries: &str, docker: &str, references: [String; 3]) {
    let web = Server::start(|_| Answer::html("<title>Greenhouse</title>"));
    let [clock, fetch, files] = references;
    let site = Site::new(&format!(
        "{registries}[servers.clock]\ncomponent = \"{clock}\"\n\
         [servers.fetch]\ncomponent = \"{fetch}\"\n\
         [servers.fetch.grants]\nhttp = [\"GET http://{}/ @127.0.0.1\"]\n\
         [servers.files]\ncomponent = \"{files}\"\n\
         [servers.files.grants]\nfiles = [{{ host = \"notes\", guest = \"/notes\", mode = \"ro\" }}]\n",
        web.host()
    ));
    site.write("docker.json", docker);
    site.write("notes/plan.md", "Sow in March.\n");
    let gateway = Gateway::start(&site).await;
    let client = gateway.client();
    clock_answers(&client).await;
    let page = client.call("fetch__fetch", json!({ "url": format!("http://{}/", web.host()) })).await;
    assert_eq!(page["structuredContent"]["title"], "Greenhouse", "{page}");
    let plan = client.call("files__read", json!({ "path": "/notes/plan.md" })).await;
    assert_eq!(plan["structuredContent"]["content"], "Sow in March.\n", "{plan}");
}

/// By each form of reference that a registry knows.
async fn all_work_by_tag_and_by_digest(host: &str, registries: &str, docker: &str, digests: &[String; 3]) {
    let references = |form: &dyn Fn(&str, &str) -> String| {
        std::array::from_fn(|i| format!("oci://{host}/tools/{}", form(TOOLS[i], &digests[i])))
    };
    all_work(registries, docker, references(&|tool, _| format!("{tool}:1.0"))).await;
    all_work(registries, docker, references(&|tool, digest| format!("{tool}@{digest}"))).await;
    all_work(registries, docker, references(&|tool, digest| format!("{tool}:1.0@{digest}"))).await;
}

#[tokio::test]
async fn tools_are_served_by_tag_and_by_digest_from_an_anonymous_registry() {
    let registry = Registry::anonymous();
    let host = registry.host();
    let registries = registries(&host, "");
    let digests = push_all(&Site::new(&registries), &host);
    all_work_by_tag_and_by_digest(&host, &registries, "{}", &digests).await;
}

#[tokio::test]
async fn tools_are_served_by_tag_and_by_digest_from_a_registry_with_basic_auth() {
    let registry = Registry::with_basic_auth("ada", "s3cret-5512");
    let host = registry.host();
    let registries = registries(&host, "docker-config = \"docker.json\"");
    let docker = json!({ "auths": { host.clone(): { "auth": "YWRhOnMzY3JldC01NTEy" } } }).to_string();
    let publisher = Site::new(&registries);
    publisher.write("docker.json", &docker);
    let digests = push_all(&publisher, &host);
    all_work_by_tag_and_by_digest(&host, &registries, &docker, &digests).await;
}

#[tokio::test]
async fn pushing_the_same_bytes_twice_gives_the_same_digest() {
    let registry = Registry::anonymous();
    let host = registry.host();
    let site = Site::new(&registries(&host, ""));
    let first = push(&site, "clock", &format!("oci://{host}/a/clock:1"));
    let second = push(&site, "clock", &format!("oci://{host}/b/clock:2"));
    assert_eq!(first["manifestDigest"], second["manifestDigest"]);
    let layout = push(&site, "clock", "oci-layout:layout:clock");
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
    push(&site, "clock", &reference);
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
    push(&site, "clock", &format!("oci://{host}/{CLOCK}"));
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
    let pushed = push(&site, "clock", &format!("oci://{host}/{CLOCK}"));
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

/// What skopeo, which is others' reading of the specifications, prints when it succeeds.
fn skopeo(site: &Site, args: &[&str]) -> Vec<u8> {
    let mut skopeo = Command::new("skopeo");
    let output = skopeo.args(args).current_dir(site.dir()).output();
    let output = output.expect("skopeo: run `cargo xtask test`, which installs it");
    assert!(output.status.success(), "skopeo {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Pulls a reference in this site, and compares what came with the clock that was built.
fn pulls_the_clock(site: &Site, reference: &str, manifest: &Value) {
    let pulled = parsed(site, &["pull", "--json", reference, "--output", "pulled.wasm"]);
    assert_eq!(pulled["manifestDigest"], *manifest, "{reference}");
    let same =
        std::fs::read(site.path("pulled.wasm")).unwrap() == std::fs::read(guests::tool("clock")).unwrap();
    assert!(same, "{reference} has other bytes than what was pushed");
}

#[tokio::test]
async fn the_registrys_copy_is_read_by_another_tool() {
    let registry = Registry::anonymous();
    let host = registry.host();
    let site = Site::new(&registries(&host, ""));
    push(&site, "clock", &format!("oci://{host}/{CLOCK}"));
    let told =
        skopeo(&site, &["inspect", "--raw", "--tls-verify=false", &format!("docker://{host}/{CLOCK}")]);
    let manifest: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json", "{manifest}");
    assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm", "{manifest}");
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
}

#[test]
fn a_layout_that_another_tool_copied_from_a_registry_is_read() {
    let registry = Registry::anonymous();
    let host = registry.host();
    let publisher = Site::new(&registries(&host, ""));
    let pushed = push(&publisher, "clock", &format!("oci://{host}/{CLOCK}"));
    let site = Site::new("");
    let from = format!("docker://{host}/{CLOCK}");
    skopeo(&site, &["copy", "--src-tls-verify=false", &from, "oci:layout:clock"]);
    pulls_the_clock(&site, "oci-layout:layout:clock", &pushed["manifestDigest"]);
}

#[test]
fn a_layout_of_ours_is_copied_to_a_registry_by_another_tool() {
    let registry = Registry::anonymous();
    let host = registry.host();
    let publisher = Site::new("");
    let pushed = push(&publisher, "clock", "oci-layout:layout:clock");
    let to = format!("docker://{host}/{CLOCK}");
    skopeo(&publisher, &["copy", "--dest-tls-verify=false", "oci:layout:clock", &to]);
    let site = Site::new(&registries(&host, ""));
    pulls_the_clock(&site, &format!("oci://{host}/{CLOCK}"), &pushed["manifestDigest"]);
}

#[test]
fn what_is_in_a_registry_can_be_inspected_with_its_digests_and_its_size() {
    let registry = Registry::anonymous();
    let host = registry.host();
    let publisher = Site::new(&registries(&host, ""));
    let reference = format!("oci://{host}/{CLOCK}");
    let pushed = push(&publisher, "clock", &reference);
    let site = Site::new(&registries(&host, ""));
    let report = parsed(&site, &["inspect", "--json", &reference]);
    assert_eq!(report["reference"], reference);
    assert_eq!(report["digest"], pushed["digest"]);
    assert_eq!(report["manifestDigest"], pushed["manifestDigest"]);
    assert_eq!(report["size"], std::fs::metadata(guests::tool("clock")).unwrap().len());
    let tools: Vec<_> = report["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(tools, ["now", "convert", "difference", "zones"]);
    assert!(report["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{report}");
}
