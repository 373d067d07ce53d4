//! A registry that is down, slow, refusing or lying: each command says what is wrong and what to do
//! about it, and the servers that are well go on serving.

use std::process::Output;
use std::thread;

use e2e::gateway::{Gateway, command, run};
use e2e::guests;
use e2e::server::{Answer, End, Request, Server};
use e2e::site::Site;
use serde_json::{Value, json};

/// One way to fail, and what a person reads of it. `HOST` stands for the registry, `EVIL` for the
/// digest of what it serves where it lies.
struct Fault {
    /// The repository that fails so, and the server of the config that needs it.
    name: &'static str,
    reason: &'static str,
    hint: Option<&'static str>,
}

const SIGN_IN: &str = "sign in with `docker login HOST` (or oras, skopeo) and name its config: [registries] docker-config = \"~/.docker/config.json\"";
const ABSENT: &str = "check repository and tag; some registries also answer so to those who may not see it";
const CHANGED: &str = "the content was changed on its way or in its store; do not use it";
/// A digest that no other repository has, as the store is shared among them.
const NOWHERE: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
/// Of `evil`, which is what lying repositories serve.
const EVIL: &str = "sha256:b5c1fb2efc6d6b4674c2fdcc48ce01b43a3b7c03763c0c3355de0099ee0f8c73";

const FAULTS: &[Fault] = &[
    Fault {
        name: "down",
        reason: "registry 127.0.0.1:1 is unreachable: Connection refused (os error 111)",
        hint: None,
    },
    Fault { name: "silent", reason: "registry HOST took longer than 0.4 s to answer", hint: None },
    Fault { name: "stalled", reason: "registry HOST took longer than 0.4 s to send data", hint: None },
    Fault {
        name: "endless",
        reason: "tag 1 of HOST/endless/tool is larger than the limit of 4194304 bytes",
        hint: None,
    },
    Fault {
        name: "endless-layer",
        reason: "layer NOWHERE of HOST/endless-layer/tool is longer than the 1000 bytes that were announced",
        hint: None,
    },
    Fault {
        name: "private",
        reason: "registry HOST wants a sign-in for private/tool (401): no docker config is set",
        hint: Some(SIGN_IN),
    },
    Fault {
        name: "forbidden",
        reason: "registry HOST forbids pulling from forbidden/tool (403)",
        hint: Some(SIGN_IN),
    },
    Fault { name: "absent", reason: "tag 1 does not exist in HOST/absent/tool", hint: Some(ABSENT) },
    Fault {
        name: "limiting",
        reason: "registry HOST limits our requests (429) and asks to wait 3600 s",
        hint: Some("wait, or sign in: registries allow more to known users"),
    },
    Fault {
        name: "failing",
        reason: "registry HOST is failing: it answered 500 to 3 requests for tag 1",
        hint: None,
    },
    Fault {
        name: "html",
        reason: "the manifest of oci://HOST/html/tool:1 is not readable: expected value at line 1 column 1",
        hint: None,
    },
    Fault {
        name: "no-manifest",
        reason: "the manifest of oci://HOST/no-manifest/tool:1 is not readable: missing field `schemaVersion` at line 1 column 14",
        hint: None,
    },
    Fault {
        name: "lying",
        reason: "layer NOWHERE is not what it should be: expected NOWHERE, got EVIL",
        hint: Some(CHANGED),
    },
    Fault {
        name: "pinned",
        reason: "manifest NOWHERE is not what it should be: expected NOWHERE, got EVIL",
        hint: Some(CHANGED),
    },
    Fault {
        name: "breaking",
        reason: "layer NOWHERE of HOST/breaking/tool is truncated: the connection ended after 4 bytes",
        hint: None,
    },
];

/// A registry in good order, except for the repositories that are named after a fault.
struct Registry {
    server: Server,
    manifest: String,
}

impl Registry {
    fn start(site: &Site) -> Self {
        Self::start_with(site, |_| None)
    }

    /// `fault` comes first, for all repositories.
    fn start_with(site: &Site, fault: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let hello = guests::guest("hello");
        let pushed = run(site, &["push", "--json", hello.to_str().unwrap(), "oci-layout:layout:1"]);
        let pushed: Value = serde_json::from_slice(&pushed.stdout).unwrap();
        let manifest = pushed["manifestDigest"].as_str().unwrap().to_owned();
        let blobs = site.path("layout/blobs/sha256");
        let tag = manifest.clone();
        let serve = move |request: &Request| {
            let name = request.path.rsplit('/').next().unwrap();
            let digest = if name == "1" { &tag } else { name };
            match std::fs::read(blobs.join(digest.trim_start_matches("sha256:"))) {
                Ok(bytes) => Answer::new(200, bytes),
                Err(_) => Answer::new(404, "{}"),
            }
        };
        let server = Server::start(move |request| {
            fault(request).or_else(|| broken(request)).unwrap_or_else(|| serve(request))
        });
        Self { server, manifest }
    }

