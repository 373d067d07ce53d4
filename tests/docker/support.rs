//! A gateway whose server `odd` is an image.

use e2e::client::Client;
use e2e::engine::{Engine, ODD};
use e2e::gateway::Gateway;
use e2e::site::Site;
use serde_json::Value;

/// What is logged when `odd` is ready.
pub(crate) const READY: &str = r#""message":"ready","server":"odd""#;

/// A gateway, its folder, and the engine that its server runs in.
pub(crate) struct Docked {
    pub(crate) engine: Engine,
    pub(crate) site: Site,
    pub(crate) gateway: Gateway,
}

impl Docked {
    /// A server that is the image `odd`, with more lines of its own table.
    pub(crate) async fn start(lines: &str) -> Self {
        Self::of(&format!("[servers.odd]\nimage = \"{ODD}\"\n{lines}\n")).await
    }

    /// Any servers.
    pub(crate) async fn of(config: &str) -> Self {
        let engine = Engine::of_the_machine();
        let site = Site::new(config);
        let gateway = Gateway::start(&site).await;
        Self { engine, site, gateway }
    }

    /// Of the server `odd` alone.
    pub(crate) fn client(&self) -> Client {
        self.gateway.client_of("odd")
    }

    /// The label that this gateway's containers have.
    pub(crate) fn label(&self) -> String {
        label(&self.site)
    }
}

/// The label that the containers of a site's gateway have.
pub(crate) fn label(site: &Site) -> String {
    let id = std::fs::read_to_string(site.path("state/docker/id")).expect("the id of a gateway with images");
    format!("dev.toolgate.gateway={id}")
}

/// What a tool said.
pub(crate) fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {result}"))
}

/// Asserts the stable code of a failed call, and gives what was said of it.
pub(crate) fn failed_with<'a>(result: &'a Value, code: &str) -> &'a str {
    assert_eq!(result["isError"], true, "{result}");
    assert_eq!(result["_meta"]["toolgate/error"], code, "{result}");
    text(result)
}

/// Asserts that a call went well, and gives what it said.
pub(crate) fn went_well(result: &Value) -> &str {
    assert_ne!(result["isError"], true, "{result}");
    text(result)
}

/// Asserts that a container sees itself as nobody without any right, by what `identity` said.
pub(crate) fn is_nobody(identity: &Value) {
    let lines: Vec<&str> = went_well(identity).lines().collect();
    for expected in [
        "Uid: 65534 65534 65534 65534",
        "Gid: 65534 65534 65534 65534",
        "CapEff: 0000000000000000",
        "CapPrm: 0000000000000000",
        "CapBnd: 0000000000000000",
        "NoNewPrivs: 1",
        "Seccomp: 2",
    ] {
        assert!(lines.contains(&expected), "{expected} is not in {lines:?}");
    }
    assert!(!lines.contains(&"pid 1"), "an init reaps what it leaves: {lines:?}");
}

/// Where the proxy of a container is, by what `environment` said.
pub(crate) fn proxy_of(environment: &Value) -> String {
    let url = went_well(environment).lines().find_map(|line| line.strip_prefix("HTTPS_PROXY="));
    url.unwrap_or_else(|| panic!("no proxy: {environment}")).split_once('@').expect("a password").1.to_owned()
}

/// Networks with that label.
pub(crate) fn networks(engine: &Engine, label: &str) -> usize {
    engine.docker(&["network", "ls", "--quiet", "--filter", &format!("label={label}")]).lines().count()
}

/// Volumes with that label.
pub(crate) fn volumes(engine: &Engine, label: &str) -> usize {
    engine.docker(&["volume", "ls", "--quiet", "--filter", &format!("label={label}")]).lines().count()
}
