//! Where load may be sent: this host, and nothing else.
//!
//! A load generator that takes any address is a weapon that somebody points by accident. Loopback is
//! all that measuring needs, so nothing else parses.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// An HTTP endpoint on loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where to connect.
    pub address: SocketAddr,
    /// The path, with its leading slash.
    pub path: String,
}

/// Why a URL is no target.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TargetError {
    /// Not of the form that is understood.
    #[error("`{0}` is not http://ADDRESS:PORT/PATH, where ADDRESS is an IP address or localhost")]
    Form(String),
    /// Another host.
    #[error("{0} is not a loopback address, and load is sent to this host only")]
    Remote(SocketAddr),
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(url: &str) -> Result<Self, TargetError> {
        let form = || TargetError::Form(url.to_owned());
        let rest = url.strip_prefix("http://").ok_or_else(form)?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // Never resolved: a name may point anywhere, this one is defined to point here.
        let address = match authority.strip_prefix("localhost:") {
            Some(port) => (Ipv4Addr::LOCALHOST, port.parse().map_err(|_| form())?).into(),
            None => authority.parse::<SocketAddr>().map_err(|_| form())?,
        };
        if path.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(form());
        }
        if !address.ip().is_loopback() {
            return Err(TargetError::Remote(address));
        }
        Ok(Self { address, path: if path.is_empty() { "/".to_owned() } else { path.to_owned() } })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.address, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::{Target, TargetError};

    #[test]
    fn loopback_is_a_target() {
        for url in ["http://127.0.0.1:80/mcp", "http://[::1]:80/mcp", "http://localhost:80/mcp"] {
            let target: Target = url.parse().expect(url);
            assert!(target.address.ip().is_loopback(), "{url}");
            assert_eq!(target.path, "/mcp");
        }
    }

    #[test]
    fn other_hosts_are_refused() {
        for url in ["http://192.0.2.1:80/", "http://0.0.0.0:80/", "http://[2001:db8::1]:80/"] {
            assert!(matches!(url.parse::<Target>(), Err(TargetError::Remote(_))), "{url}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for url in
            ["https://127.0.0.1:1/", "http://example.com:80/", "http://127.0.0.1/", "http://127.0.0.1:1/a b"]
        {
            assert!(matches!(url.parse::<Target>(), Err(TargetError::Form(_))), "{url}");
        }
    }
}
