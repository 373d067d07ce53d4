//! Host names as grants and requests spell them.
//!
//! One strict spelling is accepted: lower or upper case ASCII labels, or an IP address in its
//! standard form. Whatever other software may read differently (octal or one-number IPv4, a dot at
//! the end, Unicode, percent-encoding, userinfo) is refused instead of guessed at, because a name
//! that two parsers read as two hosts is how allow-lists are passed.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::Fault;

/// A host, validated. Names are lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A DNS name.
    Name(String),
    /// An address written out.
    Ip(IpAddr),
}

/// Longest name in bytes, RFC 1035.
const MAX_NAME: usize = 253;
/// Longest label in bytes, RFC 1035.
const MAX_LABEL: usize = 63;

impl Host {
    /// Reads a host as it stands in a URL: IPv6 in brackets.
    ///
    /// # Errors
    /// The reason, as a clause for a message.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or("the IPv6 bracket is not closed")?;
            return parse_v6(inner);
        }
        if text.is_empty() {
            return Err("the host is empty".to_owned());
        }
        if !text.is_ascii() {
            return Err("the host is not ASCII; names of other scripts are written as xn--".to_owned());
        }
        if let Ok(ip) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Ip(ip.into()));
        }
        parse_name(&text.to_ascii_lowercase())
    }

    /// The name for a resolver or a certificate; an address without brackets.
    pub fn bare(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Ip(ip) => ip.to_string(),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

/// Which hosts a grant means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// This one.
    Exact(Host),
    /// `*.example.com`: every name below, at any depth, never the name itself, never an address.
    Below(String),
}

impl HostPattern {
    /// Reads a host of an http grant.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let hint = "write a host name, an IP address, or *.example.com for the names below one";
        let fault = |cause: String| Fault::new(cause, hint);
        let Some(suffix) = text.strip_prefix("*.") else {
            if text.contains('*') {
                return Err(fault("`*` may only stand for the first labels of a host".to_owned()));
            }
            return Host::parse(text).map(Self::Exact).map_err(fault);
        };
        if suffix.contains('*') {
            return Err(fault("`*` may only stand for the first labels of a host".to_owned()));
        }
        match Host::parse(suffix).map_err(fault)? {
            Host::Name(name) => Ok(Self::Below(name)),
            Host::Ip(_) => Err(fault("there are no names below an address".to_owned())),
        }
    }

    /// Whether a host is meant.
    pub fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Exact(own), host) => own == host,
            (Self::Below(suffix), Host::Name(name)) => name
                .strip_suffix(suffix.as_str())
                .and_then(|front| front.strip_suffix('.'))
                .is_some_and(|labels| !labels.is_empty()),
            (Self::Below(_), Host::Ip(_)) => false,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => host.fmt(f),
            Self::Below(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

fn parse_v6(text: &str) -> Result<Host, String> {
    let ip: Ipv6Addr = text.parse().map_err(|_| "the host in brackets is not an IPv6 address".to_owned())?;
    match ip.to_ipv4_mapped() {
        Some(v4) => Err(format!("the host is an IPv4 address in IPv6 form; it is written {v4}")),
        None => Ok(Host::Ip(ip.into())),
    }
}

fn parse_name(name: &str) -> Result<Host, String> {
    if name.ends_with('.') {
        return Err("the host ends with a dot".to_owned());
    }
    if name.len() > MAX_NAME {
        return Err(format!("the host is longer than {MAX_NAME} bytes"));
    }
    for label in name.split('.') {
        check_label(label)?;
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    if is_number(last) {
        return Err("the host is an IPv4 address in an unusual spelling".to_owned());
    }
    Ok(Host::Name(name.to_owned()))
}

fn check_label(label: &str) -> Result<(), String> {
    if label.is_empty() || label.len() > MAX_LABEL {
        return Err(format!("each part of a host has 1 to {MAX_LABEL} characters"));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err("a part of the host begins or ends with `-`".to_owned());
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match label.chars().find(|c| !allowed(*c)) {
        Some(c) => Err(format!("the host holds {c:?}")),
        None => Ok(()),
    }
}

/// Whether browsers and libc would read a last label as part of an IPv4 address.
fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x");
    label.bytes().all(|b| b.is_ascii_digit())
        || hex.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed parse is a failed test")]
    use super::*;

    #[test]
    fn reads_one_spelling_of_a_host() {
        assert_eq!(Host::parse("API.Example.COM").unwrap(), Host::Name("api.example.com".into()));
        assert_eq!(Host::parse("127.0.0.1").unwrap().to_string(), "127.0.0.1");
        assert_eq!(Host::parse("[0:0::1]").unwrap().to_string(), "[::1]");
        assert_eq!(Host::parse("xn--bcher-kva.example").unwrap().bare(), "xn--bcher-kva.example");
        assert!(Host::parse("my_db.internal").is_ok());
    }

    #[test]
    fn refuses_every_other_spelling() {
        for text in [
            "",
            ".",
            "a.",
            "a..b",
            ".a",
            "-a.b",
            "a-.b",
            "bücher.example",
            "a b",
            "a%2eb",
            "a@b",
            "a:1",
            "a/b",
            "a\\b",
            "a\0",
            "*",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "127.1",
            "127.0.0.01",
            "1.2.3.4.5",
            "a.b.0x",
            "[::1",
            "::1",
            "[::ffff:127.0.0.1]",
            "[fe80::1%25eth0]",
            "[127.0.0.1]",
            "１２７.0.0.1",
        ] {
            assert!(Host::parse(text).is_err(), "{text:?}");
        }
        assert!(Host::parse(&format!("{}.com", "a".repeat(64))).is_err());
        assert!(Host::parse(&"abc.".repeat(64)).is_err());
    }

    #[test]
    fn a_wildcard_means_names_below_and_nothing_else() {
        let below = HostPattern::parse("*.Example.com").unwrap();
        for host in ["a.example.com", "a.b.EXAMPLE.com"] {
            assert!(below.matches(&Host::parse(host).unwrap()), "{host}");
        }
        for host in ["example.com", "aexample.com", "example.com.evil.org", "1.2.3.4"] {
            assert!(!below.matches(&Host::parse(host).unwrap()), "{host}");
        }
        for pattern in ["*", "*.", "a.*.com", "*.*.com", "a*.com", "*.1.2.3.4", "*.[::1]"] {
            assert!(HostPattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
