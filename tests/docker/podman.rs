//! Podman's socket in place of Docker's: what a caller, an operator and a container see of it is the same.

use std::time::Duration;

use e2e::engine::{ODD, Podman};
use e2e::gateway::Gateway;
use e2e::site::Site;
use e2e::upstream::Upstream;
use serde_json::{Value, json};

use super::support::{READY, failed_with, is_nobody, label, networks, proxy_of, text, volumes, went_well};

/// A secret that no container holds.
const CANARY: &str = "canary-91c4d0aa";

struct Served {
    podman: Podman,
    site: Site,
    gateway: Gateway,
}

impl Served {
    async fn start(lines: &str) -> Self {
        let podman = Podman::with(ODD);
        let host = podman.host();
        let site = Site::new(&format!(
            "[docker]\nhost = \"{host}\"\n[servers.odd]\nimage = \"{ODD}\"\n{lines}\n\
             [servers.docker]\nbuiltin = \"docker\"\n[servers.docker.grants]\ndocker = [\"containers\"]\n"
        ));
        site.write("token", CANARY);
        let gateway = Gateway::start(&site).await;
        gateway.logged_within(Duration::from_secs(30), READY).await;
        Self { podman, site, gateway }
    }

    async fn call(&self, tool: &str, arguments: Value) -> Value {
        self.gateway.client_of("odd").call(tool, arguments).await
    }

    /// Ends the gateway, and looks what it has left.
    async fn end(self) {
        let Self { podman, site, gateway } = self;
        tokio::task::spawn_blocking(|| gateway.terminate()).await.unwrap();
        let label = label(&site);
        podman.engine.settles_at(&label, 0).await;
        assert_eq!((networks(&podman.engine, &label), volumes(&podman.engine, &label)), (0, 0));
    }
}

#[tokio::test]
async fn calls_crashes_and_the_end_are_as_they_are_with_docker() {
    let served = Served::start("[servers.odd.container]\nlifetime = \"warm\"").await;
    assert_eq!(went_well(&served.call("count", json!({})).await), "1");
    assert_eq!(went_well(&served.call("count", json!({})).await), "2");
    let crash = served.call("exit", json!({ "code": 7 })).await;
    assert_eq!(failed_with(&crash, "trap"), "the tool crashed");
    assert_eq!(went_well(&served.call("count", json!({})).await), "1");
    served.podman.engine.settles_at(&label(&served.site), 1).await;
    let listed = served.gateway.client_of("docker").call("list_containers", json!({})).await;
    assert!(went_well(&listed).contains(ODD), "{listed}");
    served.end().await;
}

#[tokio::test]
async fn a_container_is_nobody_and_may_nothing() {
    let served = Served::start("").await;
    let seen = served.call("identity", json!({})).await;
    is_nobody(&seen);
    for (tool, arguments) in [
        ("write", json!({ "path": "/new", "bytes": 1 })),
        ("read", json!({ "path": "/etc/shadow" })),
        ("connect", json!({ "address": served.gateway.address() })),
        ("connect", json!({ "address": "169.254.169.254:80" })),
    ] {
        let result = served.call(tool, arguments.clone()).await;
        assert_eq!(result["isError"], true, "{tool} {arguments} went through: {result}");
    }
    went_well(&served.call("write", json!({ "path": "/tmp/x", "bytes": 1 })).await);
    served.end().await;
}

#[tokio::test]
async fn the_way_out_is_the_gateway_and_goes_with_it() {
    let upstream = Upstream::plain();
    let origin = upstream.origin();
    let served = Served::start(&format!(
        "[servers.odd.grants]\nhttp = [\"GET {origin}/v1/*\"]\n\
         secrets = [{{ from = \"file:token\", header = \"authorization\", value = \"Bearer {{}}\", to = \"{origin}\" }}]"
    ))
    .await;
    let label = label(&served.site);
    assert_eq!(networks(&served.podman.engine, &label), 1);
    let proxy = proxy_of(&served.call("environment", json!({})).await);
    let ask = async |head: String| {
        let text = format!("{head} HTTP/1.1\r\nhost: elsewhere\r\n\r\n");
        let result = served.call("exchange", json!({ "address": proxy, "text": text })).await;
        went_well(&result).to_owned()
    };
    let answer = ask(format!("GET {origin}/v1/x")).await;
    assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains(CANARY), "{answer}");
    assert!(upstream.heard()[0].contains(&format!("authorization: Bearer {CANARY}")));
    for refused in [format!("POST {origin}/v1/x"), "GET http://169.254.169.254/".to_owned()] {
        let answer = ask(refused.clone()).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{refused}: {answer}");
    }
    served.gateway.logged("no grant is for the host 169.254.169.254").await;
    for address in [upstream.address().to_string(), "169.254.169.254:80".to_owned()] {
        let result = served.call("connect", json!({ "address": address })).await;
        assert_eq!(result["isError"], true, "connected to {address}: {}", text(&result));
    }
    served.end().await;
}

/// Podman has a name server at the address of the machine, which would ask others.
#[tokio::test]
async fn nobody_answers_names_where_there_is_a_way_out() {
    let served = Served::start("[servers.odd.grants]\nhttp = [\"GET https://api.example.com/v1/*\"]").await;
    let proxy = proxy_of(&served.call("environment", json!({})).await);
    let machine = proxy.split_once(':').unwrap().0.to_owned();
    let label = label(&served.site);
    let name = served.podman.podman(&["network", "ls", "--quiet", "--filter", &format!("label={label}")]);
    let inspected: Value =
        serde_json::from_str(&served.podman.podman(&["network", "inspect", &name])).unwrap();
    assert_eq!((&inspected[0]["internal"], &inspected[0]["dns_enabled"]), (&json!(true), &json!(false)));
    let socket = std::net::UdpSocket::bind((machine.as_str(), 0)).unwrap();
    socket.connect((machine.as_str(), 53)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    // A query for the address of `example.com`, RFC 1035.
    socket.send(b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01").unwrap();
    let error = socket.recv(&mut [0; 512]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{error}");
    served.end().await;
}

#[tokio::test]
async fn one_that_goes_and_comes_back_changes_the_state_both_ways() {
    let mut served = Served::start("").await;
    served.podman.stop();
    served.gateway.logged_within(Duration::from_secs(30), "no Docker engine at unix://").await;
    served.podman.restart();
    let end = std::time::Instant::now() + Duration::from_secs(30);
    while served.gateway.log().matches(READY).count() < 2 {
        assert!(std::time::Instant::now() < end, "it does not come back: {}", served.gateway.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    went_well(&served.call("count", json!({})).await);
    served.end().await;
}
