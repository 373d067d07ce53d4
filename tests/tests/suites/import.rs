//! Catalogs of Docker's MCP Toolkit, from files and from a real registry.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use e2e::gateway::run;
use e2e::registry::Registry;
use e2e::site::Site;
use serde_json::{Value, json};

/// What a catalog's manifest says that it is.
const CATALOG: &str = "application/vnd.docker.mcp.catalog.v1+json";

fn printed(site: &Site, args: &[&str]) -> (Option<i32>, String, String) {
    let output = run(site, args);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn digest(bytes: &[u8]) -> String {
    let mut sum = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    sum.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = String::from_utf8(sum.wait_with_output().unwrap().stdout).unwrap();
    format!("sha256:{}", output.split(' ').next().unwrap())
}

/// Pushes an artifact as Docker's own tool does: an empty config, and the catalog as the one layer.
async fn push(registry: &Registry, name: &str, artifact_type: &str, catalog: &Value) -> String {
    let (base, http) = (format!("http://{}/v2/{name}", registry.host()), reqwest::Client::new());
    let mut described = Vec::new();
    for blob in [b"{}".to_vec(), serde_json::to_vec(catalog).unwrap()] {
        let begun = http.post(format!("{base}/blobs/uploads/")).send().await.unwrap();
        let mut place = begun.headers()["location"].to_str().unwrap().to_owned();
        let separator = if place.contains('?') { '&' } else { '?' };
        write!(place, "{separator}digest={}", digest(&blob)).unwrap();
        described.push(json!({ "digest": digest(&blob), "size": blob.len() }));
        let done = http.put(place).body(blob).send().await.unwrap();
        assert_eq!(done.status(), 201, "{}", done.text().await.unwrap());
    }
    described[0]["mediaType"] = json!("application/vnd.oci.empty.v1+json");
    described[1]["mediaType"] = json!("application/json");
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": artifact_type,
        "config": described[0],
        "layers": [described[1]],
    });
    let request = http.put(format!("{base}/manifests/1")).body(manifest.to_string());
    let request = request.header("content-type", "application/vnd.oci.image.manifest.v1+json");
    let done = request.send().await.unwrap();
    assert_eq!(done.status(), 201, "{}", done.text().await.unwrap());
    format!("oci://{}/{name}:1", registry.host())
}

#[tokio::test]
async fn a_catalog_of_a_registry_becomes_sections() {
    let registry = Registry::anonymous();
    let site = Site::new(&format!("[registries]\nplain-http = [\"{}\"]\n", registry.host()));
    let catalog = json!({ "title": "Ours", "servers": [
        { "type": "image", "image": "mcp/time@sha256:0", "tools": ["get_current_time"],
          "snapshot": { "server": { "name": "time", "disableNetwork": true, "longLived": true } } },
        { "type": "remote", "endpoint": "https://mcp.example.com/mcp" },
    ] });
    let reference = push(&registry, "mcp/catalog", CATALOG, &catalog).await;
    let (code, section, told) = printed(&site, &["import", "docker-catalog", &reference]);
    assert_eq!(code, Some(0), "{told}");
    let expected = "[servers.time]\nimage = \"mcp/time@sha256:0\"\ntools = [\"get_current_time\"]\n\
                    [servers.time.container]\nlifetime = \"session\"\n";
    assert_eq!(section, expected);
    assert!(told.contains("server-2: left out\nserver-2: it is a server elsewhere"), "{told}");
}

#[tokio::test]
async fn what_is_no_catalog_is_refused_with_the_reason() {
    let registry = Registry::anonymous();
    let site = Site::new(&format!("[registries]\nplain-http = [\"{}\"]\n", registry.host()));
    let other = push(&registry, "mcp/other", "application/vnd.docker.mcp.server", &json!({})).await;
    let empty = push(&registry, "mcp/empty", CATALOG, &json!({ "title": "x" })).await;
    let file = site.write("not.yaml", "a: [");
    let none = format!("oci://{}/mcp/none:1", registry.host());
    for (catalog, why) in [
        (
            other.as_str(),
            "its artifactType is application/vnd.docker.mcp.server, not application/vnd.docker.mcp.catalog.v1+json",
        ),
        (&empty, "it has neither a `registry` of servers by name nor a list of `servers`"),
        (&none, "does not exist"),
        (file.to_str().unwrap(), "it is not YAML"),
        ("mcp/catalog:1", "hint: for one of a registry write oci://HOST/REPOSITORY:TAG"),
    ] {
        let (code, section, told) = printed(&site, &["import", "docker-catalog", catalog]);
        assert_eq!((code, section.as_str()), (Some(1), ""), "{told}");
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn servers_are_chosen_by_name_and_one_that_is_not_there_is_told() {
    let site = Site::new("");
    let catalog = "registry:\n  git: { image: mcp/git }\n  time: { image: mcp/time }\n";
    let file = site.write("catalog.yaml", catalog);
    let import = |servers: &str| {
        printed(&site, &["import", "docker-catalog", file.to_str().unwrap(), "--servers", servers])
    };
    let (code, section, told) = import("time");
    assert_eq!(code, Some(0));
    assert!(section.contains("[servers.time]") && !section.contains("git"), "{section}");
    assert!(told.contains("time: its catalog leaves it the whole network, and here it has none"), "{told}");
    let (code, _, told) = import("tine");
    assert_eq!(code, Some(2));
    assert_eq!(told, "error: the catalog has no server `tine`\nhint: did you mean `time`?\n");
}
