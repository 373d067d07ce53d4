//! API keys as operators make them and clients send them.

use std::process::Output;

use e2e::client::Client;
use e2e::gateway::{Gateway, run};
use e2e::guests;
use e2e::site::Site;
use rmcp::ServiceExt;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};

/// A gateway on all interfaces.
const GATEWAY: &str = "[gateway]\nlisten = \"0.0.0.0:0\"\nstate-dir = \"state\"\n";

fn servers() -> String {
    let guest = |name: &str| format!("component = \"file:{}\"\n", guests::guest(name).display());
    format!("[servers.hello]\n{}[servers.bad]\n{}", guest("hello"), guest("misbehave"))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Makes a key for `server` as README says: its section goes to the end of the config.
pub(super) fn make_key(site: &Site, name: &str, server: &str) -> String {
    let owner = format!("{name}@example.com");
    let Output { status, stdout, stderr } =
        run(site, &["key", "new", name, "--owner", &owner, "--server", server]);
    assert!(status.success(), "{}", text(&stderr));
    let config = std::fs::read_to_string(site.config()).unwrap();
    site.write("toolgate.toml", config + text(&stdout));
    let key = text(&stderr).lines().find_map(|line| line.strip_prefix("key: "));
    key.unwrap_or_else(|| panic!("{}", text(&stderr))).to_owned()
}

/// The gateway's port on loopback; the address that it tells is of all interfaces.
fn client(gateway: &Gateway) -> Client {
    let (_, port) = gateway.address().rsplit_once(':').unwrap();
    Client::new(&format!("http://127.0.0.1:{port}"), "/mcp")
}

#[tokio::test]
async fn a_key_opens_what_it_says_and_is_written_nowhere() {
    let site = Site::new(&format!("{GATEWAY}\n{}", servers()));
    let (ann, ben) = (make_key(&site, "ann", "*"), make_key(&site, "ben", "hello"));
    let gateway = Gateway::start_with(&site, &[("TOOLGATE_LOG", "trace")]).await;
    let name = json!({ "name": "Ada" });

    let all = client(&gateway).with_key(&ann).list().await;
    let some = client(&gateway).with_key(&ben).list().await;
    assert!(all.len() > some.len() && !some.is_empty(), "{} and {}", all.len(), some.len());
    assert!(some.iter().all(|tool| tool["name"].as_str().unwrap().starts_with("hello__")), "{some:?}");
    let result = client(&gateway).with_key(&ben).call("hello__greet", name.clone()).await;
    assert_eq!(result["isError"], false, "{result}");
    let refused = client(&gateway).with_key(&ben).try_call("bad__sleep-for", json!({})).await;
    assert_eq!(refused["error"]["message"], "unknown tool: bad__sleep-for");
    let nobody = client(&gateway).try_call("hello__greet", name.clone()).await;
    assert_eq!(nobody["error"]["code"], 401, "{nobody}");
    // What the config holds opens nothing.
    let hash = std::fs::read_to_string(site.config()).unwrap();
    let hash =
        hash.lines().find_map(|line| line.strip_prefix("hash = ")).unwrap().trim_matches('"').to_owned();
    let guess = client(&gateway).with_key(&hash).try_call("hello__greet", name).await;
    assert_eq!(guess["error"]["code"], 401, "{guess}");

    let written = gateway.written();
    let records: Vec<Value> = written.log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let record = |outcome: &str| records.iter().find(|record| record["outcome"] == outcome).unwrap();
    assert_eq!(record("ok")["principal"], "ben@example.com");
    assert_eq!(record("not-allowed")["server"], "bad");
    assert!(record("not-allowed")["cause"].as_str().unwrap().contains("[auth.keys]"));
    assert!(!written.log.contains("listening beyond this host"), "there are keys");
    for key in [&ann, &ben] {
        let secret = &key["toolgate_".len()..];
        assert!(!written.log.contains(secret) && !written.stdout.contains(secret));
        for entry in files(site.dir()) {
            let content = std::fs::read(&entry).unwrap();
            let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} has a key", entry.display());
        }
    }
}

fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn the_official_sdk_signs_in_with_a_key() {
    let site = Site::new(&format!("{GATEWAY}\n{}", servers()));
    let ben = make_key(&site, "ben", "hello");
    let gateway = Gateway::start(&site).await;
    let (_, port) = gateway.address().rsplit_once(':').unwrap();
    let endpoint = format!("http://127.0.0.1:{port}/mcp");
    let with = |key: &str| {
        let config = StreamableHttpClientTransportConfig::with_uri(endpoint.clone()).auth_header(key);
        StreamableHttpClientTransport::from_config(config)
    };
    let client = ().serve(with(&ben)).await.expect("it is let in");
    let tools = client.list_all_tools().await.expect("a list");
    assert!(!tools.is_empty() && tools.iter().all(|tool| tool.name.starts_with("hello__")), "{tools:?}");
    client.cancel().await.expect("an orderly end");
    assert!(().serve(with("toolgate_none")).await.is_err(), "nobody else is");
}

#[tokio::test]
async fn whoever_reaches_a_gateway_that_is_meant_to_be_open_may_call_and_the_log_says_so() {
    let site = Site::new(&format!("{GATEWAY}allow-anonymous = true\n\n{}", servers()));
    let gateway = Gateway::start(&site).await;
    let result = client(&gateway).call("hello__greet", json!({ "name": "Ada" })).await;
    assert_eq!(result["isError"], false, "{result}");
    gateway.logged("listening beyond this host without keys").await;
}
