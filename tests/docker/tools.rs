//! The built-in server that looks at the engine: what it shows, and what it does not.

use std::process::Command;
use std::time::{Duration, Instant};

use e2e::engine::{Engine, ODD, SERVERS};
use e2e::gateway::{Gateway, command};
use e2e::site::Site;
use serde_json::{Value, json};

use super::support::{Docked, failed_with, went_well};

/// A value that stands in a container's environment.
const CANARY: &str = "canary-7c9e6679";

fn granted(views: &str) -> String {
    format!("[servers.docker]\nbuiltin = \"docker\"\n[servers.docker.grants]\ndocker = [{views}]\n")
}

/// A container of somebody else's.
struct Other {
    id: String,
}

impl Other {
    fn start(name: &str) -> Self {
        Self::run(name, ODD, &[])
    }

    fn run(name: &str, image: &str, command: &[&str]) -> Self {
        let engine = Engine::of_the_machine();
        let variable = format!("TOKEN={CANARY}");
        let options = ["run", "-d", "-i", "--network", "none", "--log-driver", "json-file"];
        let own = ["--name", name, "-e", &variable, image];
        let id = engine.docker(&[&options, &own[..], command].concat()).trim().to_owned();
        Self { id }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(Command::new("docker").args(["rm", "-f", &self.id]).output());
    }
}

async fn asked(docked: &Docked, tool: &str, arguments: Value) -> Value {
    docked.gateway.client_of("docker").call(tool, arguments).await
}

#[tokio::test]
async fn it_shows_what_is_there_without_the_values_of_environments() {
    let name = format!("toolgate-test-tools-{}", std::process::id());
    let other = Other::start(&name);
    let docked = Docked::of(&granted("\"containers\", \"images\", \"logs\", \"stats\"")).await;
    let list = asked(&docked, "list_containers", json!({ "limit": 1000 })).await;
    let containers = list["structuredContent"]["containers"].as_array().unwrap();
    let one = containers.iter().find(|one| one["names"] == json!([name])).unwrap_or_else(|| panic!("{list}"));
    assert_eq!((&one["state"], &one["image"]), (&json!("running"), &json!(ODD)), "{one}");
    assert!(other.id.starts_with(one["id"].as_str().unwrap()), "{one}");

    let inspected = asked(&docked, "inspect_container", json!({ "container": name })).await;
    assert!(inspected["structuredContent"]["Config"]["Env"].to_string().contains("\"TOKEN\""), "{inspected}");
    assert_eq!(inspected["structuredContent"]["HostConfig"]["NetworkMode"], "none");

    let images = asked(&docked, "list_images", json!({})).await;
    assert!(images["structuredContent"]["images"].to_string().contains(ODD), "{images}");
    let image = asked(&docked, "inspect_image", json!({ "image": ODD })).await;
    assert!(image["structuredContent"]["Id"].as_str().unwrap().starts_with("sha256:"), "{image}");

    let stats = asked(&docked, "container_stats", json!({ "container": name })).await;
    let stats = &stats["structuredContent"];
    assert!(
        stats["memory"]["usage"].as_u64().unwrap() > 0 && stats["processes"].as_u64().unwrap() > 0,
        "{stats}"
    );
    assert!(stats["cpus"].is_number(), "{stats}");
    for said in [&list, &inspected, &images, &image, stats] {
        assert!(!said.to_string().contains(CANARY), "{said}");
    }
}

