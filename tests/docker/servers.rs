//! Servers that others wrote, as they come.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use e2e::engine::SERVERS;
use serde_json::{Value, json};

use super::support::{Docked, READY, text, went_well};
use super::told::stream;

pub(crate) const EVERYTHING: &str =
    "/opt/npm/node_modules/@modelcontextprotocol/server-everything/dist/index.js";
const FILESYSTEM: &str = "/opt/npm/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js";

async fn serve(command: &str, lines: &str) -> Docked {
    Docked::of(&format!(
        "[servers.odd]\nimage = \"{SERVERS}\"\n[servers.odd.container]\ncommand = {command}\n{lines}\n"
    ))
    .await
}

#[tokio::test]
async fn everything_of_the_model_context_protocol() {
    let docked = serve(&format!("[\"node\", \"{EVERYTHING}\"]"), "").await;
    let tools = docked.client().list().await;
    let echo = tools.iter().find(|tool| tool["name"] == "echo").unwrap_or_else(|| panic!("{tools:?}"));
    assert_eq!(echo["inputSchema"]["type"], "object", "{echo}");
    let result = docked.client().call("echo", json!({ "message": "a word" })).await;
    assert_eq!(went_well(&result), "Echo: a word");
    let result = docked.client().call("get-sum", json!({ "a": 2, "b": 40 })).await;
    assert!(went_well(&result).contains("42"), "{result}");
    let image = docked.client().call("get-tiny-image", json!({})).await;
    let content = image["content"].as_array().unwrap();
    assert!(content.iter().any(|part| part["type"] == "image" && part["data"].is_string()), "{image}");
    let wrong = docked.client().call("get-sum", json!({ "a": "two" })).await;
    assert!(wrong["isError"] == true, "{wrong}");
}

#[tokio::test]
async fn everything_tells_how_far_a_long_operation_is() {
    let docked = serve(&format!("[\"node\", \"{EVERYTHING}\"]"), "").await;
    let arguments = json!({ "duration": 1, "steps": 4 });
    let meta = json!({ "progressToken": "mine" });
    let messages = stream(&docked.client(), "trigger-long-running-operation", arguments, meta).await;
    let told: Vec<Value> = messages.iter().map(|message| serde_json::from_str(message).unwrap()).collect();
    let (last, progress) = told.split_last().unwrap();
    let steps: Vec<_> = progress.iter().map(|told| told["params"]["progress"].as_u64().unwrap()).collect();
    assert_eq!(steps, [1, 2, 3, 4], "{told:?}");
    assert!(progress.iter().all(|told| told["params"]["progressToken"] == "mine"), "{told:?}");
    went_well(&last["result"]);
}

#[tokio::test]
async fn a_file_system_server_sees_what_is_granted() {
    let docked = serve(
        &format!("[\"node\", \"{FILESYSTEM}\", \"/data\"]"),
        "[servers.odd.grants]\nfiles = [{ host = \"./data\", guest = \"/data\", mode = \"rw\" }]",
    )
    .await;
    docked.site.write("data/word", "inside");
    std::fs::set_permissions(docked.site.path("data"), std::fs::Permissions::from_mode(0o777)).unwrap();
    docked.gateway.logged_within(Duration::from_secs(60), READY).await;
    let read = docked.client().call("read_text_file", json!({ "path": "/data/word" })).await;
    assert_eq!(went_well(&read), "inside");
    let written =
        docked.client().call("write_file", json!({ "path": "/data/new", "content": "by a tool" })).await;
    went_well(&written);
    assert_eq!(std::fs::read_to_string(docked.site.path("data/new")).unwrap(), "by a tool");
    let outside = docked.client().call("read_text_file", json!({ "path": "/etc/hostname" })).await;
    assert_eq!(outside["isError"], true, "{outside}");
}

#[tokio::test]
async fn a_time_server_in_python() {
    let docked = serve("[\"python3\", \"-m\", \"mcp_server_time\", \"--local-timezone\", \"UTC\"]", "").await;
    let arguments = json!({ "source_timezone": "UTC", "time": "16:30", "target_timezone": "Asia/Tokyo" });
    let result = docked.client().call("convert_time", arguments).await;
    assert!(went_well(&result).contains("T01:30:00+09:00"), "{result}");
    let wrong = docked.client().call("get_current_time", json!({ "timezone": "Mars/Olympus" })).await;
    assert_eq!(wrong["isError"], true, "{wrong}");
}

#[tokio::test]
async fn a_git_server_in_python() {
    let docked = serve(
        "[\"python3\", \"-m\", \"mcp_server_git\"]",
        "[servers.odd.grants]\nfiles = [{ host = \"./repository\", guest = \"/repository\", mode = \"ro\" }]\n\
         env = { GIT_CONFIG_COUNT = \"1\", GIT_CONFIG_KEY_0 = \"safe.directory\", GIT_CONFIG_VALUE_0 = \"*\" }",
    )
    .await;
    docked.site.write("repository/word", "inside");
    let folder = docked.site.path("repository");
    for args in [&["init", "--quiet"][..], &["add", "word"], &["commit", "--quiet", "--message", "Begin"]] {
        let identity = ["-c", "user.name=e2e", "-c", "user.email=e2e@example.com"];
        let status = Command::new("git").args(identity).args(args).current_dir(&folder).status().unwrap();
        assert!(status.success(), "git {args:?}");
    }
    docked.gateway.logged_within(Duration::from_secs(60), READY).await;
    let log = docked.client().call("git_log", json!({ "repo_path": "/repository" })).await;
    assert!(text(&log).contains("Begin"), "{log}");
}
