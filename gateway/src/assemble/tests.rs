//! What resolving promises while registries and components misbehave.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::supervise::{News, supervise};
use super::*;
use crate::catalog::CatalogSettings;
use crate::config::Config;
use crate::gateway::{Gateway, GatewaySettings};

const COMPONENT: &str = r#"(component
    (core module $m (func (export "f") (result i32) i32.const 1))
    (core instance $i (instantiate $m))
    (func (export "answer") (result u32) (canon lift (core func $i "f")))
    (func (export "a-function-with-a-name-that-is-longer-than-some") (result u32)
        (canon lift (core func $i "f"))))"#;

/// A gateway's servers, being resolved.
struct Site {
    dir: TempDir,
    gateway: Arc<Gateway>,
    /// Of each try: the server, and why it is unavailable.
    news: mpsc::UnboundedReceiver<(String, Option<String>)>,
    supervisor: tokio::task::JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

fn silent() -> Progress {
    Arc::new(|_, _| {})
}

/// Resolves the servers of a config in a folder that has `good.wasm`.
fn start(config: &str, progress: Progress) -> Site {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("good.wasm"), wat::parse_str(COMPONENT).unwrap()).unwrap();
    let Config { artifacts, egress, docker, servers, .. } = parse(config, dir.path());
    let images = Arc::new(Images::new(docker, None));
    let assembler = Assembler::new(artifacts, egress, EngineOptions::default(), images, Arc::default());
    let assembler = Arc::new(assembler.unwrap());
    let gateway = Arc::new(Gateway::starting(GatewaySettings::default()));
    let (tell, news) = mpsc::unbounded_channel();
    let told = move |News { assembled, refused, .. }: News<'_>| {
        let fault = assembled.result.as_ref().err().map(ToString::to_string);
        let fault = fault.or(refused.map(str::to_owned));
        drop(tell.send((assembled.config.name.clone(), fault)));
    };
    let supervisor = {
        let (gateway, servers) = (Arc::clone(&gateway), servers.into_values().collect());
        tokio::spawn(async move {
            supervise(
                &gateway,
                assembler,
                (servers, CatalogSettings::default()),
                (progress, Arc::new(told) as _),
                || {},
            )
            .await
            .unwrap();
        })
    };
    Site { dir, gateway, news, supervisor }
}

fn parse(config: &str, dir: &Path) -> Config {
    let state = dir.join("state").to_string_lossy().into_owned();
    let env = |name: &str| (name == "TOOLGATE_STATE_DIR").then(|| state.clone());
    Config::parse(config, &dir.join("toolgate.toml"), &env).unwrap()
}

impl Site {
    async fn next(&mut self) -> (String, Option<String>) {
        timeout(Duration::from_secs(20), self.news.recv()).await.expect("news in time").unwrap()
    }

    /// What is told of a server first.
    async fn fault_of(&mut self, server: &str) -> Option<String> {
        loop {
            let (name, fault) = self.next().await;
            if name == server {
                return fault;
            }
        }
    }
}

/// A registry that gives one answer to whatever it is asked; without one it is silent.
async fn registry(answer: Option<&'static str>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    match answer {
                        Some(answer) => drop(stream.write_all(answer.as_bytes()).await),
                        None => std::future::pending().await,
                    }
                }
            });
        }
    });
    address
}

fn on(registry: SocketAddr, servers: usize) -> String {
    let server = |n: usize| format!("[servers.on-it-{n}]\ncomponent = \"oci://{registry}/x:{n}\"\n");
    (0..servers).map(server).collect()
}

const GOOD: &str = "[servers.good]\ncomponent = \"file:good.wasm\"\nrename = { a-function-with-a-name-that-is-longer-than-some = \"f\" }\n";

#[tokio::test]
async fn a_registry_that_hangs_does_not_hold_up_a_good_server() {
    let (slow, quick) = (registry(None).await, registry(Some(NOT_FOUND)).await);
    let config = format!(
        "[registries]\nplain-http = [\"{slow}\", \"{quick}\"]\nidle-timeout = \"60s\"\n{}\n{GOOD}\n\
         [servers.quick]\ncomponent = \"oci://{quick}/x:1\"\n",
        on(slow, 12)
    );
    let mut site = start(&config, silent());
    let mut told = [site.next().await, site.next().await].map(|(name, fault)| (name, fault.is_none()));
    told.sort();
    assert_eq!(told, [("good".to_owned(), true), ("quick".to_owned(), false)]);
}