    fn reference(&self, name: &str) -> String {
        match name {
            "down" => "oci://127.0.0.1:1/down/tool:1".to_owned(),
            "pinned" => format!("oci://{}/pinned/tool@{NOWHERE}", self.server.host()),
            _ => format!("oci://{}/{name}/tool:1", self.server.host()),
        }
    }

    /// The config of a server for each fault, and of one that is well.
    fn config(&self) -> String {
        let mut config = self.registries("");
        for name in FAULTS.iter().map(|fault| fault.name).chain(["well"]) {
            config.push_str(&format!("[servers.{name}]\ncomponent = \"{}\"\n", self.reference(name)));
        }
        config
    }

    fn registries(&self, more: &str) -> String {
        let host = self.server.host();
        format!(
            "[registries]\nplain-http = [\"{host}\", \"127.0.0.1:1\"]\nidle-timeout = \"400ms\"\n{more}\n"
        )
    }

    /// A text of the table with the names that it has in this run.
    fn named(&self, text: &str) -> String {
        text.replace("HOST", &self.server.host()).replace("NOWHERE", NOWHERE).replace("EVIL", EVIL)
    }
}

/// What the repositories named after a fault do.
fn broken(request: &Request) -> Option<Answer> {
    let name = request.path.split('/').nth(2)?;
    let is_layer = request.path.contains("/blobs/");
    Some(match (name, is_layer) {
        ("silent", _) => Answer::new(200, "").end(End::Silent),
        ("stalled", _) => Answer::new(200, "{").end(End::Hang),
        ("endless", _) | ("endless-layer", true) => Answer::new(200, "").end(End::Endless),
        ("dripping", _) => Answer::new(200, "").end(End::Drip),
        ("private", _) => Answer::new(401, "").header("www-authenticate", "Basic realm=\"r\""),
        ("forbidden", _) => Answer::new(403, ""),
        ("absent", _) => Answer::new(404, "{}"),
        ("limiting", _) => Answer::new(429, "").header("retry-after", "3600"),
        ("failing", _) => Answer::new(500, "<h1>oops</h1>"),
        ("html", _) => Answer::html("<html>Sign in to the hotel's network</html>"),
        ("no-manifest", _) => Answer::new(200, r#"{"well": true}"#),
        ("pinned", false) => Answer::new(200, "evil"),
        ("lying", false) => Answer::new(200, leading_to_nowhere(4)),
        ("endless-layer" | "breaking", false) => Answer::new(200, leading_to_nowhere(1000)),
        ("lying", true) => Answer::new(200, "evil"),
        ("breaking", true) => Answer::new(200, "half").end(End::Break),
        _ => return None,
    })
}

/// A manifest with a layer of that size.
fn leading_to_nowhere(size: usize) -> String {
    let layer = json!({ "mediaType": "application/wasm", "digest": NOWHERE, "size": size });
    json!({ "schemaVersion": 2, "layers": [layer] }).to_string()
}

/// What a model reads of a server that is unavailable: nothing of the registry.
fn is_unavailable(reply: &Value) {
    let result = &reply["result"];
    assert_eq!(result["isError"], true, "{reply}");
    assert_eq!(result["_meta"]["toolgate/error"], "unavailable", "{reply}");
    assert_eq!(result["content"][0]["text"], "the tool is unavailable at the moment", "{reply}");
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn check_tells_each_fault_of_a_registry_and_what_to_do() {
    let site = Site::new("");
    let registry = Registry::start(&site);
    site.configure(&registry.config());
    let output = run(&site, &["check", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for Fault { name, reason, hint } in FAULTS {
        let server = report["servers"].as_array().unwrap().iter().find(|server| server["name"] == *name);
        let server = server.unwrap_or_else(|| panic!("no {name}: {report}"));
        assert_eq!(server["state"], "unavailable", "{name}");
        assert_eq!(server["reason"], registry.named(reason), "{name}");
        assert_eq!(server["hint"].as_str(), hint.map(|hint| registry.named(hint)).as_deref(), "{name}");
    }
    let told = text(output.stderr);
    assert!(told.ends_with("error: 15 of 16 servers unavailable\n"), "{told}");
}

#[test]
fn pull_tells_each_fault_of_a_registry_and_what_to_do() {
    let site = Site::new("");
    let registry = Registry::start(&site);
    site.configure(&registry.registries(""));
    let outputs: Vec<(&Fault, Output)> = thread::scope(|scope| {
        let pull = |fault: &'static Fault| {
            let (site, reference) = (&site, registry.reference(fault.name));
            scope.spawn(move || (fault, run(site, &["pull", &reference])))
        };
        let pulls: Vec<_> = FAULTS.iter().map(pull).collect();
        pulls.into_iter().map(|pull| pull.join().unwrap()).collect()
    });
    for (fault, output) in outputs {
        let told = text(output.stderr);
        assert_eq!(output.status.code(), Some(1), "{}: {told}", fault.name);
        let hint = fault.hint.map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
        let expected = registry.named(&format!("error: {}\n{hint}", fault.reason));
        assert!(told.ends_with(&expected), "expected {expected:?}, got {told:?}");
    }
    assert!(run(&site, &["pull", &registry.reference("well")]).status.success());
}

#[test]
fn list_shows_the_tools_that_there_are_and_warns_of_the_rest() {
    let site = Site::new("");
    let registry = Registry::start(&site);
    site.configure(&registry.config());
    let output = run(&site, &["list"]);
    assert_eq!(output.status.code(), Some(0), "the list is what was asked for");
    let (listed, told) = (text(output.stdout), text(output.stderr));
    assert!(listed.starts_with("well__"), "{listed}");
    for Fault { name, reason, .. } in FAULTS {
        let line = registry.named(&format!("warning: server {name} is unavailable: {reason}\n"));
        assert!(told.contains(&line), "{line:?} is not in {told}");
        assert!(!listed.contains(name), "{listed}");
    }
}

#[tokio::test]
async fn serve_logs_each_fault_of_a_registry_and_serves_what_is_well() {
    let site = Site::new("");
    let registry = Registry::start(&site);
    site.configure(&registry.config());
    let gateway = Gateway::start(&site).await;
    let client = gateway.client();
    let result = client.call("well__greet", json!({ "name": "Ada" })).await;
    assert_eq!(result["isError"], false, "{result}");
    let health: Value =
        reqwest::get(gateway.url("/health")).await.unwrap().text().await.unwrap().parse().unwrap();
    for Fault { name, reason, hint } in FAULTS {
        let reason = registry.named(reason);
        let log = gateway.logged(&json!(format!("unavailable: {reason}")).to_string()).await;
        if let Some(hint) = hint {
            let hint = json!(registry.named(hint)).to_string();
            assert!(log.contains(&hint), "{name}: no {hint} in {log}");
        }
        let server = health["servers"].as_array().unwrap().iter().find(|server| server["name"] == *name);
        assert_eq!(server.unwrap()["state"], "unavailable", "{health}");
        let reply = client.try_call(&format!("{name}__greet"), json!({})).await;
        is_unavailable(&reply);
    }
}

#[test]
fn a_registry_that_drips_is_given_up_after_the_timeout_of_the_whole() {
    let site = Site::new("");
    let registry = Registry::start(&site);
    site.configure(&registry.registries("timeout = \"600ms\""));
    let output = run(&site, &["pull", &registry.reference("dripping")]);
    assert_eq!(output.status.code(), Some(1));
    let expected = registry.named("error: registry HOST took longer than 0.6 s in all\n");
    let told = text(output.stderr);
    assert!(told.ends_with(&expected), "{told}");
}

#[tokio::test]
async fn a_server_joins_by_itself_once_its_registry_is_back() {
    let site = Site::new("");
    let absent = |request: &Request| {
        let first = request.path.ends_with("/manifests/1") && request.before == 0;
        first.then(|| Answer::new(404, ""))
    };
    let registry = Registry::start_with(&site, absent);
    let server = format!("[servers.late]\ncomponent = \"{}\"\n", registry.reference("late"));
    site.configure(&format!("{}{server}", registry.registries("")));
    let gateway = Gateway::start(&site).await;
    let reply = gateway.client().try_call("late__greet", json!({ "name": "Ada" })).await;
    is_unavailable(&reply);
    let start = std::time::Instant::now();
    while !gateway.log().contains("\"ready\"") {
        assert!(start.elapsed().as_secs() < 20, "{}", gateway.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let result = gateway.client().call("late__greet", json!({ "name": "Ada" })).await;
    assert_eq!(result["isError"], false, "{result}");
}

#[test]
fn what_a_broken_registry_answers_does_not_replace_what_a_tag_meant() {
    let site = Site::new("");
    let good = Registry::start(&site);
    site.configure(&good.registries(""));
    // One registry that is well, then says garbage, then is away; each time it is asked for the tag.
    let (manifest, blobs) = (good.manifest.clone(), site.path("layout/blobs/sha256"));
    let fault = move |request: &Request| match request.before {
        _ if !request.path.ends_with("/manifests/1") => None,
        0 => Some(Answer::new(200, std::fs::read(blobs.join(&manifest["sha256:".len()..])).unwrap())),
        1 => Some(Answer::html("<html>maintenance</html>")),
        _ => Some(Answer::new(503, "")),
    };
    let registry = Registry::start_with(&site, fault);
    site.configure(&registry.registries(""));
    let reference = registry.reference("moody");
    assert!(run(&site, &["pull", &reference]).status.success());
    let output = run(&site, &["pull", &reference]);
    assert!(text(output.stderr).contains("is not readable"));
    let output = command(&site).args(["pull", &reference]).output().unwrap();
    let told = text(output.stderr);
    assert!(output.status.success(), "{told}");
    let note = format!("serving {}, which {reference} meant when last asked", registry.manifest);
    assert!(told.contains(&note), "{told}");
}
