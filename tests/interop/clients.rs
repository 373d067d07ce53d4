//! Clients that others wrote, in the eras that they speak and over both transports: what they see is what the tools said.

use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::gateway::{Gateway, binary};
use e2e::guests;
use e2e::site::Site;
use serde_json::{Value, json};

use super::installed::{folder, node, node_module, python};

fn site() -> Site {
    let everything = guests::tool("everything");
    Site::new(&format!("[servers.e]\ncomponent = \"file:{}\"\n", everything.display()))
}

fn script(name: &str) -> PathBuf {
    guests::root().join("tests/interop/clients").join(name)
}

/// A client over HTTP, or over stdio.
fn over(mut client: Command, transport: &Transport<'_>) -> Command {
    match transport {
        Transport::Http(gateway) => client.args(["http", &gateway.url("/mcp")]),
        Transport::Stdio(site) => {
            client.arg("stdio").arg(binary()).args(["stdio", "--config"]).arg(site.config())
        }
    };
    client
}

enum Transport<'a> {
    Http(&'a Gateway),
    Stdio(&'a Site),
}

/// What a client says that it saw.
async fn seen(mut client: Command, dir: &Path) -> Value {
    client.current_dir(dir);
    let output = tokio::task::spawn_blocking(move || client.output()).await.unwrap().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"))
}

/// What an official SDK sees: lists, values, images, progress, what its user answered, prompts, resources, errors.
fn assert_all(seen: &Value, is_stdio: bool) {
    assert_listed(seen);
    assert_eq!(seen["sum"], json!({ "sum": 5 }), "{seen}");
    assert_eq!(seen["image"], json!(["image", "image/png"]));
    let answer = seen["asked"].as_str().unwrap().strip_prefix("User response: ").unwrap();
    let answer: Value = serde_json::from_str(answer).unwrap();
    let content = json!({ "username": "ann", "email": "ann@example.com" });
    assert_eq!((&answer["action"], &answer["content"]), (&json!("accept"), &content));
    assert_eq!(seen["prompt"], "Prompt with arguments: arg1='a', arg2='b'");
    assert_eq!(seen["resource"], "This is the content of the static text resource.");
    assert_eq!(seen["failed"], true);
    // Of what comes in one go with the result, one of the SDKs forgets the last over stdio.
    let told = seen["progress"].as_array().unwrap();
    let least = if is_stdio { 2 } else { 3 };
    assert!((least..=3).contains(&told.len()), "{seen}");
    for (told, done) in told.iter().zip([0.0, 50.0, 100.0]) {
        assert_eq!((told[0].as_f64(), told[1].as_f64()), (Some(done), Some(100.0)), "{seen}");
    }
}

fn assert_listed(seen: &Value) {
    let tools = seen["tools"].as_array().unwrap();
    assert!(tools.len() > 25 && tools.contains(&json!("e__sum")), "{seen}");
}

/// An official SDK in one of its modes.
async fn official(client: impl Fn(&str) -> Command, modes: &[&str]) {
    let site = site();
    let gateway = Gateway::start(&site).await;
    for mode in modes {
        assert_all(&seen(over(client(mode), &Transport::Http(&gateway)), site.dir()).await, false);
        assert_all(&seen(over(client(mode), &Transport::Stdio(&site)), site.dir()).await, true);
    }
}

#[tokio::test]
async fn the_official_python_sdk() {
    let client = |mode: &str| {
        let mut client = python("python");
        client.arg(script("official.py")).arg(mode);
        client
    };
    official(client, &["auto", "legacy", "2026-07-28"]).await;
}

#[tokio::test]
async fn the_official_typescript_sdks() {
    let client = |mode: &str| {
        let mut client = node();
        client.arg(script("typescript.mjs")).arg(folder()).arg(mode);
        client
    };
    official(client, &["v1", "auto", "legacy", "2026-07-28"]).await;
}

#[tokio::test]
async fn the_inspector() {
    let site = site();
    let gateway = Gateway::start(&site).await;
    let program = node_module("@modelcontextprotocol/inspector/clients/launcher/build/index.js");
    let inspector = |target: &[&str], method: &[&str]| {
        let mut client = node();
        client.arg(&program).arg("--cli").args(target).args(method);
        client
    };
    let toolgate = binary().display().to_string();
    for target in [&[&*gateway.url("/mcp"), "--transport", "http"][..], &[&toolgate, "stdio"]] {
        let listed = seen(inspector(target, &["--method", "tools/list"]), site.dir()).await;
        let names = listed["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone());
        assert_listed(&json!({ "tools": names.collect::<Vec<_>>() }));
        let call =
            ["--method", "tools/call", "--tool-name", "e__sum", "--tool-arg", "a=2", "--tool-arg", "b=3"];
        let called = seen(inspector(target, &call), site.dir()).await;
        assert_eq!(called["structuredContent"], json!({ "sum": 5 }), "{called}");
    }
}

/// A framework's client in Python over both transports.
async fn framework(environment: &str, name: &str) -> [Value; 2] {
    let site = site();
    let gateway = Gateway::start(&site).await;
    let client = || {
        let mut client = python(environment);
        client.arg(script(name));
        client
    };
    let http = seen(over(client(), &Transport::Http(&gateway)), site.dir()).await;
    let stdio = seen(over(client(), &Transport::Stdio(&site)), site.dir()).await;
    [http, stdio]
}

#[tokio::test]
async fn the_adapters_of_langchain() {
    for seen in framework("python-v1", "langchain_tools.py").await {
        assert_listed(&seen);
        assert_eq!(seen["text"][0]["text"], "This is a simple text response for testing.", "{seen}");
        assert_eq!((&seen["sum"][0]["text"], &seen["schema"]), (&json!("{\"sum\":5}"), &json!("The first")));
    }
}

#[tokio::test]
async fn the_agents_sdk_of_openai() {
    for seen in framework("python", "openai_agents.py").await {
        assert_listed(&seen);
        assert_eq!(
            (&seen["sum"], &seen["text"]),
            (&json!({ "sum": 5 }), &json!("This is a simple text response for testing."))
        );
    }
}
