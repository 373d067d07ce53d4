//! The `http` grant: `"GET,POST https://api.example.com/v1/* @10.0.0.0/8"`.
//!
//! Methods, scheme, host, port and path must all match; a query is always allowed. The suffix
//! names private addresses that the host may resolve to. Matching is pure: addresses are judged
//! later, by egress, with [`HttpGrant::networks`].

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::error::{Fault, GrantError};
use super::host::{Host, HostPattern};
use super::networks::Networks;
use super::path::PathPattern;
use super::request::{Scheme, Target, check_method, split_authority};
use super::secret::Origin;
use crate::events::Denial;

/// Requests that a guest may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpGrant {
    methods: Methods,
    scheme: Scheme,
    host: HostPattern,
    port: u16,
    path: PathPattern,
    networks: Networks,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Methods {
    /// `*`: every one but `CONNECT` and `TRACE`.
    Any,
    /// These.
    Listed(Vec<String>),
}

const CAPABILITY: &str = "http";
/// Longest grant in bytes; the parts have their own limits.
const MAX_GRANT: usize = 16 * 1024;
/// Longest path that a denial offers to grant. Against flooding the log.
const MAX_OFFER: usize = 512;
const EXAMPLE: &str = "write http = [\"GET https://api.example.com/v1/*\"]";

impl FromStr for HttpGrant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        Self::read(text).map_err(|fault| GrantError::new(CAPABILITY, text, fault))
    }
}

impl HttpGrant {
    /// Reads a grant of the config.
    ///
    /// # Errors
    /// What is wrong with it, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, GrantError> {
        text.parse()
    }

    /// Whether a request is meant.
    pub fn matches(&self, target: &Target) -> bool {
        self.miss(target).is_none()
    }

    /// Whether something of a host is meant.
    pub fn names(&self, host: &Host) -> bool {
        self.host.matches(host)
    }

    /// Whether any request to an origin is meant.
    pub fn reaches(&self, origin: &Origin) -> bool {
        self.scheme == origin.scheme() && self.port == origin.port() && self.host.matches(origin.host())
    }

    /// Private addresses that the host may resolve to.
    pub fn networks(&self) -> &Networks {
        &self.networks
    }

    /// Whether it is `*` and not a list of methods.
    pub fn has_any_method(&self) -> bool {
        self.methods == Methods::Any
    }

    /// Whether every request to its host and port is meant.
    pub fn is_for_all_of_its_origin(&self) -> bool {
        self.has_any_method() && self.path.is_for_all()
    }

    /// Whether it means more than one host.
    pub fn has_many_hosts(&self) -> bool {
        matches!(self.host, HostPattern::Below(_))
    }

    /// Whether requests go by TLS.
    pub fn is_encrypted(&self) -> bool {
        self.scheme == Scheme::Https
    }

    fn read(text: &str) -> Result<Self, Fault> {
        if text.len() > MAX_GRANT {
            return Err(Fault::new("the grant is too long", EXAMPLE));
        }
        let (rule, networks) = Networks::split(text)?;
        let (methods, url) = match rule.split_once(' ') {
            Some((methods, url)) => (methods, url),
            None if rule.contains("://") => {
                let hint = format!("put the methods in front: \"GET {rule}\", or \"* {rule}\" for all");
                return Err(Fault::new("the method is missing", hint));
            }
            None => return Err(Fault::new("it is not a method and a URL", EXAMPLE)),
        };
        let methods = Methods::parse(methods)?;
        let (scheme, rest) = url.split_once("://").ok_or_else(|| {
            Fault::new("the scheme is missing", format!("write https://{url}, or http://{url}"))
        })?;
        let scheme = Scheme::parse(scheme).map_err(|cause| Fault::new(cause, EXAMPLE))?;
        let Some(slash) = rest.find('/') else {
            let hint = format!("add /* for every path, or / for the root alone: {url}/*");
            return Err(Fault::new("the path is missing", hint));
        };
        let (authority, path) = rest.split_at(slash);
        let (host, port) = split_authority(authority).map_err(|cause| Fault::new(cause, EXAMPLE))?;
        let host = HostPattern::parse(host)?;
        let networks = match &host {
            HostPattern::Exact(host) => networks.and_literal(host)?,
            HostPattern::Below(_) => networks,
        };
        Ok(Self {
            methods,
            scheme,
            host,
            port: port.unwrap_or(scheme.default_port()),
            path: PathPattern::parse(path)?,
            networks,
        })
    }

    /// The first part that does not match: how near the grant is, and what it allows.
    fn miss(&self, target: &Target) -> Option<(u8, String)> {
        if !self.host.matches(target.host()) {
            Some((0, format!("no grant is for the host {}", target.host())))
        } else if self.scheme != target.scheme() {
            Some((1, format!("the grant is for {}", self.scheme.as_str())))
        } else if self.port != target.port() {
            Some((2, format!("the grant is for port {}", self.port)))
        } else if !self.path.matches(target.path()) {
            Some((3, format!("the grant is for the path {}", self.path)))
        } else if !self.methods.contain(target.method()) {
            Some((4, format!("the grant is for the method {}", self.methods)))
        } else {
            None
        }
    }
}

