//! `/livez`, `/readyz`, `/health`: for probes and operators. They never run guest code, so a
//! looping tool does not make the process look dead.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::reply::{self, Reply};
use crate::auth::Principal;
use crate::catalog::{Catalog, Server};
use crate::gateway::Gateway;

/// The process answers.
pub(super) fn live() -> Reply {
    reply::text(StatusCode::OK, "ok\n")
}

/// Whether calls should be sent here: 503 until the catalog is assembled, and again once the process was
/// told to end. A server that is unavailable makes no replica unready, because another would have the same
/// config. A known reader is told of the servers that are open to it.
pub(super) fn ready(gateway: &Gateway, reader: Option<&Principal>) -> Reply {
    if gateway.is_stopping() {
        return written(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "stopping" }));
    }
    let Some(catalog) = gateway.catalog() else {
        return written(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "starting" }));
    };
    let mut body = json!({ "status": "ready" });
    if let Some(reader) = reader {
        let states = open(&catalog, reader).map(|s| (s.name().to_owned(), state(s).into()));
        body["servers"] = Value::Object(states.collect());
    }
    written(StatusCode::OK, &body)
}

/// Version, and the servers that are open to the reader. Reasons are for those who can read the log.
pub(super) fn health(gateway: &Gateway, reader: &Principal) -> Reply {
    let catalog = gateway.catalog();
    let servers: Vec<Value> =
        catalog.iter().flat_map(|catalog| open(catalog, reader)).map(describe).collect();
    let status = match &catalog {
        _ if gateway.is_stopping() => "stopping",
        Some(_) => "ready",
        None => "starting",
    };
    let version = env!("CARGO_PKG_VERSION");
    written(StatusCode::OK, &json!({ "status": status, "version": version, "servers": servers }))
}

fn open<'a>(catalog: &'a Catalog, reader: &'a Principal) -> impl Iterator<Item = &'a Server> {
    let servers = catalog.servers().iter().map(Arc::as_ref);
    servers.filter(|server| reader.servers().has(server.name()))
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
