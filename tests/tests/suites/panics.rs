//! The gateway itself panics, in the middle of sending a secret: it tells nothing of it, and goes on.
//!
//! The built gateway has no switch for that. It panics because the system lies to it, see
//! `tests/faults/send.c`.

use std::path::PathBuf;
use std::process::Command;

use e2e::gateway::{Gateway, command};
use e2e::guests;
use e2e::site::Site;
use e2e::upstream::Upstream;
use serde_json::{Value, json};

/// Its base64 and its percent-encoded form differ from it.
const TOKEN: &str = "canary~2718/token?";

/// The same as others would write it.
const FORMS: [&str; 6] = [
    TOKEN,
    "canary",
    "Y2FuYXJ5fjI3MTgvdG9rZW4/",
    "Y2FuYXJ5fjI3MTgvdG9rZW4_",
    "2718%2Ftoken%3F",
    "63616e617279",
];

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
    let log = gateway.logged("\"outcome\":\"ok\"").await;
    assert_eq!(log.matches("panicked at").count(), 1, "{log}");
    assert_eq!(records(&log).len(), 2, "one record for each call:\n{log}");
    for text in [&log, &gateway.stdout(), &failed.to_string(), &answered.to_string()] {
        let found: Vec<_> = FORMS.iter().filter(|form| text.contains(**form)).collect();
        assert!(found.is_empty(), "{found:?} in {text}");
    }
}

/// The records of calls in a log.
fn records(log: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["target"] == "toolgate::call" && line["outcome"].is_string()).collect()
}