/// The grant that covers a request.
///
/// # Errors
/// A denial that says how far the nearest grant is, and the line that would allow the request.
pub(crate) fn judge<'a>(grants: &'a [HttpGrant], target: &Target) -> Result<&'a HttpGrant, Denial> {
    let mut nearest: Option<(u8, String)> = None;
    for grant in grants {
        match grant.miss(target) {
            None => return Ok(grant),
            Some(miss) if nearest.as_ref().is_none_or(|n| n.0 < miss.0) => nearest = Some(miss),
            Some(_) => {}
        }
    }
    let reason = nearest.map_or_else(|| "no http grant".to_owned(), |(_, reason)| reason);
    Err(denial(target, reason, None))
}

/// The denial of a request whose host resolved to an address that is neither public nor named.
pub fn denied_address(target: &Target, ip: IpAddr) -> Denial {
    let reason = format!("{} resolves to {ip}, which is not a public address", target.host());
    denial(target, reason, Some(ip))
}

fn denial(target: &Target, reason: String, name: Option<IpAddr>) -> Denial {
    let shown = target.to_string();
    let literal = matches!(target.host(), Host::Ip(_));
    let offered = match name {
        _ if shown.len() > MAX_OFFER => None,
        Some(ip) if !super::address::is_nameable(ip) => None,
        Some(ip) if !literal => Some(format!("{shown} @{ip}")),
        _ => Some(shown.clone()),
    };
    Denial {
        capability: CAPABILITY,
        attempt: shown.chars().take(MAX_OFFER).collect(),
        reason,
        allow: offered
            .filter(|line| HttpGrant::parse(line).is_ok_and(|grant| grant.matches(target)))
            .map(|line| format!("http = [\"{line}\"]")),
    }
}

impl Methods {
    fn parse(text: &str) -> Result<Self, Fault> {
        if text == "*" {
            return Ok(Self::Any);
        }
        text.split(',').map(parse_method).collect::<Result<_, _>>().map(Self::Listed)
    }

    fn contain(&self, method: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(list) => list.iter().any(|own| own == method),
        }
    }
}

fn parse_method(text: &str) -> Result<String, Fault> {
    let method = check_method(text)
        .map_err(|cause| Fault::new(cause, "write methods as GET,POST without spaces, or * for all"))?;
    if method.contains('*') || method != method.to_ascii_uppercase() {
        let hint = format!("methods are upper case: {}", method.to_ascii_uppercase());
        return Err(Fault::new(format!("`{method}` is not a method"), hint));
    }
    Ok(method.to_owned())
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Listed(list) => f.write_str(&list.join(",")),
        }
    }
}

impl fmt::Display for HttpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}://{}", self.methods, self.scheme.as_str(), self.host)?;
        if self.port != self.scheme.default_port() {
            write!(f, ":{}", self.port)?;
        }
        write!(f, "{}", self.path)?;
        let networks = self.networks.to_string();
        if networks.is_empty() { Ok(()) } else { write!(f, " @{networks}") }
    }
}
