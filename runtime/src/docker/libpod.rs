//! Podman's own API, for what Docker's has no word for: a network without a name server.
//!
//! A network that is made by Docker's API has one with podman, at the gateway's address, and it asks the machine's
//! own servers for what it does not know: names would be a way out that nobody judges.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::models::NetworkCreateRequest;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::address::Address;

/// Since podman 4.0, which has networks with name servers.
const PATH: &str = "/v4.0.0/libpod/networks/create";

/// Time for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of an answer that are read.
const ANSWER: usize = 64 * 1024;

/// `NetworkCreate` of podman's API.
#[derive(Serialize)]
struct Network<'a> {
    name: &'a str,
    driver: &'static str,
    internal: bool,
    dns_enabled: bool,
    ipv6_enabled: bool,
    subnets: Vec<Subnet<'a>>,
    labels: &'a Labels,
    options: BTreeMap<&'static str, &'static str>,
}

#[derive(Serialize)]
struct Subnet<'a> {
    subnet: &'a str,
    gateway: &'a str,
}

type Labels = std::collections::HashMap<String, String>;

/// Makes an internal network as it was asked for, with its addresses, and without a name server.
///
/// # Errors
/// What podman says, or why it can't be asked.
pub(super) async fn create_network(address: &Address, request: &NetworkCreateRequest) -> Result<(), String> {
    let Address::Unix(socket) = address else {
        return Err(format!(
            "a network without a name server takes podman's own API, which is asked at its socket, not at {address}"
        ));
    };
    let body = serde_json::to_vec(&network(request)).map_err(|error| error.to_string())?;
    let asked = async {
        let stream = UnixStream::connect(socket).await.map_err(|error| error.to_string())?;
        ask(TokioIo::new(stream), body).await.map_err(|error| error.to_string())?
    };
    timeout(TIMEOUT, asked)
        .await
        .unwrap_or_else(|_| Err(format!("it did not answer within {} s", TIMEOUT.as_secs())))
}

fn network(request: &NetworkCreateRequest) -> Network<'_> {
    let configs = request.ipam.iter().flat_map(|ipam| ipam.config.iter().flatten());
    let subnets = configs.filter_map(|config| {
        Some(Subnet { subnet: config.subnet.as_deref()?, gateway: config.gateway.as_deref()? })
    });
    static NONE: std::sync::LazyLock<Labels> = std::sync::LazyLock::new(Labels::new);
    Network {
        name: &request.name,
        driver: "bridge",
        internal: true,
        dns_enabled: false,
        ipv6_enabled: false,
        subnets: subnets.collect(),
        labels: request.labels.as_ref().unwrap_or(&NONE),
        // What is not allowed between networks.
        options: BTreeMap::from([("isolate", "true")]),
    }
}

async fn ask(stream: TokioIo<UnixStream>, body: Vec<u8>) -> hyper::Result<Result<(), String>> {
    let (mut sender, connection) = handshake(stream).await?;
    let connection = tokio::spawn(connection);
    let request = Request::post(PATH)
        .header("host", "podman")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)));
    let Ok(request) = request else { return Ok(Err("the request can't be written".to_owned())) };
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let said = Limited::new(answer.into_body(), ANSWER).collect().await;
    connection.abort();
    if status.is_success() {
        return Ok(Ok(()));
    }
    let said = said.map(|said| String::from_utf8_lossy(&said.to_bytes()).trim().to_owned());
    Ok(Err(format!("{status}: {}", said.unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use bollard::models::{Ipam, IpamConfig};

    use super::*;

    #[test]
    fn a_network_is_asked_for_without_a_name_server() {
        let config = IpamConfig {
            subnet: Some("10.89.0.0/24".to_owned()),
            gateway: Some("10.89.0.1".to_owned()),
            ..IpamConfig::default()
        };
        let request = NetworkCreateRequest {
            name: "toolgate-1".to_owned(),
            ipam: Some(Ipam { config: Some(vec![config]), ..Ipam::default() }),
            ..NetworkCreateRequest::default()
        };
        let written = serde_json::to_string(&network(&request)).unwrap();
        assert_eq!(
            written,
            r#"{"name":"toolgate-1","driver":"bridge","internal":true,"dns_enabled":false,"ipv6_enabled":false,"subnets":[{"subnet":"10.89.0.0/24","gateway":"10.89.0.1"}],"labels":{},"options":{"isolate":"true"}}"#
        );
    }

    #[tokio::test]
    async fn an_engine_without_a_socket_is_not_asked() {
        let address = Address::Tcp("127.0.0.1:2375".to_owned());
        let error = create_network(&address, &NetworkCreateRequest::default()).await.unwrap_err();
        assert!(error.contains("podman's own API"), "{error}");
    }
}
