//! Secrets on their way out, and servers that send them back.

use super::*;
use crate::policy::{Origin, SecretHeader, Template};
use crate::secret::Secret;

const SECRET: &str = "hunter2-hunter2";
const HIDDEN: &str = "***************";

/// The secret as `authorization: Bearer …` for a server.
fn bearer(to: &str) -> BoundSecret {
    let header = SecretHeader {
        name: SecretHeader::parse_name("authorization").unwrap(),
        template: Template::parse("Bearer {}").unwrap(),
        to: Origin::parse(to).unwrap(),
    };
    header.bind(Secret::from(SECRET.to_owned())).unwrap()
}

async fn get_with_secret(server: &Server) -> Result<Response<ResponseBody>, EgressError> {
    let origin = format!("http://{}", server.address);
    let request = Request::get(format!("{origin}/x")).body(Full::new(Bytes::new())).unwrap();
    send_with(&egress(&[""]).0, &format!("GET {origin}/*"), request, &[bearer(&origin)]).await
}

#[tokio::test]
async fn a_secret_arrives_and_is_hidden_where_it_comes_back() {
    let server = Server::echo().await;
    let echoed = text(get_with_secret(&server).await.unwrap()).await.unwrap();
    assert!(echoed.contains(&format!("authorization: Bearer {HIDDEN}\r\n")), "{echoed}");
    assert_eq!(server.heard(), vec![format!("authorization: Bearer {SECRET}")]);
}

#[tokio::test]
async fn a_secret_is_not_sent_to_another_origin() {
    let (server, other) = (Server::echo().await, Server::echo().await);
    let url = format!("http://{}/x", server.address);
    let request = Request::get(&url).body(Full::new(Bytes::new())).unwrap();
    let elsewhere = bearer(&format!("http://{}", other.address));
    let sent = send_with(&egress(&[""]).0, &format!("GET {url}"), request, &[elsewhere]).await;
    assert!(matches!(sent.err().unwrap(), EgressError::Request(_)));
    assert_eq!((server.connections(), other.connections()), (0, 0));
}

#[tokio::test]
async fn nothing_of_a_secret_is_sent_before_the_certificate_is_checked() {
    let server = Server::tls("other", answer("200 OK", "x")).await;
    let origin = format!("https://good.example:{}", server.address.port());
    let request = Request::get(format!("{origin}/x")).body(Full::new(Bytes::new())).unwrap();
    let grant = format!("GET {origin}/* @127.0.0.1");
    let (egress, _) = egress(&["127.0.0.1"]);
    let error = send_with(&egress, &grant, request, &[bearer(&origin)]).await.err().unwrap();
    assert!(matches!(error, EgressError::Certificate { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    assert!(server.heard().is_empty());
}

#[tokio::test]
async fn headers_and_trailers_are_searched_as_well() {
    let reply = format!(
        "HTTP/1.1 401 Bearer {SECRET}\r\nx-echo: <{SECRET}>\r\nlocation: /?t={SECRET}\r\n\
         trailer: x-last\r\ntransfer-encoding: chunked\r\n\r\n\
         3\r\nhun\r\n5\r\nter2-\r\n8\r\nhunter2!\r\n0\r\nx-last: {SECRET}\r\n\r\n"
    );
    let response = get_with_secret(&Server::raw(reply).await).await.unwrap();
    assert_eq!(response.headers()["x-echo"], format!("<{HIDDEN}>"));
    assert_eq!(response.headers()["location"], format!("/?t={HIDDEN}"));
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["x-last"], HIDDEN);
    assert_eq!(body.to_bytes(), format!("{HIDDEN}!"));
}

#[tokio::test]
async fn a_body_keeps_its_length_and_all_else_of_it() {
    let long = format!("{}{SECRET}{}", "x".repeat(5000), "y".repeat(5000));
    let server = Server::raw(answer("200 OK", &long)).await;
    let response = get_with_secret(&server).await.unwrap();
    assert_eq!(response.headers()["content-length"], "10015");
    assert_eq!(text(response).await.unwrap(), long.replace(SECRET, HIDDEN));
    let short = get_with_secret(&Server::raw(answer("200 OK", "hunter2")).await).await.unwrap();
    assert_eq!(text(short).await.unwrap(), "hunter2");
    let none = get_with_secret(&Server::raw(answer("200 OK", "")).await).await.unwrap();
    assert!(hyper::body::Body::is_end_stream(none.body()));
    assert_eq!(text(none).await.unwrap(), "");
}

#[tokio::test]
async fn a_body_that_breaks_gives_nothing_of_what_was_held_back() {
    let cut = format!("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{SECRET}");
    let response = get_with_secret(&Server::closing(&cut).await).await.unwrap();
    let mut body = response.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "*");
    assert!(matches!(body.frame().await.unwrap(), Err(EgressError::Incomplete(_))));
}

#[tokio::test]
async fn a_compressed_body_is_refused_since_it_can_not_be_searched() {
    for coding in ["gzip", "GZIP", "identity, br", "x"] {
        let reply = answer(&format!("200 OK\r\ncontent-encoding: {coding}"), "data");
        let error = get_with_secret(&Server::raw(reply).await).await.err().unwrap();
        assert!(matches!(error, EgressError::Encoded { .. }), "{coding}: {error:?}");
    }
    let plain = answer("200 OK\r\ncontent-encoding: Identity", "data");
    assert_eq!(text(get_with_secret(&Server::raw(plain).await).await.unwrap()).await.unwrap(), "data");
    let empty = answer("204 No Content\r\ncontent-encoding: gzip", "");
    assert_eq!(get_with_secret(&Server::raw(empty).await).await.unwrap().status(), 204);
}

#[tokio::test]
async fn a_limit_holds_with_a_mask_as_without() {
    let endless = Server::endless("HTTP/1.1 200 OK\r\n\r\n", "hunter2-".repeat(100)).await;
    let error = text(get_with_secret(&endless).await.unwrap()).await.unwrap_err();
    assert!(matches!(error, EgressError::ResponseBody { limit: 100_000 }), "{error:?}");
    let stalled = Server::raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".into()).await;
    let error = text(get_with_secret(&stalled).await.unwrap()).await.unwrap_err();
    assert!(matches!(error, EgressError::Timeout { what: Step::BetweenBytes, .. }), "{error:?}");
}
