//! The `tcp` grant: `"db.internal:5432"`, `"10.1.2.3:5432"`, `"db.internal:5432 @10.0.0.0/8"`.
//!
//! One host, one port. A guest resolves granted names only, and connects only to addresses that
//! they resolved to, with the port of the same grant.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::error::{Fault, GrantError};
use super::host::Host;
use super::networks::Networks;
use super::request::split_authority;
use crate::events::Denial;

/// A host and port that a guest may connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpGrant {
    host: Host,
    port: u16,
    networks: Networks,
}

const CAPABILITY: &str = "tcp";
const EXAMPLE: &str = "write tcp = [\"db.internal:5432\"]";
/// Characters of a guest's host name that a denial shows. Against flooding the log.
const SHOWN: usize = 256;

impl FromStr for TcpGrant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        Self::read(text).map_err(|fault| GrantError::new(CAPABILITY, text, fault))
    }
}

impl TcpGrant {
    /// Reads a grant of the config.
    ///
    /// # Errors
    /// What is wrong with it, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, GrantError> {
        text.parse()
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Private addresses that the host may resolve to.
    pub fn networks(&self) -> &Networks {
        &self.networks
    }

    fn read(text: &str) -> Result<Self, Fault> {
        let (rule, networks) = Networks::split(text)?;
        if rule.contains("://") {
            return Err(Fault::new("a tcp grant has no scheme", EXAMPLE));
        }
        if rule.contains('/') {
            return Err(Fault::new("a tcp grant has no path", EXAMPLE));
        }
        if rule.contains('*') {
            return Err(Fault::new("a tcp grant has no wildcard", "grant each host and port by itself"));
        }
        let (host, port) = split_authority(rule).map_err(|cause| Fault::new(cause, EXAMPLE))?;
        let host = Host::parse(host).map_err(|cause| Fault::new(cause, EXAMPLE))?;
        let port =
            port.ok_or_else(|| Fault::new("the port is missing", format!("add it: \"{host}:5432\"")))?;
        let networks = networks.and_literal(&host)?;
        Ok(Self { host, port, networks })
    }
}

impl fmt::Display for TcpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)?;
        let networks = self.networks.to_string();
        if networks.is_empty() { Ok(()) } else { write!(f, " @{networks}") }
    }
}

/// The grants that let a guest resolve a name: one for each granted port.
///
/// # Errors
/// A denial if the name can't be judged or no grant is for it.
pub(crate) fn judge_name<'a>(grants: &'a [TcpGrant], name: &str) -> Result<Vec<&'a TcpGrant>, Denial> {
    let bracketed = name.parse::<std::net::Ipv6Addr>().map(|ip| format!("[{ip}]"));
    let host = match Host::parse(bracketed.as_deref().unwrap_or(name)) {
        Ok(host) => host,
        Err(reason) => {
            let attempt = name.chars().filter(|c| !c.is_control()).take(SHOWN).collect::<String>();
            return Err(denial(format!("resolve {attempt}"), reason, None));
        }
    };
    let granted: Vec<_> = grants.iter().filter(|grant| grant.host == host).collect();
    if granted.is_empty() {
        let reason = format!("no tcp grant is for the host {host}");
        let allow = format!("tcp = [\"{host}:PORT\"]");
        return Err(denial(format!("resolve {host}"), reason, Some(allow)));
    }
    Ok(granted)
}

/// The grant whose host is this very address, with this port.
///
/// # Errors
/// A denial with the line that would allow the connection; it names `name`, the granted host that
/// resolved to the address, where only the port is wrong.
pub(crate) fn judge_address<'a>(
    grants: &'a [TcpGrant],
    address: SocketAddr,
    name: Option<&Host>,
) -> Result<&'a TcpGrant, Denial> {
    let literal = Host::Ip(address.ip());
    let found = grants.iter().find(|g| g.host == literal && g.port == address.port());
    found.ok_or_else(|| {
        let host = name.unwrap_or(&literal);
        let offer = format!("{host}:{}", address.port());
        let allow = TcpGrant::parse(&offer).is_ok().then(|| format!("tcp = [\"{offer}\"]"));
        let reason = match name {
            Some(name) => format!("the grants for {name} are for other ports"),
            None => "no tcp grant is for this address".to_owned(),
        };
        denial(format!("connect {address}"), reason, allow)
    })
}

/// The denial of a granted name that resolved to an address neither public nor named.
pub fn denied_address(grant: &TcpGrant, ip: IpAddr) -> Denial {
    let (host, port) = (&grant.host, grant.port);
    let reason = format!("{host} resolves to {ip}, which is not a public address");
    let allow = super::address::is_nameable(ip).then(|| format!("tcp = [\"{host}:{port} @{ip}\"]"));
    denial(format!("connect {host}:{port}"), reason, allow)
}

fn denial(attempt: String, reason: String, allow: Option<String>) -> Denial {
    Denial { capability: CAPABILITY, attempt, reason, allow }
}
