//! Which names this gateway answers to, and whose web pages may call it.
//!
//! Against DNS rebinding: a page of any site can make its own name resolve to this machine, and
//! would then call tools with the rights of whoever opened it. Its `Host` and `Origin` betray it.
//! Pure.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue, Uri, header};

use crate::error::Error;

/// Bytes of a refused name that are repeated.
const SHOWN: usize = 100;

/// The allowed names. Hosts: loopback ones, those of the config, and the address at which the client
/// connected: a page that was led here by DNS has a name in its `Host`, never an address. Origins: those of the config
/// alone, since any program of this machine can serve a page at a loopback name.
#[derive(Debug)]
pub(super) struct Hosts {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Hosts {
    pub(super) fn new(hosts: &[String], origins: &[String]) -> Self {
        let lower =
            |names: &[String]| names.iter().map(|n| n.trim_end_matches('/').to_ascii_lowercase()).collect();
        Self { hosts: lower(hosts), origins: lower(origins) }
    }

    /// Checks the request target and `Host` of a request that came in at the address `local`.
    pub(super) fn check_host(
        &self,
        local: Option<IpAddr>,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Error> {
        if let Some(authority) = uri.authority() {
            self.allow_host(local, authority.as_str())?;
        }
        let mut values = headers.get_all(header::HOST).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => self.allow_host(local, &String::from_utf8_lossy(value.as_bytes())),
            (Some(_), Some(_)) => Err(Error::Host("there are two Host headers".to_owned())),
            (None, _) => Err(Error::Host("the Host header is missing".to_owned())),
        }
    }

    /// Checks `Origin`, which only browsers send. The result is an origin other than this gateway's
    /// own whose page may read the reply. The `Host` must have been checked before.
    pub(super) fn check_origin(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, Error> {
        let mut values = headers.get_all(header::ORIGIN).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let origin = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        match values.next() {
            None if self.origins.contains(&origin) => Ok(Some(value.clone())),
            None if is_own(&origin, headers) => Ok(None),
            _ => Err(Error::Origin(shown(&origin))),
        }
    }

    fn allow_host(&self, local: Option<IpAddr>, host: &str) -> Result<(), Error> {
        let host = host.to_ascii_lowercase();
        let name = name_of(&host);
        let is_local = name.parse().is_ok_and(|address: IpAddr| local == Some(address.to_canonical()));
        if is_local || is_loopback(name) || self.hosts.iter().any(|h| *h == host || h == name) {
            return Ok(());
        }
        Err(Error::Host(format!("{:?}", shown(&host))))
    }
}

/// Whether a page came from the very host and port that it calls.
fn is_own(origin: &str, headers: &HeaderMap) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes);
    authority.zip(host).is_some_and(|(origin, host)| host.eq_ignore_ascii_case(origin.as_bytes()))
}

fn shown(name: &str) -> String {
    name[..name.floor_char_boundary(SHOWN)].to_owned()
}

/// The name of `name:port`, or the address of `[address]:port`.
fn name_of(host: &str) -> &str {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, "")) => return address,
        Some((address, port)) => (address, port.strip_prefix(':')),
        None => match host.split_once(':') {
            None => return host,
            Some((name, port)) => (name, Some(port)),
        },
    };
    let is_port = port.is_some_and(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    if is_port { name } else { host }
}

fn is_loopback(name: &str) -> bool {
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::net::Ipv4Addr;

    use super::*;

    fn host(hosts: &Hosts, value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, value.parse().unwrap());
        hosts.check_host(LOCAL, &Uri::from_static("/mcp"), &headers).is_ok()
    }

    /// The address at which requests come in.
    const LOCAL: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5)));

    /// The origin that may read the reply, if the request is allowed.
    fn origin(hosts: &Hosts, host: &str, value: &str) -> Option<Option<String>> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        headers.insert(header::ORIGIN, value.parse().unwrap());
        let allowed = hosts.check_origin(&headers).ok()?;
        Some(allowed.map(|origin| origin.to_str().unwrap().to_owned()))
    }

    #[test]
    fn loopback_names_are_hosts_on_any_port() {
        let hosts = Hosts::new(&[], &[]);
        for name in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.9.9.9", "[::1]", "[::1]:1"] {
            assert!(host(&hosts, name), "{name}");
        }
    }

    #[test]
    fn the_address_that_was_connected_to_is_a_host() {
        let hosts = Hosts::new(&[], &[]);
        for name in ["10.0.0.5", "10.0.0.5:8080", "[::ffff:10.0.0.5]:80"] {
            assert!(host(&hosts, name), "{name}");
        }
        for name in ["10.0.0.6", "10.0.0.5.evil.com", "10.0.0.5:x"] {
            assert!(!host(&hosts, name), "{name}");
        }
    }

    #[test]
    fn other_names_are_no_hosts() {
        let hosts = Hosts::new(&["tools.example.com".into(), "a.example:81".into()], &[]);
        for name in [
            "evil.example.com",
            "localhost.evil.com",
            "127.0.0.1.evil.com",
            "localhost:80:80",
            "localhost:evil.com",
            "localhost@evil.com",
            "[::1]evil.com",
            "[::1].evil.com:80",
            "10.0.0.1",
            "0.0.0.0",
            "a.example",
            "a.example:82",
            "x.tools.example.com",
            "",
        ] {
            assert!(!host(&hosts, name), "{name}");
        }
        assert!(host(&hosts, "tools.example.com:443"));
        assert!(host(&hosts, "a.example:81"));
    }

    #[test]
    fn a_request_target_with_another_host_is_refused() {
        let hosts = Hosts::new(&[], &[]);
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "localhost".parse().unwrap());
        let uri = Uri::from_static("http://evil.example/mcp");
        assert!(hosts.check_host(LOCAL, &uri, &headers).is_err());
        headers.append(header::HOST, "evil.example".parse().unwrap());
        assert!(hosts.check_host(LOCAL, &Uri::from_static("/mcp"), &headers).is_err());
        assert!(hosts.check_host(LOCAL, &Uri::from_static("/mcp"), &HeaderMap::new()).is_err());
    }

    #[test]
    fn only_its_own_and_configured_origins_may_call() {
        let hosts = Hosts::new(&[], &["https://app.example.com/".into(), "http://localhost:6274".into()]);
        for name in ["https://app.example.com", "HTTP://localhost:6274"] {
            assert_eq!(origin(&hosts, "localhost:8080", name), Some(Some(name.into())));
        }
        for host in ["localhost:8080", "127.0.0.1", "[::1]:1"] {
            assert_eq!(origin(&hosts, host, &format!("http://{host}")), Some(None), "{host}");
        }
        for name in [
            "http://localhost:3000",
            "http://localhost",
            "https://127.0.0.1:8080",
            "http://[::1]:8080",
            "null",
            "https://evil.com",
            "http://app.example.com",
            "https://app.example.com.evil.com",
            "file://localhost",
            "http://localhost.evil.com",
            "localhost",
        ] {
            assert_eq!(origin(&hosts, "localhost:8080", name), None, "{name}");
        }
        assert_eq!(hosts.check_origin(&HeaderMap::new()).unwrap(), None);
        let mut two = HeaderMap::new();
        for name in ["https://app.example.com", "https://evil.com"] {
            two.append(header::ORIGIN, name.parse().unwrap());
        }
        assert!(hosts.check_origin(&two).is_err());
    }
}
