//! A config that says what it should not, and one that does not.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use super::*;
use crate::config::Config;

const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

fn findings(text: &str) -> Vec<Finding> {
    let env = |name: &str| match name {
        "HOME" => Some("/home/op".to_owned()),
        "KEY" | "A" => Some("long-enough".to_owned()),
        _ => None,
    };
    let config = Config::parse(text, Path::new("/site/toolgate.toml"), &env).unwrap();
    audit(config.servers.values().next().unwrap())
}

/// What is found, without what to change.
fn found(text: &str) -> Vec<(Severity, String)> {
    findings(text).into_iter().map(|finding| (finding.severity, finding.what)).collect()
}

#[track_caller]
fn finds(text: &str, severity: Severity, part: &str) {
    let found = found(text);
    assert!(found.iter().any(|(s, what)| *s == severity && what.contains(part)), "{part}: {found:?}");
}

#[test]
fn a_pinned_component_with_narrow_grants_has_nothing_to_change() {
    let text = format!(
        r#"
[servers.a]
component = "oci://ghcr.io/acme/a@{DIGEST}"
[servers.a.grants]
http = ["GET,POST https://api.example.com/v1/*", "GET https://db.internal/ @10.1.2.3"]
files = [{{ host = "data", guest = "/data", mode = "ro" }}, {{ host = "/home/op/out", guest = "/out", mode = "rw", max = "1GiB" }}]
env = {{ LANG = "en" }}
secrets = [{{ from = "env:KEY", header = "authorization", to = "https://api.example.com" }}]
"#
    );
    assert_eq!(findings(&text), []);
    assert_eq!(score(&findings(&text)), 100);
}

#[test]
fn wide_grants_are_found() {
    let with =
        |grants: &str| format!("[servers.a]\ncomponent = \"file:a.wasm\"\n[servers.a.grants]\n{grants}\n");
    finds(&with(r#"http = ["* https://a.example/"]"#), Severity::Low, "every method");
    finds(&with(r#"http = ["GET https://*.example/"]"#), Severity::Medium, "every name below");
    finds(&with(r#"http = ["GET http://a.example/"]"#), Severity::Medium, "not encrypted");
    finds(
        &with(r#"http = ["GET https://a.example/ @10.0.0.0/8"]"#),
        Severity::Medium,
        "each private address",
    );
    finds(&with(r#"tcp = ["a.example:5432 @10.0.0.0/8"]"#), Severity::Medium, "each private address");
    for host in ["/", "/etc", "/var/run/docker.sock", "/home/op", "/home"] {
        let grant = format!("files = [{{ host = \"{host}\", guest = \"/x\", mode = \"ro\" }}]");
        finds(&with(&grant), Severity::High, "is the host's own");
    }
    finds(&with(r#"env = { GITHUB_TOKEN = "x" }"#), Severity::High, "`GITHUB_TOKEN` stands in `env`");
    finds(&with(r#"secrets = [{ from = "env:A", env = "A" }]"#), Severity::Medium, "holds the secret `A`");
}

#[test]
fn what_is_not_pinned_is_found_where_it_runs() {
    let both = |backend: &str| {
        format!(
            "[servers.a]\ncomponent = \"oci://ghcr.io/a/b:1\"\nimage = \"a/b:1\"\nbackend = \"{backend}\"\n"
        )
    };
    let pins = |backend: &str| {
        let found = found(&both(backend));
        let of = |part: &str| found.iter().any(|(_, what)| what.contains(part));
        (of("to its tag"), of("image's tag"))
    };
    assert_eq!(pins("auto"), (true, true));
    assert_eq!(pins("wasm"), (true, false));
    assert_eq!(pins("docker"), (false, true));
}

#[test]
fn a_container_is_judged_by_what_can_be_said_of_it() {
    let with = |lines: &str| {
        format!("[servers.a]\nimage = \"a@{DIGEST}\"\n[servers.a.container]\nruntime = \"runsc\"\n{lines}\n")
    };
    assert_eq!(found(&with("")), []);
    finds(&with("user = \"0:0\""), Severity::High, "as root");
    finds(&with("user = \"root\""), Severity::High, "as root");
    finds(&with("user = \"1000:0\""), Severity::Low, "group of root");
    let grant = "[servers.a.grants]\nfiles = [{ host = \"d\", guest = \"/d\", mode = \"rw\" }]";
    finds(&with(grant), Severity::Medium, "fill the disk of `/site/d`");
    finds(&with("lifetime = \"warm\""), Severity::Low, "all callers share");
    finds(&with("lifetime = \"session\""), Severity::Low, "calls of a session share");
    finds(&format!("[servers.a]\nimage = \"a@{DIGEST}\"\n"), Severity::Low, "the host's kernel");
}

#[test]
fn the_worst_comes_first_and_points_end_at_nothing() {
    let text = r#"
[servers.a]
image = "a:1"
[servers.a.container]
user = "0"
lifetime = "warm"
[servers.a.grants]
files = [{ host = "/", guest = "/host", mode = "rw" }]
env = { PASSWORD = "x", SECRET = "y" }
"#;
    let found = findings(text);
    assert!(found.is_sorted_by_key(|finding| std::cmp::Reverse(finding.severity)));
    assert_eq!(score(&found), 0);
    assert!(found.iter().all(|finding| !finding.change.is_empty()));
}

#[test]
fn of_a_server_elsewhere_the_way_there_is_looked_at() {
    for (url, is_found) in [
        ("https://mcp.example.com/mcp", false),
        ("http://127.0.0.1:8080/mcp", false),
        ("http://mcp.internal/mcp @10.0.0.0/8", true),
    ] {
        let found = findings(&format!("[servers.a]\nurl = \"{url}\"\n"));
        let change = found.first().map(|finding| finding.change.as_str());
        let expected = "url = \"https://mcp.internal/mcp\", if it speaks TLS";
        assert_eq!((found.len(), change), (usize::from(is_found), is_found.then_some(expected)), "{url}");
    }
}
