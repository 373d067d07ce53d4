//! `url` and `[servers.NAME.remote]`: a server elsewhere, and how it is spoken to.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use toolgate_runtime::policy::header::is_forbidden;
use toolgate_runtime::remote::{Place, RemoteOptions};

use super::error::Invalid;
use super::quantity::duration_up_to;
use super::raw::Section;

/// Time for a server to answer at the start. Nobody waits longer.
const MAX_START: Duration = Duration::from_secs(600);

/// What comes with each message anyway, and is not to be said in another way.
const OWN: [&str; 7] = [
    "accept",
    "content-type",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
];

/// What is in the way of a URL: it is run elsewhere, and all that says how is of no use.
const OTHERS: [&str; 4] = ["component", "image", "container", "builtin"];

/// The server of a URL, if there is one.
pub(super) fn read(section: &Section<'_, '_>) -> Option<RemoteOptions> {
    let place = section.parsed("url", "https://mcp.example.com/mcp", Place::parse);
    let remote = section.section("remote");
    if section.place("url").is_none() {
        if remote.is_some() {
            section
                .missing("url", "[remote] says how a server elsewhere is spoken to: add url = \"https://…\"");
        }
        return None;
    }
    for (key, at) in OTHERS.into_iter().filter_map(|key| Some((key, section.place(key)?))) {
        let why = Invalid::new("a server with a `url` runs elsewhere");
        section.reader.invalid(at, key, why.hint(format!("remove `{key}`, or `url`")));
    }
    let mut options = RemoteOptions::of(place?);
    if let Some(remote) = remote {
        if let Some(headers) = remote.section("headers") {
            options.headers = self::headers(&headers);
        }
        remote.set(&mut options.start, "start-timeout", "30s", duration_up_to(MAX_START));
        remote.finish();
    }
    Some(options)
}

fn headers(section: &Section<'_, '_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in section.names() {
        match header(name.get_ref(), value.get_ref()) {
            Ok((name, value)) => drop(headers.insert(name, value)),
            Err(why) => section.reader.invalid(value.span(), name.get_ref(), why),
        }
    }
    headers
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Invalid> {
    let example = "write headers = { x-team = \"search\" }";
    let header: HeaderName =
        name.parse().map_err(|_| Invalid::new(format!("`{name}` is not a header")).hint(example))?;
    if is_forbidden(&header) || OWN.contains(&header.as_str()) {
        return Err(Invalid::new(format!("`{name}` is not for the config to say")).hint("remove it"));
    }
    if header == http::header::AUTHORIZATION || header == http::header::COOKIE {
        let hint = "write secrets = [{ from = \"env:API_TOKEN\", header = \"authorization\", value = \"Bearer {}\", \
                    to = \"https://mcp.example.com\" }] in its [grants]";
        return Err(Invalid::new("what is secret does not stand in a config").hint(hint));
    }
    let value = HeaderValue::from_str(value)
        .map_err(|_| Invalid::new("it holds what no header can").hint(example))?;
    Ok((header, value))
}
