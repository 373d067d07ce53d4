//! The image of the gateway as Fargate would run it, where there is no engine; and as an EC2 host would,
//! where there is one.

use std::os::unix::fs::MetadataExt;

use e2e::boxed::{Boxed, GATEWAY, make};
use e2e::client::Client;
use e2e::engine::{Engine, ODD};
use e2e::gateway;
use e2e::guests;
use e2e::registry::Registry;
use e2e::site::Site;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::support::went_well;

/// Sizes of a task: processors and memory.
const SMALLEST: (&str, &str) = ("0.25", "512m");
const COMMON: (&str, &str) = ("1", "2g");

/// Sends all calls at once, and gives their replies.
async fn all_at_once(
    client: &Client,
    calls: impl Iterator<Item = (&'static str, Value)>,
) -> Vec<(&'static str, Value)> {
    let mut running = JoinSet::new();
    for (tool, arguments) in calls {
        let client = client.clone();
        running.spawn(async move { (tool, client.try_call(tool, arguments).await) });
    }
    running.join_all().await
}

/// Pushes the guests to a registry; a config of them, and of a server that is an image alone.
fn servers(registry: &Registry, site: &Site) -> String {
    let host = registry.host();
    site.write("push.toml", format!("[registries]\nplain-http = [\"{host}\"]\n"));
    let mut servers = format!("[registries]\nplain-http = [\"{host}\"]\n");
    for name in ["hello", "misbehave"] {
        let reference = format!("oci://{host}/{name}:1");
        let guest = guests::guest(name).display().to_string();
        let config = site.path("push.toml").display().to_string();
        let pushed = gateway::run(site, &["push", "--config", &config, &guest, &reference]);
        assert!(pushed.status.success(), "{}", String::from_utf8_lossy(&pushed.stderr));
        servers += &format!("[servers.{name}]\ncomponent = \"{reference}\"\n");
    }
    servers + &format!("[servers.odd]\nimage = \"{ODD}\"\n")
}

#[test]
fn the_image_is_small_and_holds_no_shell() {
    let engine = Engine::of_the_machine();
    make(&engine);
    let size: u64 = engine.docker(&["inspect", "--format", "{{.Size}}", GATEWAY]).parse().unwrap();
    assert!(size < 60_000_000, "{size} bytes");
    let user = engine.docker(&["inspect", "--format", "{{.Config.User}} {{.Config.StopSignal}}", GATEWAY]);
    assert_eq!(user, "65532:65532 SIGTERM");
    let check = engine.docker(&["inspect", "--format", "{{json .Config.Healthcheck.Test}}", GATEWAY]);
    assert_eq!(check, r#"["CMD","/toolgate","health"]"#);
    let id = engine.docker(&["create", GATEWAY]);
    let files =
        std::process::Command::new("sh").args(["-c", &format!("docker export {id} | tar -t")]).output();
    engine.docker(&["rm", "--volumes", &id]);
    let files = String::from_utf8(files.unwrap().stdout).unwrap();
    assert!(files.contains("toolgate\n"), "{files}");
    for shell in ["sh", "bash", "busybox", "ls"] {
        assert!(!files.lines().any(|file| file.ends_with(&format!("/{shell}"))), "{shell}:\n{files}");
    }
}

#[tokio::test]
async fn without_an_engine_components_are_served_and_images_are_told() {
    let (registry, site) = (Registry::anonymous(), Site::new(""));
    let boxed = Boxed::start(&site, SMALLEST, &[], &servers(&registry, &site)).await;
    let result = boxed.client().call("hello__greet", json!({ "name": "Ada" })).await;
    assert!(went_well(&result).starts_with("Hello, Ada"), "{result}");
    let result = boxed.client().try_call("odd__count", json!({})).await;
    assert_eq!(result["result"]["_meta"]["toolgate/error"], "unavailable", "{result}");
    assert!(boxed.log().contains("no Docker engine at"), "{}", boxed.log());
    let health = boxed.run(&["health"]);
    assert_eq!((health.status.code(), health.stdout.as_slice()), (Some(0), &b"ready\n"[..]));
    assert_eq!(boxed.stop(), ("0".to_owned(), false));
}

#[tokio::test]
async fn a_storm_of_calls_stays_within_the_memory_of_the_smallest_task() {
    let (registry, site) = (Registry::anonymous(), Site::new(""));
    let boxed = Boxed::start(&site, SMALLEST, &[], &servers(&registry, &site)).await;
    boxed.ready("misbehave").await;
    let client = boxed.client();
    let calls = (0..600).map(|i| match i % 2 {
        0 => ("hello__greet", json!({ "name": "Ada" })),
        _ => ("misbehave__allocate", json!({ "mebibytes": 60 })),
    });
    let replies = all_at_once(&client, calls).await;
    for tool in ["hello__greet", "misbehave__allocate"] {
        let answered =
            replies.iter().filter(|(name, reply)| *name == tool && reply["result"]["isError"] == false);
        let first = replies.iter().find(|(name, _)| *name == tool);
        assert!(answered.count() > 0, "none was answered: {first:?}\n{}", boxed.log());
    }
    let after = client.call("hello__greet", json!({ "name": "Ada" })).await;
    went_well(&after);
    assert_eq!(boxed.stop(), ("0".to_owned(), false), "neither killed nor gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_accepted_call_is_lost_when_a_task_is_told_to_end() {
    let (registry, site) = (Registry::anonymous(), Site::new(""));
    let boxed = Boxed::start(&site, COMMON, &[], &servers(&registry, &site)).await;
    boxed.ready("misbehave").await;
    let (client, began) = (boxed.client(), std::time::Instant::now());
    let calls = (0..24).map(|_| ("misbehave__sleep-for", json!({ "milliseconds": 4000 })));
    let calls = all_at_once(&client, calls);
    let ending = async {
        tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
        tokio::task::block_in_place(|| boxed.stop())
    };
    let (replies, ended) = tokio::join!(calls, ending);
    assert!(replies.iter().all(|(_, reply)| reply["result"]["isError"] == false), "{replies:?}");
    assert_eq!(ended, ("0".to_owned(), false));
    assert!(began.elapsed() < std::time::Duration::from_secs(30), "{:?}", began.elapsed());
}

#[tokio::test]
async fn with_the_engines_socket_the_same_config_serves_images_too() {
    let (registry, site) = (Registry::anonymous(), Site::new(""));
    let group = std::fs::metadata("/var/run/docker.sock").unwrap().gid().to_string();
    let more = ["--volume", "/var/run/docker.sock:/var/run/docker.sock", "--group-add", &group];
    let boxed = Boxed::start(&site, COMMON, &more, &servers(&registry, &site)).await;
    went_well(&boxed.client().call("hello__greet", json!({ "name": "Ada" })).await);
    let result = boxed.client().call("odd__count", json!({})).await;
    assert_eq!(went_well(&result), "1", "{}", boxed.log());
    assert_eq!(boxed.stop(), ("0".to_owned(), false));
}
