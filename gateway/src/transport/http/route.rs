//! From a path and a method to whoever answers.

use http::{HeaderValue, Method, Request, header};
use hyper::body::Incoming;

use super::accept::Format;
use super::listen::{Connection, Shared};
use super::reply::{self, Reply};
use super::stream::Phase;
use super::{cors, listening, post, status};
use crate::auth::Principal;
use crate::catalog::View;
use crate::error::Error;
use crate::mcp::answer::Context;

/// Bytes of an unknown name that are repeated.
const SHOWN: usize = 64;

/// An MCP endpoint, as its path names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint<'a> {
    All,
    Server(&'a str),
    Profile(&'a str),
}

/// Answers one request.
pub(super) async fn route(shared: &Shared, connection: &Connection, request: Request<Incoming>) -> Reply {
    let reply = endpoint(shared, connection, request).await;
    let mut reply = reply.unwrap_or_else(|error| refuse(&connection.phase, &error));
    if shared.gateway.is_stopping() {
        // Its client goes elsewhere with its next call, and can't send it into a connection that closes.
        reply.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    reply
}

fn refuse(phase: &Phase, error: &Error) -> Reply {
    phase.refuse_body();
    tracing::debug!(%error, code = error.code(), "refused a request");
    reply::error(Format::Json, None, None, error)
}

async fn endpoint(
    shared: &Shared,
    connection: &Connection,
    request: Request<Incoming>,
) -> Result<Reply, Error> {
    let host = shared.hosts.check_host(connection.local, request.uri(), request.headers());
    match request.uri().path() {
        // Probes come by address and without a key, so anybody may ask; names are for callers.
        "/livez" => only_get(&request).map(|()| status::live()),
        "/readyz" => {
            let reader = host.and_then(|()| identify(shared, &request)).ok();
            only_get(&request).map(|()| status::ready(&shared.gateway, reader.as_ref()))
        }
        "/health" => {
            host?;
            let reader = identify(shared, &request)?;
            only_get(&request).map(|()| status::health(&shared.gateway, &reader))
        }
        path => {
            let path = path.to_owned();
            let named = Endpoint::of(&path).ok_or(Error::NotFound)?;
            host?;
            let origin = shared.hosts.check_origin(request.headers())?;
            let is_page = origin.is_some();
            let reply = match connection.is_spare {
                false => mcp(shared, &connection.phase, named, is_page, request).await,
                true => Err(Error::ConnectionsFull),
            };
            let mut reply = reply.unwrap_or_else(|error| refuse(&connection.phase, &error));
            // A page may read a refusal too.
            origin.into_iter().for_each(|origin| cors::allow(&mut reply, origin));
            Ok(reply)
        }
    }
}

/// Answers at an MCP endpoint.
async fn mcp(
    shared: &Shared,
    phase: &Phase,
    named: Endpoint<'_>,
    is_page: bool,
    request: Request<Incoming>,
) -> Result<Reply, Error> {
    match *request.method() {
        Method::POST => {
            let context = context(shared, named, &request)?;
            Ok(post::post(shared, phase, context, request).await)
        }
        Method::DELETE => {
            let context = context(shared, named, &request)?;
            post::delete(shared, &context.principal, &request)
        }
        Method::GET => {
            let context = context(shared, named, &request)?;
            listening::open(shared, context, &request)
        }
        // Browsers ask it without a key.
        Method::OPTIONS if is_page => Ok(cors::preflight()),
        _ => Err(Error::MethodNotAllowed("GET, POST, DELETE")),
    }
}

/// Who asks, and where.
fn context(shared: &Shared, named: Endpoint<'_>, request: &Request<Incoming>) -> Result<Context, Error> {
    let principal = identify(shared, request)?;
    let view = view(shared, &principal, named)?;
    Ok(Context { principal, view })
}

fn identify(shared: &Shared, request: &Request<Incoming>) -> Result<Principal, Error> {
    let mut values = request.headers().get_all(header::AUTHORIZATION).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Error::BadKey);
    }
    shared.settings.callers.identify(first.map(HeaderValue::as_bytes))
}

fn only_get(request: &Request<Incoming>) -> Result<(), Error> {
    match *request.method() {
        Method::GET | Method::HEAD => Ok(()),
        _ => Err(Error::MethodNotAllowed("GET, HEAD")),
    }
}

impl<'a> Endpoint<'a> {
    /// A server's name is one part of the path and a profile's a second, so that a server may be called `profile`.
    fn of(path: &'a str) -> Option<Self> {
        let rest = path.strip_prefix("/mcp")?;
        if matches!(rest, "" | "/") {
            return Some(Self::All);
        }
        let rest = rest.strip_prefix('/')?;
        match rest.split_once('/') {
            None => Some(Self::Server(rest)),
            Some(("profile", name)) if !name.is_empty() && !name.contains('/') => Some(Self::Profile(name)),
            Some(_) => None,
        }
    }
}

fn view(shared: &Shared, principal: &Principal, named: Endpoint<'_>) -> Result<View, Error> {
    let shown = |name: &str| name[..name.floor_char_boundary(SHOWN)].to_owned();
    // Before it is looked up: which servers there are is not for everybody to learn.
    if let Endpoint::Server(name) = named
        && !principal.servers().has(name)
    {
        return Err(Error::ServerNotAllowed(shown(name)));
    }
    let catalog = || shared.gateway.require_catalog();
    match named {
        Endpoint::All => Ok(View::All),
        Endpoint::Server(name) => catalog()?.view(name).ok_or_else(|| Error::UnknownServer(shown(name))),
        Endpoint::Profile(name) => {
            let view = catalog()?.profile(name, principal.servers());
            view.ok_or_else(|| Error::UnknownProfile(shown(name)))
        }
    }
}
