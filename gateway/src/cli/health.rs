//! `toolgate health`: asks a running gateway whether it is ready, or alive.
//!
//! For the health check of an image that holds nothing else to ask with. It runs often and beside the
//! gateway, in its memory and on its processor, so it is one thread that asks once. It knows of the
//! config only where the gateway listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::context::Source;
use super::failure::Failure;
use super::output;
use crate::config::GatewayConfig;

/// Time for the whole answer. Below the timeouts of those who run health checks, so that the reason is told.
const PATIENCE: Duration = Duration::from_secs(3);

/// Bytes of an answer. Against an address that leads to something else.
const MAX_ANSWER: usize = 64 * 1024;

/// Characters of an answer that are repeated.
const SHOWN: usize = 200;

/// Ask a running gateway whether it is ready
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  toolgate health
  toolgate health --url http://127.0.0.1:8080 --live

Exits with 0 if it is, and with 1 and the reason if it is not.")]
pub(super) struct Health {
    /// Ask there instead of where the config says that it listens
    #[arg(long, value_name = "http://HOST:PORT", value_parser = origin)]
    url: Option<Uri>,
    /// Ask whether the process answers at all, ready or not
    #[arg(long)]
    live: bool,
}

impl Health {
    pub(super) fn run(self, config: Option<PathBuf>) -> Result<(), Failure> {
        let address = match &self.url {
            Some(url) => url.authority().map(ToString::to_string).unwrap_or_default(),
            None => configured(&Source::find(config))?.to_string(),
        };
        let path = if self.live { "/livez" } else { "/readyz" };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(|error| Failure::new("cannot start the event loop").because(&error))?;
        runtime.block_on(async {
            match tokio::time::timeout(PATIENCE, ask(&address, path)).await {
                Ok(answer) => judge(&address, self.live, answer?),
                Err(_) => {
                    let late =
                        format!("no answer from http://{address}{path} within {} s", PATIENCE.as_secs());
                    Err(Failure::new(late))
                }
            }
        })
    }
}

/// Where the gateway of this config can be reached from here.
fn configured(source: &Source) -> Result<SocketAddr, Failure> {
    let config = source.optional_config()?;
    let listen = config.map_or(GatewayConfig::LISTEN, |config| config.gateway.listen);
    if listen.port() == 0 {
        return Err(Failure::usage("the config lets the system choose the port, so it can't be known here")
            .hint("say where to ask by --url http://HOST:PORT"));
    }
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Ok(SocketAddr::new(ip, listen.port()))
}

/// What was answered.
struct Answer {
    status: StatusCode,
    body: String,
}

async fn ask(address: &str, path: &str) -> Result<Answer, Failure> {
    let unreachable = || Failure::new(format!("no gateway answers at http://{address}"));
    let hint = "`listen` in [gateway] says where it is asked; --url asks elsewhere";
    let with_port = if has_port(address) { address.to_owned() } else { format!("{address}:80") };
    let stream = TcpStream::connect(&with_port).await;
    let stream = stream.map_err(|error| unreachable().because(&error).hint(hint))?;
    let failed = |error: hyper::Error| unreachable().because(&error);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let request = Request::get(path).header(header::HOST, address).header(header::CONNECTION, "close");
    let request = request.body(Empty::<Bytes>::new());
    let request = request.map_err(|error| unreachable().because(&error))?;
    let answered = async {
        let response = sender.send_request(request).await.map_err(failed)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| unreachable().because(error.as_ref()))?.to_bytes();
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    };
    // The connection has no end of its own to tell: what went wrong with it, the request hears.
    let driven = async {
        drop(connection.await);
        std::future::pending().await
    };
    tokio::select! {
        answer = answered => answer,
        never = driven => never,
    }
}

fn has_port(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && !port.contains(']'))
}

fn judge(address: &str, live: bool, answer: Answer) -> Result<(), Failure> {
    let what = if live { "alive" } else { "ready" };
    if answer.status.is_success() {
        return output::text(&format!("{what}\n"));
    }
    let text: String = answer.body.trim().chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    let reason = match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(body) if body["status"].is_string() => format!("it is {}", body["status"].as_str().unwrap_or("")),
        _ => text,
    };
    let failure = Failure::new(format!("the gateway at http://{address} is not {what}"));
    Err(failure.because_of(format!("it answered {}: {reason}", answer.status.as_u16())))
}

/// Scheme, host and port alone: probes are never asked for by TLS, which ends in front of the gateway.
fn origin(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|error| format!("{error}"))?;
    let is_origin =
        url.scheme_str() == Some("http") && matches!(url.path(), "" | "/") && url.query().is_none();
    match url.authority() {
        Some(authority) if is_origin && !authority.as_str().contains('@') => Ok(url),
        _ => Err("write scheme, host and port alone: http://127.0.0.1:8080".to_owned()),
    }
}