#[tokio::test]
async fn logs_are_the_last_lines_with_their_streams() {
    let name = format!("toolgate-test-logs-{}", std::process::id());
    // Apart in time, as the two streams have no order otherwise.
    let script = "echo one; sleep 0.3; echo two >&2; sleep 0.3; echo three; sleep 60";
    let _other = Other::run(&name, SERVERS, &["sh", "-c", script]);
    let docked = Docked::of(&granted("\"logs\"")).await;
    let logs = async |arguments: Value| asked(&docked, "container_logs", arguments).await;
    let line = |stream: &str, text: &str| json!({ "stream": stream, "text": text });
    let whole = json!({
        "lines": [line("stdout", "one"), line("stderr", "two"), line("stdout", "three")],
        "cut": false,
    });
    let end = Instant::now() + Duration::from_secs(20);
    while logs(json!({ "container": name })).await["structuredContent"] != whole {
        assert!(Instant::now() < end, "{}", logs(json!({ "container": name })).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let last = logs(json!({ "container": name, "tail": 1, "timestamps": true })).await;
    let last = last["structuredContent"]["lines"].as_array().unwrap().clone();
    let text = last[0]["text"].as_str().unwrap();
    assert!(last.len() == 1 && text.starts_with("20") && text.ends_with("Z three"), "{last:?}");
    for tail in [0, 1001] {
        let refused = logs(json!({ "container": name, "tail": tail })).await;
        assert!(failed_with(&refused, "arguments").contains("not from 1 to 1000"), "{refused}");
    }
}

#[tokio::test]
async fn only_what_is_granted_is_offered() {
    let docked = Docked::of(&granted("\"images\"")).await;
    let tools = docked.gateway.client_of("docker").list().await;
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["list_images", "inspect_image"]);
    let other = json!({ "name": "list_containers", "arguments": {} });
    let refused =
        docked.gateway.client_of("docker").request("tools/call", Some("list_containers"), other).await;
    assert_eq!(refused["error"]["message"], "unknown tool: list_containers", "{refused}");
    let none = Docked::of("[servers.docker]\nbuiltin = \"docker\"\n").await;
    assert!(none.gateway.client_of("docker").list().await.is_empty());
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_in_the_engine_is_refused() {
    let docked = Docked::of(&granted("\"containers\", \"images\", \"logs\", \"stats\"")).await;
    for name in ["../images/json", "x/../../info", "x?all=1", "", "x#", "..", "x%2f..%2f"] {
        for (tool, argument) in [
            ("inspect_container", "container"),
            ("inspect_image", "image"),
            ("container_logs", "container"),
            ("container_stats", "container"),
        ] {
            let refused = asked(&docked, tool, json!({ argument: name })).await;
            let told = failed_with(&refused, "arguments");
            assert!(told.contains("is not the name or the id of"), "{tool} {name}: {told}");
        }
    }
    let missing = asked(&docked, "inspect_container", json!({ "container": "toolgate-none" })).await;
    assert!(failed_with(&missing, "arguments").contains("No such container"), "{missing}");
}

#[tokio::test]
async fn a_record_says_that_it_was_the_gateway_itself() {
    let docked = Docked::of(&granted("\"images\"")).await;
    went_well(&asked(&docked, "list_images", json!({})).await);
    docked.gateway.logged("\"backend\":\"builtin\"").await;
}

#[tokio::test]
async fn without_an_engine_it_is_unavailable_and_says_so() {
    let site =
        Site::new(&format!("[docker]\nhost = \"unix:///nowhere/docker.sock\"\n{}", granted("\"images\"")));
    let gateway = Gateway::start(&site).await;
    gateway.logged("no Docker engine at").await;
    let refused = gateway.client_of("docker").request("tools/list", None, json!({})).await;
    assert_eq!(refused["error"]["message"], "server \"docker\" is unavailable at the moment", "{refused}");
}

#[test]
fn grants_of_others_and_other_sources_are_faults_of_the_config() {
    for (config, why) in [
        (
            "[servers.a]\nimage = \"x\"\n[servers.a.grants]\ndocker = [\"images\"]",
            "only the server with builtin",
        ),
        ("[servers.a]\nbuiltin = \"docker\"\nimage = \"x\"", "runs in the gateway itself"),
        (
            "[servers.a]\nbuiltin = \"docker\"\n[servers.a.grants]\nhttp = [\"* https://a/*\"]",
            "uses the engine alone",
        ),
        ("[servers.a]\nbuiltin = \"podman\"", "no server `podman` is built in"),
        (
            "[servers.a]\nbuiltin = \"docker\"\n[servers.a.grants]\ndocker = [\"all\"]",
            "it is no part of an engine",
        ),
    ] {
        let site = Site::new(config);
        let checked = command(&site).arg("check").output().unwrap();
        let told = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(!checked.status.success() && told.contains(why), "{config}: {told}");
    }
}
