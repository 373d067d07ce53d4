//! The gateway itself panics, in the middle of sending a secret: it tells nothing of it, and goes on.
//!
//! The built gateway has no switch for that. It panics because the system lies to it, see
//! `tests/faults/send.c`.

use std::path::PathBuf;
use std::process::Command;

use e2e::canary;
use e2e::gateway::{Gateway, Written, command};
use e2e::guests;
use e2e::site::Site;
use e2e::upstream::Upstream;
use serde_json::{Value, json};

/// Its base64 and its percent-encoded form differ from it.
const TOKEN: &str = "canary~2718/token?";

fn site(upstream: &Upstream) -> Site {
    let origin = upstream.origin();
    Site::new(&format!(
        "[servers.bad]\ncomponent = \"file:{}\"\n[servers.bad.limits]\nconcurrency = 1\n[servers.bad.grants]\n\
         http = [\"GET {origin}/*\"]\n\
         secrets = [{{ from = \"env:API_TOKEN\", header = \"authorization\", value = \"Bearer {{}}\", \
         to = \"{origin}\" }}]\n",
        guests::guest("misbehave").display(),
    ))
}

/// The library that lies about what was sent, built in the site.
fn liar(site: &Site) -> PathBuf {
    let (source, library) = (guests::root().join("tests/faults/send.c"), site.path("liar.so"));
    let compiler = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).output();
    let compiler = compiler.expect("cc, which every Rust toolchain links with");
    assert!(compiler.status.success(), "{}", String::from_utf8_lossy(&compiler.stderr));
    library
}

#[tokio::test]
async fn a_panic_while_a_secret_is_sent_tells_nothing_of_it_and_ends_one_call() {
    let upstream = Upstream::plain();
    let site = site(&upstream);
    let mut command = command(&site);
    command.env("LD_PRELOAD", liar(&site)).env("RUST_BACKTRACE", "full");
    command.env("API_TOKEN", TOKEN).env("TOOLGATE_LOG", "trace");
    let mut gateway = Gateway::launch(&site, command).await;
    let client = gateway.client_of("bad");
    let url = format!("{}/echo", upstream.origin());
    let request = json!({ "method": "GET", "url": url, "headers": [], "body": null });

    let failed = client.try_call("http", request.clone()).await;
    assert_eq!(failed["result"]["isError"], true, "{failed}");
    let log = gateway.logged("panicked at").await;
    assert!(
        log.contains("stack backtrace:") && log.contains("hyper::proto::h1"),
        "it was in sending:\n{log}"
    );

    // With one permit: what the call had is free again.
    let answered = client.call("http", request).await;
    assert_eq!(answered["isError"], false, "{answered}");
    assert!(upstream.heard().iter().all(|head| head.contains(TOKEN)), "it was sent: {:?}", upstream.heard());
    assert!(gateway.is_alive());
    gateway.logged("\"outcome\":\"ok\"").await;
    let Written { log, stdout, .. } = gateway.written();
    assert_eq!(log.matches("panicked at").count(), 1, "{log}");
    assert_eq!(records(&log).len(), 2, "one record for each call:\n{log}");
    for text in [&log, &stdout, &failed.to_string(), &answered.to_string()] {
        assert_eq!(canary::found(TOKEN, text), [""; 0], "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
}

/// If the search finds nothing, there is nothing: it knows what this test has from elsewhere.
#[test]
fn a_secret_is_found_in_each_of_its_forms() {
    for written in [
        "Bearer canary~2718/token?",
        "Y2FuYXJ5fjI3MTgvdG9rZW4/",
        "Y2FuYXJ5fjI3MTgvdG9rZW4_",
        // As `Basic` has it, behind `bob:` and `user:`.
        "Ym9iOmNhbmFyeX4yNzE4L3Rva2VuPw==",
        "dXNlcjpjYW5hcnl+MjcxOC90b2tlbj8=",
        "/?key=canary~2718%2Ftoken%3F",
        "/?key=canary~2718%2ftoken%3f",
        "63616e6172797e323731382f746f6b656e3f",
        "63616E6172797E323731382F746F6B656E3F",
        "[99, 97, 110, 97, 114, 121, 126, 50, 55, 49, 56, 47, 116, 111, 107, 101, 110, 63]",
    ] {
        assert!(!canary::found(TOKEN, written).is_empty(), "{written}");
    }
    assert_eq!(canary::found(TOKEN, "Bearer ******************"), [""; 0]);
}

/// The records of calls in a log.
fn records(log: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["target"] == "toolgate::call" && line["outcome"].is_string()).collect()
}
