//! Engines that come, go, are slow, or full.

use std::time::{Duration, Instant};

use e2e::engine::{ODD, OwnEngine, SlowSocket};
use e2e::gateway::Gateway;
use e2e::guests;
use e2e::site::Site;
use serde_json::{Value, json};

use super::support::{failed_with, went_well};

/// Mebibytes of a test engine's disk.
const DISK: u32 = 256;

/// A server that is an image beside one that is a component, on that engine.
fn site(host: &str, lines: &str) -> Site {
    Site::new(&format!(
        "[docker]\nhost = \"{host}\"\n[servers.odd]\nimage = \"{ODD}\"\n{lines}\n\
         [servers.well]\ncomponent = \"file:{}\"\n",
        guests::guest("hello").display()
    ))
}

async fn state(gateway: &Gateway, server: &str) -> Value {
    let text = reqwest::get(gateway.url("/health")).await.unwrap().text().await.unwrap();
    let health: Value = serde_json::from_str(&text).unwrap();
    let servers = health["servers"].as_array().unwrap_or_else(|| panic!("{health}"));
    servers.iter().find(|found| found["name"] == server).unwrap_or_else(|| panic!("{health}"))["state"]
        .clone()
}

async fn becomes(gateway: &Gateway, expected: &str) {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let state = state(gateway, "odd").await;
        if state == expected {
            return;
        }
        assert!(Instant::now() < end, "{state} and not {expected}\n{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn others_go_on(gateway: &Gateway) {
    let tools = gateway.client_of("well").list().await;
    assert!(!tools.is_empty());
    assert_eq!(state(gateway, "well").await, "ready");
}

#[tokio::test]
async fn without_an_engine_the_rest_serves() {
    let site = site("unix:///nowhere/docker.sock", "");
    let gateway = Gateway::start(&site).await;
    others_go_on(&gateway).await;
    becomes(&gateway, "unavailable").await;
    let expected = "no Docker engine at unix:///nowhere/docker.sock: ";
    let log = gateway.logged(expected).await;
    assert!(log.contains("add a component or run where one is"), "{log}");
}

#[tokio::test]
async fn an_engine_that_comes_and_goes_changes_the_state_both_ways() {
    let mut own = OwnEngine::start(DISK);
    own.load(ODD);
    own.stop();
    let site = site(&own.host(), "");
    let gateway = Gateway::start(&site).await;
    becomes(&gateway, "unavailable").await;
    own.restart();
    becomes(&gateway, "ready").await;
    went_well(&gateway.client_of("odd").call("count", json!({})).await);
    own.stop();
    becomes(&gateway, "unavailable").await;
    others_go_on(&gateway).await;
    own.restart();
    becomes(&gateway, "ready").await;
    went_well(&gateway.client_of("odd").call("count", json!({})).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_stops_mid_call_fails_the_call_at_once() {
    let mut own = OwnEngine::start(DISK);
    own.load(ODD);
    let site = site(&own.host(), "[servers.odd.limits]\ndeadline = \"120s\"");
    let gateway = Gateway::start(&site).await;
    becomes(&gateway, "ready").await;
    let client = gateway.client_of("odd");
    let call =
        tokio::spawn(async move { client.call("sleep-for", json!({ "milliseconds": 100_000 })).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let since = Instant::now();
    tokio::task::block_in_place(|| own.stop());
    let result = call.await.unwrap();
    assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
    failed_with(&result, "trap");
    others_go_on(&gateway).await;
}

#[tokio::test]
async fn a_slow_engine_is_waited_for() {
    let own = OwnEngine::start(DISK);
    own.load(ODD);
    let slow = SlowSocket::listen(own.socket().with_file_name("slow"), own.socket());
    slow.delay(Duration::from_millis(300));
    let site = site(&slow.host(), "[servers.odd.limits]\ndeadline = \"60s\"");
    let gateway = Gateway::start(&site).await;
    becomes(&gateway, "ready").await;
    went_well(&gateway.client_of("odd").call("count", json!({})).await);
}

#[tokio::test]
async fn an_engine_that_hangs_is_unavailable_and_comes_back() {
    let own = OwnEngine::start(DISK);
    own.load(ODD);
    let site = site(&own.host(), "");
    let gateway = Gateway::start(&site).await;
    becomes(&gateway, "ready").await;
    own.hold(true);
    becomes(&gateway, "unavailable").await;
    gateway.logged("it did not answer within 5 s").await;
    others_go_on(&gateway).await;
    own.hold(false);
    becomes(&gateway, "ready").await;
}

#[tokio::test]
async fn an_engine_whose_disk_is_full_says_so() {
    let own = OwnEngine::start(DISK);
    own.load(ODD);
    own.fill_disk();
    let site = site(&own.host(), "");
    let gateway = Gateway::start(&site).await;
    becomes(&gateway, "unavailable").await;
    gateway.logged("no space left on device").await;
    others_go_on(&gateway).await;
    own.free_disk();
    becomes(&gateway, "ready").await;
}

#[tokio::test]
async fn an_engine_elsewhere_is_reached_by_tls_with_certificates() {
    let own = OwnEngine::start_with_tls(DISK);
    own.load(ODD);
    let lines = format!("host = \"{}\"\ncertificates = \"{}\"", own.tls_host(), own.certificates().display());
    let config = format!("[docker]\n{lines}\n[servers.odd]\nimage = \"{ODD}\"\n");
    let configured = Site::new(&config);
    let gateway = Gateway::start(&configured).await;
    becomes(&gateway, "ready").await;
    went_well(&gateway.client_of("odd").call("count", json!({})).await);
    // As Docker's own clients are told.
    let site = Site::new(&format!("[servers.odd]\nimage = \"{ODD}\"\n"));
    let certificates = own.certificates().display().to_string();
    let (host, none) = (own.tls_host(), "");
    for (path, state) in [(certificates.as_str(), "ready"), (none, "unavailable")] {
        let env = [("DOCKER_HOST", host.as_str()), ("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", path)];
        let gateway = Gateway::start_with(&site, &env).await;
        becomes(&gateway, state).await;
    }
}
