//! `/livez`, `/readyz`, `/health`: for probes and operators. They never run guest code, so a
//! looping tool does not make the process look dead.

use http::StatusCode;
use serde_json::{Value, json};

use super::reply::{self, Reply};
use crate::catalog::Server;
use crate::gateway::Gateway;

/// The process answers.
pub(super) fn live() -> Reply {
    reply::text(StatusCode::OK, "ok\n")
}

/// Whether calls can be served: 503 until the catalog is assembled. A server that is unavailable
/// makes no replica unready, because another would have the same config.
pub(super) fn ready(gateway: &Gateway, detailed: bool) -> Reply {
    let Some(catalog) = gateway.catalog() else {
        return written(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "starting" }));
    };
    let mut body = json!({ "status": "ready" });
    if detailed {
        let states = catalog.servers().iter().map(|s| (s.name().to_owned(), state(s).into()));
        body["servers"] = Value::Object(states.collect());
    }
    written(StatusCode::OK, &body)
}

/// Version and servers. Reasons are for those who can read the log.
pub(super) fn health(gateway: &Gateway) -> Reply {
    let catalog = gateway.catalog();
    let servers: Vec<Value> =
        catalog.iter().flat_map(|catalog| catalog.servers()).map(|server| describe(server)).collect();
    let status = if catalog.is_some() { "ready" } else { "starting" };
    let version = env!("CARGO_PKG_VERSION");
    written(StatusCode::OK, &json!({ "status": status, "version": version, "servers": servers }))
}

fn describe(server: &Server) -> Value {
    let mut described = json!({
        "name": server.name(),
        "state": state(server),
        "backend": server.backend().as_str(),
        "tools": server.tools().len(),
    });
    if !server.is_ready() {
        described["reason"] = "could not be prepared; the log and `toolgate check` say why".into();
    }
    described
}

fn state(server: &Server) -> &'static str {
    if server.is_ready() { "ready" } else { "unavailable" }
}

fn written(status: StatusCode, body: &Value) -> Reply {
    reply::json(status, format!("{body}\n").into_bytes())
}
