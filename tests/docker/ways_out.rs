//! Containers with grants of `http` and `tcp`: what they reach by the gateway, and that they reach nothing
//! without it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::ops::Deref;
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::engine::{Engine, ODD, SERVERS};
use e2e::gateway::{Gateway, command, with_hosts};
use e2e::site::Site;
use e2e::upstream::{Upstream, authority};
use serde_json::json;

use super::support::{Docked, READY, label, networks, proxy_of, text, volumes, went_well};

/// A secret that no container holds.
const CANARY: &str = "canary-2b7e1516";

/// A name that the machine's resolver knows, where a test says so.
const NAME: &str = "db.internal";

/// A gateway that is told to end, so that it takes its network with it: an engine has room for few.
struct Out(Docked);

impl Deref for Out {
    type Target = Docked;

    fn deref(&self) -> &Docked {
        &self.0
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        let Docked { engine, site, gateway } = &self.0;
        drop(Command::new("kill").arg(gateway.pid().to_string()).status());
        let (label, end) = (label(site), Instant::now() + Duration::from_secs(20));
        while networks(engine, &label) > 0 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A server with these grants.
fn granted(grants: &str) -> String {
    format!("[servers.odd]\nimage = \"{ODD}\"\n[servers.odd.grants]\n{grants}\n")
}

async fn docked(grants: &str) -> Out {
    ready(Docked::of(&granted(grants)).await).await
}

async fn ready(docked: Docked) -> Out {
    docked.gateway.logged_within(Duration::from_secs(30), READY).await;
    Out(docked)
}

/// The same where [`NAME`] means the machine.
async fn docked_with_name(grants: &str) -> Out {
    let site = Site::new(&granted(grants));
    let named = with_hosts(&site, &format!("127.0.0.1 {NAME}\n"), &command(&site));
    let gateway = Gateway::launch(&site, named).await;
    ready(Docked { engine: Engine::of_the_machine(), site, gateway }).await
}

/// What the container has been told.
async fn variables(docked: &Docked) -> BTreeMap<String, String> {
    let told = docked.client().call("environment", json!({})).await;
    let pairs = went_well(&told).lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Where its proxy is.
async fn proxy(docked: &Docked) -> String {
    proxy_of(&docked.client().call("environment", json!({})).await)
}

/// What is answered to a text that is sent from inside.
async fn exchange(docked: &Docked, address: &str, text: &str) -> String {
    let answered = docked.client().call("exchange", json!({ "address": address, "text": text })).await;
    went_well(&answered).to_owned()
}

/// What the proxy answers to a head without its end.
async fn asked(docked: &Docked, head: &str) -> String {
    let address = proxy(docked).await;
    exchange(docked, &address, &format!("{head}\r\nhost: elsewhere\r\n\r\n")).await
}

async fn refused(docked: &Docked, address: &str) {
    let result = docked.client().call("connect", json!({ "address": address })).await;
    assert_eq!(result["isError"], true, "connected to {address}: {result}");
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or(answer)
}

#[tokio::test]
async fn requests_are_judged_and_get_their_secrets_as_those_of_components() {
    let upstream = Upstream::plain();
    let origin = upstream.origin();
    let config = granted(&format!(
        "http = [\"GET {origin}/v1/*\"]\n\
         secrets = [{{ from = \"file:token\", header = \"authorization\", value = \"Bearer {{}}\", to = \"{origin}\" }}]"
    ));
    let site = Site::new(&config);
    site.write("token", CANARY);
    let gateway = Gateway::start(&site).await;
    let docked = ready(Docked { engine: Engine::of_the_machine(), site, gateway }).await;

    let answer = asked(&docked, &format!("GET {origin}/v1/x?q=1 HTTP/1.1\r\nauthorization: mine")).await;
    assert_eq!(status(&answer), "200", "{answer}");
    assert!(!answer.contains(CANARY), "{answer}");
    let heard = upstream.heard();
    assert!(heard[0].contains(&format!("authorization: Bearer {CANARY}")), "{heard:?}");
    assert!(!heard[0].contains("mine") && !heard[0].contains("elsewhere"), "{heard:?}");
    assert!(!heard[0].to_lowercase().contains("proxy-"), "{heard:?}");
    assert!(!format!("{:?}", variables(&docked).await).contains(CANARY));

    for head in [
        format!("POST {origin}/v1/x HTTP/1.1"),
        format!("GET {origin}/v2/x HTTP/1.1"),
        format!("GET {origin}/v1/../v2 HTTP/1.1"),
        format!("GET {origin}/v1/%2e%2e/v2 HTTP/1.1"),
        "GET http://169.254.169.254/latest/meta-data/ HTTP/1.1".to_owned(),
        "GET http://[::ffff:169.254.169.254]/ HTTP/1.1".to_owned(),
        "GET http://localhost/v1/x HTTP/1.1".to_owned(),
        format!("CONNECT {} HTTP/1.1", upstream.address()),
    ] {
        let answer = asked(&docked, &head).await;
        assert_eq!(status(&answer), "403", "{head}: {answer}");
        assert!(!answer.contains("http = "), "a container is told no line of the config: {answer}");
    }
    assert_eq!(status(&asked(&docked, "GET /v1/x HTTP/1.1").await), "400");
    assert_eq!(upstream.heard().len(), 1, "nothing else got out: {:?}", upstream.heard());
    let logged = docked.gateway.logged(&format!("POST {origin}/v1/x")).await;
    assert!(logged.contains("the grant is for the method GET"), "{logged}");
    assert!(!docked.gateway.log().contains(CANARY));
}

#[tokio::test]
async fn a_denial_is_of_the_call_that_asked_and_names_the_line_that_would_allow_it() {
    let docked = docked("http = [\"GET https://api.example.com/v1/*\"]").await;
    let head = "CONNECT api.example.com:8443 HTTP/1.1\r\nhost: x";
    let foreign = format!("{head}\r\nproxy-authorization: Basic dG9vbGdhdGU6d3Jvbmc=");
    assert_eq!(status(&asked(&docked, &foreign).await), "407");
    let result = docked.client().call("exchange-with-password", json!({ "head": head })).await;
    let answer = went_well(&result);
    assert_eq!(status(answer), "403", "{answer}");
    let log = docked.gateway.logged("CONNECT api.example.com:8443").await;
    let line = log.lines().find(|line| line.contains("CONNECT api.example.com:8443")).unwrap();
    assert!(line.contains("no grant is for api.example.com:8443"), "{line}");
    assert!(line.contains("* https://api.example.com:8443/*"), "{line}");
    assert!(line.contains("\"call\""), "it is the call's: {line}");
}

#[tokio::test]
async fn a_tunnel_to_a_whole_origin_carries_what_the_client_encrypts() {
    let upstream = Upstream::tls();
    let docked = docked(&format!("http = [\"* {}/*\"]", upstream.origin())).await;
    let head = format!("CONNECT {} HTTP/1.1", upstream.address());
    let answer = asked(&docked, &format!("{head}\r\nx: 1")).await;
    assert_eq!(status(&answer), "200", "{answer}");
    // No TLS here: that the bytes get there as they are is what is to be seen.
    let address = proxy(&docked).await;
    exchange(&docked, &address, &format!("{head}\r\nhost: x\r\n\r\nnot TLS")).await;
    let received = upstream.received();
    assert!(received.iter().any(|bytes| bytes == "not TLS"), "{received:?}");
}

#[tokio::test]
async fn a_request_that_names_https_is_encrypted_by_the_gateway() {
    let upstream = Upstream::tls();
    let config = format!(
        "{}[egress]\nextra-ca = \"{}\"\n",
        granted(&format!("http = [\"GET {}/v1/*\"]", upstream.origin())),
        authority().display()
    );
    let docked = ready(Docked::of(&config).await).await;
    let answer = asked(&docked, &format!("GET {}/v1/x HTTP/1.1", upstream.origin())).await;
    assert_eq!(status(&answer), "200", "{answer}");
    assert!(upstream.heard()[0].starts_with("GET /v1/x HTTP/1.1"), "{:?}", upstream.heard());
}

/// A server in Python whose tool gets a URL, with these grants and the authority of the upstreams.
async fn python(grants: &str, token: &str) -> Out {
    let config = format!(
        "[servers.odd]\nimage = \"{SERVERS}\"\n[servers.odd.container]\nlifetime = \"warm\"\n\
         command = [\"python3\", \"-c\", '''\n{}''']\n\
         [servers.odd.grants]\n{grants}\n[egress]\nextra-ca = \"{}\"\n",
        include_str!("requests.py"),
        authority().display(),
    );
    let site = Site::new(&config);
    site.write("token", token);
    let gateway = Gateway::start(&site).await;
    ready(Docked { engine: Engine::of_the_machine(), site, gateway }).await
}

async fn got(docked: &Docked, client: &str, url: &str) -> serde_json::Value {
    docked.client().call("get", json!({ "client": client, "url": url })).await
}

#[tokio::test]
async fn clients_that_others_wrote_find_the_way() {
    let (plain, tls) = (Upstream::plain(), Upstream::tls());
    let grants = format!("http = [\"GET {}/v1/*\", \"* {}/*\"]", plain.origin(), tls.origin());
    let docked = python(&grants, "").await;
    for (number, client) in [(1, "urllib, of any"), (2, "httpx, of any")] {
        for origin in [plain.origin(), tls.origin()] {
            let answer = got(&docked, client, &format!("{origin}/v1/{number}")).await;
            assert!(went_well(&answer).starts_with(&format!("GET /v1/{number} HTTP/1.1")), "{answer}");
        }
        let denied = got(&docked, client, &format!("{}/v2/{number}", plain.origin())).await;
        assert!(!denied.to_string().contains("GET /v2"), "{denied}");
        assert!(
            denied.to_string().contains("no grant for this") || denied.to_string().contains("403"),
            "{denied}"
        );
        let elsewhere = got(&docked, client, "https://api.example.com/").await;
        assert!(elsewhere["isError"] == true && text(&elsewhere).contains("403"), "{elsewhere}");
    }
    assert_eq!((plain.heard().len(), tls.heard().len()), (2, 2));
    // Where nothing is looked into, nobody has to trust the gateway.
    assert!(!variables_of(&docked).contains("SSL_CERT_FILE"));
}

/// What is told of its environment.
fn variables_of(docked: &Docked) -> String {
    let told = command(&docked.site).args(["inspect", "odd"]).output().unwrap();
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    told.lines().find(|line| line.contains("HTTPS_PROXY")).unwrap_or(&told).to_owned()
}

#[tokio::test]
async fn what_clients_encrypt_is_judged_and_gets_its_secrets_where_a_grant_is_for_a_part() {
    let tls = Upstream::tls();
    let origin = tls.origin();
    let grants = format!(
        "http = [\"GET {origin}/v1/*\"]\n\
         secrets = [{{ from = \"file:token\", header = \"authorization\", value = \"Bearer {{}}\", to = \"{origin}\" }}]"
    );
    let docked = python(&grants, CANARY).await;
    for (number, client) in [(1, "urllib"), (2, "httpx")] {
        let answer = got(&docked, client, &format!("{origin}/v1/{number}?q=1")).await;
        let answer = went_well(&answer);
        assert!(answer.starts_with(&format!("GET /v1/{number}?q=1 HTTP/1.1")), "{answer}");
        assert!(!answer.contains(CANARY), "{answer}");
        for path in ["/v2/x", "/v1/%2e%2e/v2"] {
            let denied = got(&docked, client, &format!("{origin}{path}")).await.to_string();
            assert!(denied.contains("no grant for this") || denied.contains("403"), "{client}: {denied}");
        }
    }
    let twice = got(&docked, "httpx, twice", &format!("{origin}/v1/3")).await;
    assert_eq!(went_well(&twice).matches("GET /v1/3 HTTP/1.1").count(), 2, "{twice}");
    let heard = tls.heard();
    assert_eq!(heard.len(), 4, "nothing else got out: {heard:?}");
    assert!(heard.iter().all(|head| head.contains(&format!("authorization: Bearer {CANARY}"))), "{heard:?}");
    // It asks for the list of a repository, which is not there: that it trusts whom it asks is what is seen.
    let told = got(&docked, "git", &format!("{origin}/v1/git")).await;
    assert!(tls.heard()[4].starts_with("GET /v1/git/info/refs"), "{told}");
    let logged = docked.gateway.logged("/v2/x").await;
    assert!(logged.contains("the grant is for the path /v1/*"), "{logged}");
    assert!(!docked.gateway.log().contains(CANARY));
    assert!(variables_of(&docked).contains("SSL_CERT_FILE"));
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_gateway_is_told_to_the_operator() {
    let tls = Upstream::tls();
    let docked = python(&format!("http = [\"GET {}/v1/*\"]", tls.origin()), "").await;
    let failed = got(&docked, "httpx, of its own authorities", &format!("{}/v1/x", tls.origin())).await;
    assert!(failed["isError"] == true && text(&failed).contains("CERTIFICATE_VERIFY_FAILED"), "{failed}");
    let log = docked.gateway.logged("does not take the certificate").await;
    let line = log.lines().find(|line| line.contains("does not take the certificate")).unwrap();
    assert!(line.contains(&format!("http = [\\\"* {}/*\\\"]", tls.origin())), "{line}");
    assert!(tls.received().is_empty());
}

#[tokio::test]
async fn a_host_of_a_tcp_grant_is_there_under_its_name() {
    let upstream = Upstream::plain();
    let port = upstream.address().port();
    let docked = docked_with_name(&format!("tcp = [\"{NAME}:{port} @127.0.0.1\"]")).await;
    let there = format!("{NAME}:{port}");
    let answer = exchange(&docked, &there, "GET /plain HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(status(&answer), "200", "{answer}");
    // By a tunnel too, for clients that know of proxies alone.
    let address = proxy(&docked).await;
    let tunnel =
        format!("CONNECT {there} HTTP/1.1\r\nhost: x\r\n\r\nGET /tunnel HTTP/1.1\r\nhost: x\r\n\r\n");
    let answer = exchange(&docked, &address, &tunnel).await;
    assert_eq!(answer.matches("200 OK").count(), 2, "{answer}");
    let heard = upstream.heard();
    assert!(heard[0].starts_with("GET /plain") && heard[1].starts_with("GET /tunnel"), "{heard:?}");
}

#[tokio::test]
async fn a_name_that_means_an_address_of_the_machine_is_denied() {
    let upstream = Upstream::plain();
    let port = upstream.address().port();
    let docked = docked_with_name(&format!("tcp = [\"{NAME}:{port}\"]")).await;
    let answer = exchange(&docked, &format!("{NAME}:{port}"), "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(answer, "");
    let answer = asked(&docked, &format!("CONNECT {NAME}:{port} HTTP/1.1")).await;
    assert_eq!(status(&answer), "403", "{answer}");
    assert!(upstream.received().is_empty(), "{:?}", upstream.received());
    docked.gateway.logged(&format!("tcp = [\\\"{NAME}:{port} @127.0.0.1\\\"]")).await;
}

#[tokio::test]
async fn nothing_is_reached_without_the_gateway() {
    let here = TcpListener::bind("127.0.0.1:0").unwrap();
    let docked = docked("http = [\"* https://api.example.com/*\"]").await;
    let own = here.local_addr().unwrap().to_string();
    for address in [
        own.as_str(),
        docked.gateway.address(),
        "169.254.169.254:80",
        "169.254.170.2:80",
        "[fd00:ec2::254]:80",
        "10.0.0.1:80",
        "1.1.1.1:443",
        "api.example.com:443",
        "deb.example:80",
    ] {
        refused(&docked, address).await;
    }
    // What way there is leads to an address that nobody has, and not to the machine.
    let routes = docked.client().call("read", json!({ "path": "/proc/net/route" })).await;
    let routes: Vec<String> = went_well(&routes).lines().skip(1).map(str::to_owned).collect();
    let gateways = routes.iter().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields[1] == "00000000").then(|| u32::from_str_radix(fields[2], 16).unwrap().to_le_bytes())
    });
    let machine = proxy(&docked).await;
    for gateway in gateways.map(Ipv4Addr::from) {
        assert_ne!(machine.split(':').next().unwrap(), gateway.to_string(), "{routes:?}");
        assert_eq!(gateway.octets()[3], 254, "{routes:?}");
    }
}

#[tokio::test]
async fn it_cannot_take_all_descriptors_of_the_gateway() {
    let docked = docked("http = [\"* https://api.example.com/*\"]").await;
    let address = proxy(&docked).await;
    let held = docked.client().call("hold", json!({ "address": address, "count": 400 })).await;
    assert_eq!(went_well(&held), "256");
    // They ended with the call, and the next is answered.
    let answer = exchange(&docked, &address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(status(&answer), "400", "{answer}");
}

#[tokio::test]
async fn nobody_but_its_containers_is_answered() {
    let docked = docked("http = [\"* https://api.example.com/*\"]").await;
    let address = proxy(&docked).await;
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    drop(stream.write_all(b"CONNECT api.example.com:443 HTTP/1.1\r\nhost: x\r\n\r\n"));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    assert_eq!(String::from_utf8_lossy(&answer), "", "a process of the machine was answered");
    // Nor do containers of another server find it.
    let other = self::docked("http = [\"* https://other.example.com/*\"]").await;
    refused(&other, &address).await;
}

#[tokio::test]
async fn what_was_made_for_it_goes_with_it_however_the_gateway_ends() {
    let docked =
        Docked::of(&granted("tcp = [\"db.example.com:5432\"]\nhttp = [\"GET https://a.example.com/*\"]"))
            .await;
    docked.gateway.logged_within(Duration::from_secs(30), READY).await;
    let Docked { engine, site, gateway } = docked;
    let label = label(&site);
    let left = || (networks(&engine, &label), volumes(&engine, &label));
    assert_eq!(left(), (1, 1));
    drop(gateway);
    assert_eq!(left(), (1, 1), "a killed one leaves it");
    let gateway = Gateway::start(&site).await;
    gateway.logged_within(Duration::from_secs(30), READY).await;
    assert_eq!(left(), (1, 1), "its next start takes the old ones away");
    tokio::task::spawn_blocking(|| gateway.terminate()).await.unwrap();
    assert_eq!(left(), (0, 0));
}

#[test]
fn two_hosts_at_one_port_are_refused_with_both_lines() {
    let site = Site::new(&granted("tcp = [\"a.example.com:5432\", \"b.example.com:5432\"]"));
    let checked = command(&site).arg("check").output().unwrap();
    let told = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(!checked.status.success(), "{told}");
    assert!(
        told.contains("the tcp grants a.example.com:5432 and b.example.com:5432 have one port"),
        "{told}"
    );
}

#[test]
fn a_port_that_the_machine_has_in_use_is_refused_and_said_so() {
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let site = Site::new(&granted(&format!("tcp = [\"a.example.com:{port}\"]")));
    let checked = command(&site).arg("check").output().unwrap();
    let told = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(!checked.status.success(), "{told}");
    assert!(told.contains("get out by the gateway alone, which can't listen for them on 1"), "{told}");
    assert!(told.contains(&format!(":{port}: something else listens there, or on all addresses")), "{told}");
    assert_eq!(networks(&Engine::of_the_machine(), &label(&site)), 0, "nothing is left of it");
}