const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn each_fault_of_a_registry_is_told_and_leaves_the_others_serving() {
    for (answer, fault) in [
        (Some(NOT_FOUND), "does not exist in"),
        (Some("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n"), "(401)"),
        (Some("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"), "forbids pulling from x (403)"),
        (
            Some("HTTP/1.1 429 Slow Down\r\nretry-after: 60\r\ncontent-length: 0\r\n\r\n"),
            "limits our requests (429) and asks to wait 60 s",
        ),
        (Some("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"), "is failing: it answered 500"),
        (
            Some("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>"),
            "is not readable",
        ),
        (Some("no HTTP at all\r\n\r\n"), "registry"),
        (None, "took longer than 1 s"),
    ] {
        let faulty = registry(answer).await;
        let config = format!(
            "[registries]\nplain-http = [\"{faulty}\"]\nidle-timeout = \"1s\"\n{}\n{GOOD}",
            on(faulty, 1)
        );
        let mut site = start(&config, silent());
        let told = site.fault_of("on-it-0").await.unwrap();
        assert!(told.contains(fault) && !told.contains('\n'), "{told}");
        let catalog = async {
            loop {
                match site.gateway.catalog() {
                    Some(catalog) => return catalog,
                    None => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        };
        let catalog = timeout(Duration::from_secs(20), catalog).await.unwrap();
        assert!(catalog.server("good").unwrap().is_ready(), "{fault}");
        assert_eq!(catalog.server("on-it-0").unwrap().unavailable(), Some(told.as_str()));
    }
}

#[tokio::test]
async fn a_server_that_comes_is_served_and_its_absence_was_told() {
    let mut site = start(
        "[servers.late]\ncomponent = \"file:late.wasm\"\nrename = { a-function-with-a-name-that-is-longer-than-some = \"f\" }",
        silent(),
    );
    assert!(site.fault_of("late").await.unwrap().contains("late.wasm"));
    std::fs::copy(site.dir.path().join("good.wasm"), site.dir.path().join("late.wasm")).unwrap();
    assert_eq!(site.fault_of("late").await, None);
    let ready = async {
        while !site.gateway.catalog().unwrap().server("late").unwrap().is_ready() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), ready).await.unwrap();
}

#[tokio::test]
async fn what_the_catalog_refuses_is_told() {
    let name = "a-server-with-a-long-name-indeed";
    let config = format!("[servers.{name}]\ncomponent = \"file:good.wasm\"");
    let mut site = start(&config, silent());
    let told = site.fault_of(name).await.unwrap();
    assert!(told.contains("characters long, more than 64") && told.contains("`rename`"), "{told}");
}

#[tokio::test]
async fn a_try_that_panics_is_told() {
    let mut site = start(GOOD, Arc::new(|_, _| panic!("a test panics")));
    let told = site.fault_of("good").await.unwrap();
    assert!(told.starts_with("resolving it was given up: task ") && told.contains("a test panics"), "{told}");
}

#[test]
fn only_what_can_end_otherwise_is_tried_again() {
    let digest = "a".repeat(64);
    let pinned = format!("oci://registry.example/x@sha256:{digest}").parse().unwrap();
    let tag = "oci://registry.example/x:1".parse().unwrap();
    let file = "file:x.wasm".parse().unwrap();
    let away =
        || ServerError::Artifact(ArtifactError::Unreachable { registry: "r".into(), cause: "c".into() });
    let module = || ServerError::Artifact(ArtifactError::CoreModule("x".into()));
    let plain = || ServerError::Artifact(ArtifactError::PlainHttp { host: "r".into() });
    for (error, passes) in [(away(), [true; 3]), (module(), [false, true, true]), (plain(), [false; 3])] {
        let may = [&pinned, &tag, &file].map(|reference| error.may_pass(Some(reference)));
        assert_eq!(may, passes, "{error}");
    }
    assert!(!ServerError::Load(LoadError::CoreModule).may_pass(Some(&tag)));
    assert!(!ServerError::NoImage.may_pass(None));
}
