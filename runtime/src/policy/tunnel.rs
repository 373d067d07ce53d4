//! What a tunnel may lead to: a connection of which only host and port are known, as `CONNECT` of RFC 9110
//! section 9.3.6 asks for one.
//!
//! A `tcp` grant allows it. An `http` grant allows one that nobody looks into where it can't go beyond the
//! grant: to the whole of one `https` origin, to which no secret is added. Where grants are for some of an
//! origin's requests, or a secret is added to them, TLS must end where each of them can be judged.

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

/// How a tunnel is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tunnel<'a> {
    /// As one that nobody looks into.
    Blind(TunnelGrant<'a>),
    /// As one whose TLS ends here, so that each request in it is judged by itself.
    Judged,
}

/// The grant that allows a tunnel as a whole.
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

    /// Whether an authority, as of a `Host` field, names it in a tunnel of TLS.
    #[must_use]
    pub fn is_called(&self, authority: &str) -> bool {
        let Ok((host, port)) = split_authority(authority) else { return false };
        let port = port.unwrap_or(Scheme::Https.default_port());
        port == self.port && Host::parse(host).is_ok_and(|host| host == self.host)
    }

    /// The denial of a judged tunnel whose client does not accept the certificate of the gateway.
    #[must_use]
    pub fn denied_by_client(&self, grants: &Grants, cause: &str) -> Denial {
        let reason = format!(
            "its client does not take the certificate by which the gateway could see what it asks for \
             ({cause}); let it trust what SSL_CERT_FILE names"
        );
        let is_bound = grants.header_secrets().any(|(_, header)| header.to == self.origin());
        self.denial(reason, (!is_bound).then(|| self.offer()))
    }

    /// The origin that TLS in the tunnel is with.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin::of(Scheme::Https, self.host.clone(), self.port)
    }

    fn offer(&self) -> String {
        format!("http = [\"* {}/*\"]", self.origin())
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

/// How grants allow a tunnel.
///
/// # Errors
/// A denial with the line that would allow it.
pub(super) fn judge<'a>(grants: &'a Grants, exit: &Exit) -> Result<Tunnel<'a>, Denial> {
    let is_tcp = |grant: &&TcpGrant| *grant.host() == exit.host && grant.port() == exit.port;
    if let Some(grant) = grants.tcp.iter().find(is_tcp) {
        return Ok(Tunnel::Blind(TunnelGrant::Tcp(grant)));
    }
    let origin = exit.origin();
    let mut reaching = grants.http.iter().filter(|grant| grant.reaches(&origin)).peekable();
    if reaching.peek().is_none() {
        let reason = format!("no grant is for {}:{}", exit.host, exit.port);
        return Err(exit.denial(reason, Some(exit.offer())));
    }
    let is_bound = grants.header_secrets().any(|(_, header)| header.to == origin);
    let whole = reaching.find(|grant| grant.is_for_all_of_its_origin() && !is_bound);
    Ok(whole.map_or(Tunnel::Judged, |grant| Tunnel::Blind(TunnelGrant::Http(grant))))
}

/// Whether some tunnel would have to be judged.
pub(super) fn any_is_judged(grants: &Grants) -> bool {
    let is_part = |grant: &HttpGrant| grant.is_encrypted() && !grant.is_for_all_of_its_origin();
    grants.http.iter().any(is_part)
        || grants.header_secrets().any(|(_, header)| header.to.scheme() == Scheme::Https)
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
        grants.allow_tunnel(&exit).map(|tunnel| match tunnel {
            Tunnel::Blind(TunnelGrant::Tcp(grant)) => grant.to_string(),
            Tunnel::Blind(TunnelGrant::Http(grant)) => grant.to_string(),
            Tunnel::Judged => "judged".to_owned(),
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
    fn a_tunnel_beyond_a_grant_is_one_whose_requests_are_judged() {
        for http in
            ["GET https://api.example.com/*", "* https://api.example.com/v1/*", "* https://api.example.com/"]
        {
            let grants = grants(&[http], &[]);
            assert_eq!(tried(&grants, "api.example.com:443").unwrap(), "judged", "{http}");
            assert!(grants.judges_tunnels());
            assert!(tried(&grants, "api.example.com:8443").is_err());
        }
        let whole = grants(&["GET https://a.example/v1/*", "* https://a.example/*"], &[]);
        assert_eq!(tried(&whole, "a.example:443").unwrap(), "* https://a.example/*");
        assert!(
            !grants(&["* https://a.example/*", "GET http://b.example/v1/*"], &["c.example:1"])
                .judges_tunnels()
        );
    }

    #[test]
    fn a_tunnel_that_nothing_is_granted_for_is_told_the_line() {
        let denial = tried(&grants(&[], &[]), "api.example.com:8443").unwrap_err();
        assert_eq!(denial.allow.as_deref(), Some("http = [\"* https://api.example.com:8443/*\"]"));
        assert_eq!(denial.attempt, "CONNECT api.example.com:8443");
    }

    #[test]
    fn no_blind_tunnel_leads_to_where_a_secret_is_added() {
        let mut grants = grants(&["* https://api.example.com/*", "* https://*.example.com/*"], &[]);
        assert!(!grants.judges_tunnels());
        let header = SecretHeader {
            name: SecretHeader::parse_name("authorization").unwrap(),
            template: Template::default(),
            to: Origin::parse("https://api.example.com").unwrap(),
        };
        let source = SecretSource::file("/run/token".into());
        grants.add_secret(SecretGrant::new(source, SecretUse::Header(header)).unwrap()).unwrap();
        assert_eq!(tried(&grants, "api.example.com:443").unwrap(), "judged");
        assert_eq!(tried(&grants, "www.example.com:443").unwrap(), "* https://*.example.com/*");
        assert!(grants.judges_tunnels());
        let exit = Exit::parse("api.example.com:443").unwrap();
        assert_eq!(exit.denied_by_client(&grants, "x").allow, None, "the line would add no secret");
    }

    #[test]
    fn a_tunnel_is_called_by_its_own_name_alone() {
        let exit = |authority| Exit::parse(authority).unwrap();
        for name in ["api.example.com", "API.example.com", "api.example.com:443"] {
            assert!(exit("api.example.com:443").is_called(name), "{name}");
        }
        for name in [
            "",
            "example.com",
            "api.example.com:80",
            "api.example.com/x",
            "x@api.example.com",
            "api.example.com?",
        ] {
            assert!(!exit("api.example.com:443").is_called(name), "{name}");
        }
        assert!(exit("api.example.com:8443").is_called("api.example.com:8443"));
        assert!(!exit("api.example.com:8443").is_called("api.example.com"));
    }
}
