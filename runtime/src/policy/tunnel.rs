//! What a tunnel may lead to: a connection of which only host and port are known, as `CONNECT` of RFC 9110
//! section 9.3.6 asks for one.
//!
//! A `tcp` grant allows it. An `http` grant does where a tunnel can't go beyond it: to the whole of one
//! `https` origin, to which no secret is added.

use std::net::IpAddr;

use super::request::split_authority;
use super::secret::Origin;
use super::{Grants, Host, HttpGrant, Networks, Scheme, TcpGrant};
use crate::events::Denial;

/// Characters of an authority that a denial shows. Against flooding the log.
const SHOWN: usize = 256;

/// Where a tunnel leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    host: Host,
    port: u16,
}

/// The grant that allows a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunnelGrant<'a> {
    /// A host and port.
    Tcp(&'a TcpGrant),
    /// All of an origin.
    Http(&'a HttpGrant),
}

impl Exit {
    /// Reads `HOST:PORT`.
    ///
    /// # Errors
    /// A denial with the reason, where that can't be judged safely.
    pub fn parse(authority: &str) -> Result<Self, Denial> {
        let refused = |reason: String| {
            let shown: String = authority.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
            let shown = shown.rsplit('@').next().unwrap_or_default().to_owned();
            Denial { capability: "tcp", attempt: format!("CONNECT {shown}"), reason, allow: None }
        };
        let (host, port) = split_authority(authority).map_err(refused)?;
        let port = port.ok_or_else(|| refused("the port is missing".to_owned()))?;
        Ok(Self { host: Host::parse(host).map_err(refused)?, port })
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The denial of a granted tunnel whose host resolved to an address neither public nor named.
    #[must_use]
    pub fn denied_address(&self, grant: TunnelGrant<'_>, ip: IpAddr) -> Denial {
        let reason = format!("{} resolves to {ip}, which is not a public address", self.host);
        let line = match grant {
            TunnelGrant::Tcp(_) => format!("tcp = [\"{}:{} @{ip}\"]", self.host, self.port),
            TunnelGrant::Http(_) => format!("http = [\"* {}/* @{ip}\"]", self.origin()),
        };
        self.denial(reason, super::address::is_nameable(ip).then_some(line))
    }

    fn origin(&self) -> Origin {
        Origin::of(Scheme::Https, self.host.clone(), self.port)
    }

    fn denial(&self, reason: String, allow: Option<String>) -> Denial {
        let attempt = format!("CONNECT {}:{}", self.host, self.port);
        Denial { capability: "tcp", attempt, reason, allow }
    }
}

impl TunnelGrant<'_> {
    /// Private addresses that the host may resolve to.
    #[must_use]
    pub fn networks(&self) -> &Networks {
        match self {
            Self::Tcp(grant) => grant.networks(),
            Self::Http(grant) => grant.networks(),
        }
    }
}

/// The grant that allows a tunnel.
///
/// # Errors
/// A denial with the line that would allow it, where one would.
pub(super) fn judge<'a>(grants: &'a Grants, exit: &Exit) -> Result<TunnelGrant<'a>, Denial> {
    let is_tcp = |grant: &&TcpGrant| *grant.host() == exit.host && grant.port() == exit.port;
    if let Some(grant) = grants.tcp.iter().find(is_tcp) {
        return Ok(TunnelGrant::Tcp(grant));
    }
    let origin = exit.origin();
    let offer = Some(format!("http = [\"* {origin}/*\"]"));
    if let Some((secret, _)) = grants.header_secrets().find(|(_, header)| header.to == origin) {
        let reason = format!(
            "the secret {secret} can't be added to what is encrypted in a tunnel; \
             give it to the container with `env`, or don't bind it to {origin}"
        );
        return Err(exit.denial(reason, None));
    }
    let reaching = || grants.http.iter().filter(|grant| grant.reaches(&origin));
    if let Some(grant) = reaching().find(|grant| grant.is_for_all_of_its_origin()) {
        return Ok(TunnelGrant::Http(grant));
    }
    Err(match reaching().next() {
        Some(grant) => {
            let reason =
                format!("the grant {grant} is for some methods or paths, and in a tunnel they can't be seen");
            exit.denial(reason, offer)
        }
        None => exit.denial(format!("no grant is for {}:{}", exit.host, exit.port), offer),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed parse is a failed test")]
    use std::collections::BTreeMap;

    use super::*;
    use crate::policy::{SecretGrant, SecretHeader, SecretUse, Template};
    use crate::secret::SecretSource;

    fn grants(http: &[&str], tcp: &[&str]) -> Grants {
        let http = http.iter().map(|text| HttpGrant::parse(text).unwrap()).collect();
        let tcp = tcp.iter().map(|text| TcpGrant::parse(text).unwrap()).collect();
        Grants::new(http, tcp, Vec::new(), BTreeMap::new()).unwrap()
    }

    fn tried(grants: &Grants, authority: &str) -> Result<String, Denial> {
        let exit = Exit::parse(authority)?;
        grants.allow_tunnel(&exit).map(|grant| match grant {
            TunnelGrant::Tcp(grant) => grant.to_string(),
            TunnelGrant::Http(grant) => grant.to_string(),
        })
    }

    #[test]
    fn a_tunnel_leads_to_what_a_grant_means_as_a_whole_and_nowhere_else() {
        let grants = grants(
            &["* https://api.example.com/*", "* https://*.cdn.example/*", "* http://plain.example/*"],
            &["db.internal:5432"],
        );
        for authority in
            ["api.example.com:443", "API.example.com:443", "a.cdn.example:443", "db.internal:5432"]
        {
            assert!(tried(&grants, authority).is_ok(), "{authority}");
        }
        for authority in [
            "api.example.com:80",
            "api.example.com:8443",
            "api.example.com",
            "api.example.com.:443",
            "api.example.com:0443",
            "x@api.example.com:443",
            "cdn.example:443",
            "plain.example:80",
            "plain.example:443",
            "db.internal:443",
            "169.254.169.254:80",
            "[::ffff:127.0.0.1]:443",
            "2130706433:443",
            "",
        ] {
            assert!(tried(&grants, authority).is_err(), "{authority}");
        }
    }

    #[test]
    fn a_grant_for_some_paths_or_methods_is_for_no_tunnel_and_says_what_would_be() {
        for http in
            ["GET https://api.example.com/*", "* https://api.example.com/v1/*", "* https://api.example.com/"]
        {
            let denial = tried(&grants(&[http], &[]), "api.example.com:443").unwrap_err();
            assert!(denial.reason.contains(http), "{}", denial.reason);
            assert_eq!(denial.allow.as_deref(), Some("http = [\"* https://api.example.com/*\"]"));
        }
        let denial = tried(&grants(&[], &[]), "api.example.com:8443").unwrap_err();
        assert_eq!(denial.allow.as_deref(), Some("http = [\"* https://api.example.com:8443/*\"]"));
        assert_eq!(denial.attempt, "CONNECT api.example.com:8443");
    }

    #[test]
    fn no_tunnel_leads_to_where_a_secret_is_added() {
        let mut grants = grants(&["* https://api.example.com/*"], &[]);
        let header = SecretHeader {
            name: SecretHeader::parse_name("authorization").unwrap(),
            template: Template::default(),
            to: Origin::parse("https://api.example.com").unwrap(),
        };
        let source = SecretSource::file("/run/token".into());
        grants.add_secret(SecretGrant::new(source, SecretUse::Header(header)).unwrap()).unwrap();
        let denial = tried(&grants, "api.example.com:443").unwrap_err();
        assert!(denial.reason.contains("can't be added"), "{}", denial.reason);
        assert_eq!(denial.allow, None);
    }
}
