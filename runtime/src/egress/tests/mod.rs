//! Egress against real servers on the loopback, which behave as badly as servers can.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod lookups;
mod secrets;
mod server;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};

use self::server::{Server, answer, certificate};
use super::*;
use crate::policy::{BoundSecret, HttpGrant, Target};

/// Resolves every name to fixed answers, one after the other, and counts the questions.
#[derive(Default)]
struct Fixed {
    answers: Vec<&'static str>,
    asked: AtomicUsize,
}

#[async_trait::async_trait]
impl Resolve for Fixed {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers[asked.min(self.answers.len() - 1)];
        Ok(answer.split(',').filter(|ip| !ip.is_empty()).map(|ip| ip.parse().unwrap()).collect())
    }
}

fn options() -> EgressOptions {
    let short = Duration::from_millis(300);
    EgressOptions {
        tls_timeout: short,
        first_byte_timeout: short,
        between_bytes_timeout: short,
        max_header_bytes: 8 * 1024,
        max_headers: 20,
        max_response_body: 100_000,
        max_request_body: 1000,
        extra_ca: Some(certificate("ca.pem")),
        ..EgressOptions::default()
    }
}

fn egress(answers: &[&'static str]) -> (Egress, Arc<Fixed>) {
    let resolver = Arc::new(Fixed { answers: answers.to_vec(), asked: AtomicUsize::default() });
    (Egress::with_resolver(options(), resolver.clone()).unwrap(), resolver)
}

async fn fetch(egress: &Egress, grant: &str, url: &str) -> Result<Response<ResponseBody>, EgressError> {
    send(egress, grant, Request::get(url).body(Full::new(Bytes::new())).unwrap()).await
}

async fn send(
    egress: &Egress,
    grant: &str,
    request: Request<Full<Bytes>>,
) -> Result<Response<ResponseBody>, EgressError> {
    send_with(egress, grant, request, &[]).await
}

async fn send_with(
    egress: &Egress,
    grant: &str,
    request: Request<Full<Bytes>>,
    secrets: &[BoundSecret],
) -> Result<Response<ResponseBody>, EgressError> {
    let grant = HttpGrant::parse(grant).unwrap();
    let target = Target::of(request.method(), request.uri()).unwrap();
    assert!(grant.matches(&target));
    egress.send(&target, grant.networks(), request, secrets, Timeouts::default()).await
}

/// Fetches from a server by its address.
async fn get(server: &Server) -> Result<Response<ResponseBody>, EgressError> {
    let url = format!("http://{}/x?q=1", server.address);
    fetch(&egress(&[""]).0, &format!("GET http://{}/*", server.address), &url).await
}

async fn text(response: Response<ResponseBody>) -> Result<String, EgressError> {
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn a_request_goes_out_in_origin_form_with_our_host() {
    let server = Server::echo().await;
    let url = format!("http://{}/a%20b?q=%2e%2e", server.address);
    let request = Request::post(url)
        .header("host", "evil.org")
        .header("proxy-connection", "keep-alive")
        .header("x-own", "1")
        .body(Full::new(Bytes::from_static(b"hello")))
        .unwrap();
    let grant = format!("POST http://{}/*", server.address);
    let sent = text(send(&egress(&[""]).0, &grant, request).await.unwrap()).await.unwrap();
    assert!(sent.starts_with("POST /a%20b?q=%2e%2e HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains(&format!("host: {}\r\n", server.address)), "{sent}");
    assert!(sent.contains("x-own: 1\r\n") && sent.ends_with("hello"), "{sent}");
    assert!(!sent.contains("evil") && !sent.contains("proxy"), "{sent}");
}

#[tokio::test]
async fn tls_is_spoken_with_the_granted_name() {
    let server = Server::tls("good", answer("200 OK", "secret")).await;
    let (egress, _) = egress(&["127.0.0.1"]);
    let port = server.address.port();
    let url = format!("https://good.example:{port}/x");
    let by_name = fetch(&egress, &format!("GET {url} @127.0.0.1"), &url).await.unwrap();
    assert_eq!(text(by_name).await.unwrap(), "secret");
    let url = format!("https://127.0.0.1:{port}/x");
    let by_address = fetch(&egress, &format!("GET {url}"), &url).await.unwrap();
    assert_eq!(text(by_address).await.unwrap(), "secret");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let server = Server::tls("other", answer("200 OK", "secret")).await;
    let url = format!("https://good.example:{}/x", server.address.port());
    let (egress, _) = egress(&["127.0.0.1"]);
    let error = fetch(&egress, &format!("GET {url} @127.0.0.1"), &url).await.err().unwrap();
    assert!(matches!(error, EgressError::Certificate { .. }), "{error:?}");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let server = Server::tls("good", answer("200 OK", "secret")).await;
    let egress = Egress::new(EgressOptions { extra_ca: None, ..options() }).unwrap();
    let url = format!("https://{}/x", server.address);
    let error = fetch(&egress, &format!("GET {url}"), &url).await.err().unwrap();
    assert!(matches!(error, EgressError::Certificate { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_an_error_in_time() {
    for (server, silent) in
        [(Server::silent().await, true), (Server::raw(answer("200 OK", "x")).await, false)]
    {
        let url = format!("https://{}/x", server.address);
        let error = fetch(&egress(&[""]).0, &format!("GET {url}"), &url).await.err().unwrap();
        let timeout = matches!(error, EgressError::Timeout { what: Step::Handshake, .. });
        assert!(timeout || (!silent && matches!(error, EgressError::Tls { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn a_private_address_is_refused_before_anything_is_sent() {
    let server = Server::raw(answer("200 OK", "inside")).await;
    let url = format!("http://good.example:{}/x", server.address.port());
    for answers in ["127.0.0.1", "::ffff:127.0.0.1", "9.9.9.9,127.0.0.1", "::1", "169.254.169.254"] {
        let (egress, resolver) = egress(&[answers]);
        let error = fetch(&egress, &format!("GET {url}"), &url).await.err().unwrap();
        assert!(matches!(error, EgressError::Address { .. }), "{answers}: {error:?}");
        assert_eq!(resolver.asked.load(Ordering::SeqCst), 1);
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_name_is_resolved_once_per_request_so_that_rebinding_has_no_effect() {
    let server = Server::raw(answer("200 OK", "inside")).await;
    let url = format!("http://good.example:{}/x", server.address.port());
    let grant = format!("GET {url} @127.0.0.1");
    // The first answer is judged and used; the second would be refused, were it asked for.
    let (egress, resolver) = egress(&["127.0.0.1", "10.0.0.1"]);
    assert_eq!(text(fetch(&egress, &grant, &url).await.unwrap()).await.unwrap(), "inside");
    assert_eq!(resolver.asked.load(Ordering::SeqCst), 1);
    let error = fetch(&egress, &grant, &url).await.err().unwrap();
    assert!(matches!(error, EgressError::Address { .. }), "{error:?}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_empty_answer_and_a_closed_port_are_told_apart() {
    let url = "http://good.example:1/x";
    let (none, _) = egress(&[""]);
    let error = fetch(&none, &format!("GET {url}"), url).await.err().unwrap();
    assert!(matches!(error, EgressError::Resolve { source: None, .. }), "{error:?}");
    let (closed, _) = egress(&["127.0.0.1"]);
    let error = fetch(&closed, &format!("GET {url} @127.0.0.1"), url).await.err().unwrap();
    assert!(matches!(error, EgressError::Connect { .. }), "{error:?}");
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_refuses() {
    let server = Server::raw(answer("200 OK", "second")).await;
    let url = format!("http://good.example:{}/x", server.address.port());
    let (egress, _) = egress(&["127.0.0.2,127.0.0.1"]);
    let response = fetch(&egress, &format!("GET {url} @127.0.0.1,127.0.0.2"), &url).await.unwrap();
    assert_eq!(text(response).await.unwrap(), "second");
}

#[tokio::test]
async fn a_redirect_is_handed_to_the_guest() {
    let server = Server::raw(answer("302 Found\r\nlocation: http://169.254.169.254/", "")).await;
    let response = get(&server).await.unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], "http://169.254.169.254/");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let error = get(&Server::silent().await).await.err().unwrap();
    assert!(matches!(error, EgressError::Timeout { what: Step::FirstByte, .. }), "{error:?}");
}

/// A resolver that never answers.
struct Mute;

#[async_trait::async_trait]
impl Resolve for Mute {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_name_that_does_not_resolve_in_time_is_given_up() {
    let options = EgressOptions { resolve_timeout: Duration::from_millis(50), ..options() };
    let egress = Egress::with_resolver(options, Arc::new(Mute)).unwrap();
    let url = "http://good.example/x";
    let error = fetch(&egress, &format!("GET {url}"), url).await.err().unwrap();
    assert!(matches!(error, EgressError::Timeout { what: Step::Resolve, .. }), "{error:?}");
}

#[tokio::test]
async fn an_address_that_does_not_answer_is_given_up() {
    // Nobody accepts, and the queue for those who wait is full: further attempts hear nothing.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let attempt = tokio::net::TcpStream::connect(address);
        waiting.push(tokio::time::timeout(Duration::from_millis(50), attempt).await);
    }
    let options = EgressOptions { connect_timeout: Duration::from_millis(100), ..options() };
    let egress = Egress::new(options).unwrap();
    let url = format!("http://{address}/x");
    let error = fetch(&egress, &format!("GET {url}"), &url).await.err().unwrap();
    assert!(matches!(error, EgressError::Timeout { what: Step::Connect, .. }), "{error:?}");
}

#[tokio::test]
async fn a_body_that_stalls_is_given_up() {
    let server = Server::raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".into()).await;
    let error = text(get(&server).await.unwrap()).await.unwrap_err();
    assert!(matches!(error, EgressError::Timeout { what: Step::BetweenBytes, .. }), "{error:?}");
}

#[tokio::test]
async fn a_body_without_end_is_cut() {
    let server = Server::endless("HTTP/1.1 200 OK\r\n\r\n", "x".repeat(1000)).await;
    let error = text(get(&server).await.unwrap()).await.unwrap_err();
    assert!(matches!(error, EgressError::ResponseBody { limit: 100_000 }), "{error:?}");
}

#[tokio::test]
async fn headers_without_end_are_cut() {
    for server in [
        Server::endless("HTTP/1.1 200 OK\r\nx: ", "x".repeat(1000)).await,
        Server::endless("HTTP/1.1 200 OK\r\n", "a: b\r\n".repeat(10)).await,
        Server::raw(format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(21))).await,
    ] {
        let error = get(&server).await.err().unwrap();
        assert!(matches!(error, EgressError::ResponseHeaders { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_an_error() {
    let error = get(&Server::raw("SSH-2.0-OpenSSH_9\r\n\r\n".into()).await).await.err().unwrap();
    assert!(matches!(error, EgressError::Protocol(_)), "{error:?}");
    let switch = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
    let error = get(&Server::raw(switch.into()).await).await.err().unwrap();
    assert!(matches!(error, EgressError::Upgrade), "{error:?}");
}

#[tokio::test]
async fn a_connection_that_breaks_is_not_the_end_of_a_body() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
    let error = text(get(&Server::closing(cut).await).await.unwrap()).await.unwrap_err();
    assert!(matches!(error, EgressError::Incomplete(_)), "{error:?}");
    let error = get(&Server::closing("").await).await.err().unwrap();
    assert!(matches!(error, EgressError::Incomplete(_)), "{error:?}");
}

#[tokio::test]
async fn a_request_body_is_bounded() {
    let server = Server::echo().await;
    let url = format!("http://{}/x", server.address);
    let request = Request::post(&url).body(Full::new(Bytes::from(vec![b'x'; 1001]))).unwrap();
    let error = send(&egress(&[""]).0, &format!("POST {url}"), request).await.err().unwrap();
    assert!(matches!(error, EgressError::RequestBody { limit: 1000 }), "{error:?}");
}

#[tokio::test]
async fn a_guest_shortens_a_limit_and_never_lengthens_it() {
    let server = Server::silent().await;
    let url = format!("http://{}/x", server.address);
    let grant = HttpGrant::parse(&format!("GET {url}")).unwrap();
    let target = Target::parse("GET", &url).unwrap();
    for (asked, expected) in [(50, 50), (60_000, 300)] {
        let timeouts = Timeouts { first_byte: Some(Duration::from_millis(asked)), ..Timeouts::default() };
        let request = Request::get(&url).body(Full::new(Bytes::new())).unwrap();
        let sent = egress(&[""]).0.send(&target, grant.networks(), request, &[], timeouts).await;
        match sent.err().unwrap() {
            EgressError::Timeout { limit, .. } => assert_eq!(limit, Duration::from_millis(expected)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_dropped_response_closes_its_connection() {
    let server = Server::raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".into()).await;
    drop(get(&server).await.unwrap());
    server.closed().await;
}

#[test]
fn a_file_that_holds_no_authority_is_named() {
    let with = |path: PathBuf| Egress::new(EgressOptions { extra_ca: Some(path), ..options() });
    for path in [Path::new("/nonexistent/ca.pem"), &certificate("make.sh"), &certificate("good.key")] {
        let error = with(path.to_owned()).err().unwrap();
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}
