//! Images: found, pulled, and not to be had.

use e2e::engine::{BARE, Engine, FOREIGN, ODD};
use e2e::gateway::{Gateway, run};
use e2e::guests;
use e2e::registry::Registry;
use e2e::site::Site;
use serde_json::json;

use super::support::{label, went_well};

fn check(image: &str, lines: &str) -> (bool, String) {
    drop(Engine::of_the_machine());
    let site = Site::new(&format!("[servers.odd]\nimage = \"{image}\"\n{lines}\n"));
    let output = run(&site, &["check"]);
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.success(), said)
}

fn refused(image: &str) -> String {
    let (went_well, said) = check(image, "");
    assert!(!went_well, "{said}");
    said
}

#[test]
fn one_that_is_not_there_is_told() {
    let said = refused("127.0.0.1:1/toolgate-test/none:1");
    assert!(
        said.contains("the Docker engine can't pull the image 127.0.0.1:1/toolgate-test/none:1: "),
        "{said}"
    );
    assert!(said.contains("connection refused"), "{said}");
}

#[test]
fn one_for_another_machine_is_told() {
    let said = refused(FOREIGN);
    let expected = "can't run the image toolgate-test:foreign: it is for linux/s390x, and the engine's machine is linux/";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn one_that_says_nothing_to_run_is_told_with_the_line_to_add() {
    let said = refused(BARE);
    assert!(said.contains("the image toolgate-test:bare says nothing to run"), "{said}");
    assert!(said.contains("command = [\"PROGRAM\"]"), "{said}");
    let (went_well, said) = check(BARE, "[servers.odd.container]\ncommand = [\"/odd\"]");
    assert!(went_well, "{said}");
}

#[test]
fn a_program_that_is_not_in_it_is_told() {
    let (went_well, said) = check(BARE, "[servers.odd.container]\ncommand = [\"/none\"]");
    assert!(!went_well && said.contains("/none"), "{said}");
}

#[test]
fn a_runtime_that_the_engine_has_not_is_told() {
    let (went_well, said) = check(ODD, "[servers.odd.container]\nruntime = \"kata\"");
    assert!(!went_well && said.contains("kata"), "{said}");
}

#[tokio::test]
async fn one_is_pulled_by_its_digest() {
    let engine = Engine::of_the_machine();
    let registry = Registry::anonymous();
    let name = format!("{}/tools/odd", registry.host());
    engine.docker(&["tag", ODD, &name]);
    engine.docker(&["push", "--quiet", &name]);
    let digests = engine.docker(&["image", "inspect", &name, "--format", "{{join .RepoDigests \"\\n\"}}"]);
    let digest = digests.lines().find(|digest| digest.starts_with(&name)).expect("a digest").to_owned();
    engine.docker(&["rmi", &name]);
    let site = Site::new(&format!("[servers.odd]\nimage = \"{digest}\"\n"));
    let gateway = Gateway::start(&site).await;
    went_well(&gateway.client_of("odd").call("count", json!({})).await);
    drop(gateway.written());
    assert_eq!(engine.containers(&label(&site)), Vec::<String>::new());
    engine.docker(&["rmi", &digest]);
}

#[tokio::test]
async fn one_of_a_private_registry_is_pulled_as_whoever_the_gateway_is_there() {
    let engine = Engine::of_the_machine();
    let registry = Registry::with_basic_auth("ada", "s3cret-5512");
    let name = format!("{}/tools/odd:1", registry.host());
    let site = Site::new(&format!("[servers.odd]\nimage = \"{name}\"\n"));
    // `ada:s3cret-5512`.
    let docker = json!({ "auths": { registry.host(): { "auth": "YWRhOnMzY3JldC01NTEy" } } });
    let login = site.write("docker/config.json", docker.to_string());
    let folder = login.parent().unwrap().to_str().unwrap();
    engine.docker(&["tag", ODD, &name]);
    engine.docker(&["--config", folder, "push", "--quiet", &name]);
    engine.docker(&["rmi", &name]);

    let (_, told) = {
        let output = run(&site, &["check"]);
        (output.status, String::from_utf8(output.stdout).unwrap())
    };
    assert!(told.contains("can't pull the image") && !told.contains("s3cret"), "{told}");
    let registries = "[registries]\ndocker-config = \"docker/config.json\"";
    site.configure(&format!("{registries}\n[servers.odd]\nimage = \"{name}\"\n"));
    let gateway = Gateway::start(&site).await;
    went_well(&gateway.client_of("odd").call("count", json!({})).await);
    assert!(!gateway.log().contains("s3cret-5512"));
    drop(gateway);
    engine.docker(&["rmi", "--force", &name]);
}

#[tokio::test]
async fn the_component_goes_first_and_the_image_takes_its_place_where_it_cannot_be() {
    drop(Engine::of_the_machine());
    let component = format!("component = \"file:{}\"", guests::guest("misbehave").display());
    for (component, backend) in [(component.as_str(), "wasm"), ("component = \"file:none.wasm\"", "docker")] {
        let site = Site::new(&format!("[servers.odd]\n{component}\nimage = \"{ODD}\"\n"));
        let gateway = Gateway::start(&site).await;
        let result = gateway.client_of("odd").call("count", json!({})).await;
        went_well(&result);
        assert_eq!(result["_meta"]["toolgate/usage"]["backend"], backend, "{result}");
        if backend == "docker" {
            gateway.logged("its image runs, since its component can't").await;
        }
    }
}

#[test]
fn inspect_shows_what_a_container_starts_with_and_its_tools() {
    drop(Engine::of_the_machine());
    let site = Site::new(&format!(
        "[servers.odd]\nimage = \"{ODD}\"\n[servers.odd.grants]\nenv = {{ CITY = \"Turin\" }}\n\
         [servers.odd.limits]\ncpus = 0.5\nmemory = \"128MiB\"\n"
    ));
    let output = run(&site, &["inspect", "odd"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for (what, value) in [
        ("image", ODD),
        ("user", "65534:65534"),
        ("environment", "CITY"),
        ("root", "read-only"),
        ("tmpfs", "/tmp"),
        ("network", "none"),
        ("capabilities", "none"),
        ("privileges", "no-new-privileges, the engine's seccomp profile"),
        ("init", "yes"),
        ("processes", "256"),
        ("memory", "134217728 bytes, no swap"),
        ("cpus", "0.5"),
    ] {
        let line = said.lines().find(|line| line.split_whitespace().next() == Some(what));
        assert!(line.is_some_and(|line| line.ends_with(value)), "{what} is not {value}:\n{said}");
    }
    assert!(said.contains("tool sleep-for  (sleep-for)"), "{said}");
    assert!(!said.contains("Turin"), "values are not shown: {said}");
}

#[test]
fn the_doctor_tells_the_engine() {
    let engine = Engine::of_the_machine();
    let site = Site::new("");
    let output = run(&site, &["doctor"]);
    let said = String::from_utf8(output.stdout).unwrap();
    let version = engine.docker(&["version", "--format", "{{.Server.Version}}"]);
    assert!(said.contains(&format!("by engine {version} (")), "{said}");
}
