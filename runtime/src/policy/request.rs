//! What a guest wants to fetch, reduced to the parts that grants judge.
//!
//! A [`Target`] exists only for a request that two parsers read alike: the strict one here, and
//! the `url` crate, which reads as browsers and most servers do. Where they differ the request is
//! refused. Egress connects to what stands in the target, never to what the guest wrote.

use std::fmt;

use super::host::Host;
use super::path::Path;
use crate::events::Denial;

/// A request, validated: method, scheme, host, port and path. The query is not judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    method: String,
    scheme: Scheme,
    host: Host,
    port: u16,
    path: Path,
}

/// The schemes that egress speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// TLS.
    Https,
}

/// Longest URL that is judged. Against parsing as a way to burn time.
const MAX_URL: usize = 16 * 1024;
/// Longest method. The longest registered one has 17 characters.
const MAX_METHOD: usize = 32;
/// Characters of a guest's URL that a denial shows. Against flooding the log.
const SHOWN: usize = 256;

impl Target {
    /// Reads a whole URL.
    ///
    /// # Errors
    /// A denial with the reason, where the URL can't be judged safely.
    pub fn parse(method: &str, url: &str) -> Result<Self, Denial> {
        let refuse = |reason: String| unjudged(method, url, reason);
        if url.len() > MAX_URL {
            return Err(refuse(format!("the URL is longer than {MAX_URL} bytes")));
        }
        let (scheme, rest) =
            url.split_once("://").ok_or_else(|| refuse("the URL has no scheme".to_owned()))?;
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, path_and_query) = rest.split_at(end);
        let path = path_of(path_and_query).map_err(refuse)?;
        let target = Self::assemble(method, scheme, authority, path).map_err(refuse)?;
        target.check_second_reading(url).map_err(refuse)?;
        Ok(target)
    }

    /// Reads the parts of an HTTP request.
    ///
    /// # Errors
    /// As [`Target::parse`].
    pub fn of(method: &http::Method, uri: &http::Uri) -> Result<Self, Denial> {
        Self::parse(method.as_str(), &uri.to_string())
    }

    fn assemble(method: &str, scheme: &str, authority: &str, path: &str) -> Result<Self, String> {
        let method = check_method(method)?;
        let scheme = Scheme::parse(scheme)?;
        let (host, port) = split_authority(authority)?;
        Ok(Self {
            method: method.to_owned(),
            scheme,
            host: Host::parse(host)?,
            port: port.unwrap_or(scheme.default_port()),
            path: Path::parse(path)?,
        })
    }

    /// The second wall: another parser must see the same destination.
    fn check_second_reading(&self, url: &str) -> Result<(), String> {
        let second = url::Url::parse(url).map_err(|error| format!("the URL is not valid: {error}"))?;
        let host = second.host().map(|host| host.to_string());
        let same = second.scheme() == self.scheme.as_str()
            && host.as_deref() == Some(self.host.to_string().as_str())
            && second.port_or_known_default() == Some(self.port)
            && second.username().is_empty()
            && second.password().is_none()
            && Path::parse(second.path()).as_ref() == Ok(&self.path);
        if same { Ok(()) } else { Err("the URL can be read in two ways".to_owned()) }
    }

    /// The method, as sent.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, written out or by scheme.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path in normal form.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The `Host` header of this request: the port only where it is not the scheme's own.
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, scheme, path, .. } = self;
        let authority = self.authority();
        write!(f, "{method} {}://{authority}{}", scheme.as_str(), path.as_str())
    }
}

impl Scheme {
    /// Reads a scheme; case does not matter, RFC 3986 section 3.1.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("http") {
            Ok(Self::Http)
        } else if text.eq_ignore_ascii_case("https") {
            Ok(Self::Https)
        } else {
            Err("the scheme is neither http nor https".to_owned())
        }
    }

    /// Lower case, as in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// 80 or 443.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Checks a method: a token, and not one that opens a tunnel (`CONNECT`) or echoes headers
/// (`TRACE`).
pub(crate) fn check_method(method: &str) -> Result<&str, String> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if method.is_empty() || method.len() > MAX_METHOD || !method.bytes().all(token) {
        return Err("the method is not an HTTP token".to_owned());
    }
    if method.eq_ignore_ascii_case("CONNECT") || method.eq_ignore_ascii_case("TRACE") {
        return Err(format!("{method} is never allowed"));
    }
    Ok(method)
}

/// Splits `host[:port]`; userinfo is refused.
pub(crate) fn split_authority(authority: &str) -> Result<(&str, Option<u16>), String> {
    if authority.contains('@') {
        return Err("the URL holds a user name or password".to_owned());
    }
    let bracket = authority.rfind(']').map_or(0, |at| at + 1);
    match authority.get(bracket..).and_then(|tail| tail.rfind(':')) {
        None => Ok((authority, None)),
        Some(at) => {
            let (host, port) = authority.split_at(bracket + at);
            Ok((host, Some(parse_port(&port[1..])?)))
        }
    }
}

/// Reads a port in its one spelling: decimal, no sign, no zeros in front.
pub(crate) fn parse_port(text: &str) -> Result<u16, String> {
    let plain = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if plain => Ok(port),
        _ => Err("the port is not a number from 1 to 65535".to_owned()),
    }
}

fn path_of(path_and_query: &str) -> Result<&str, String> {
    if path_and_query.contains('#') {
        return Err("the URL holds a fragment".to_owned());
    }
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    let clean = |b: u8| b > 0x20 && b != 0x7f;
    if query.bytes().all(clean) {
        Ok(path)
    } else {
        Err("the query holds a space or a control character".to_owned())
    }
}

/// A denial of something that is no target, with as much of the URL as is safe to show: bounded,
/// one line, no userinfo, no query.
fn unjudged(method: &str, url: &str, reason: String) -> Denial {
    let bare = url.split(['?', '#']).next().unwrap_or(url);
    let bare = match bare.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find(['/', '\\']).unwrap_or(rest.len());
            let (authority, path) = rest.split_at(end);
            let host = authority.rsplit('@').next().unwrap_or(authority);
            format!("{scheme}://{host}{path}")
        }
        None => bare.rsplit('@').next().unwrap_or(bare).to_owned(),
    };
    let attempt: String = format!("{} {bare}", method.get(..MAX_METHOD).unwrap_or(method))
        .chars()
        .take(SHOWN)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    Denial { capability: "http", attempt, reason, allow: None }
}
