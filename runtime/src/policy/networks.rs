//! The suffix ` @10.0.0.0/8` of a grant: private addresses that its host may resolve to.
//!
//! Naming a range opens exactly that range for exactly that host. What is the machine's own is left out
//! of every range, loopback, link-local and metadata addresses: who needs one names it alone, so that
//! opening a subnet never hands out the machine's services and credentials.

use std::fmt;
use std::net::IpAddr;

use super::address;
use super::error::Fault;
use super::host::Host;

/// Addresses that a grant names. Empty for most grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// Written after ` @`.
    named: Vec<Network>,
    /// The host itself, where it is an address.
    literal: Option<IpAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    base: IpAddr,
    prefix: u8,
}

/// Networks in one grant. Against a config that makes every connection a long search.
const MAX_NETWORKS: usize = 16;
/// Widest IPv4 network, `10.0.0.0/8`. Against a grant that opens everything.
const MIN_PREFIX_V4: u8 = 8;
/// Widest IPv6 network, `fc00::/7`.
const MIN_PREFIX_V6: u8 = 7;

const HINT: &str = "name an address or a network: @10.1.2.3 or @10.0.0.0/8,fd00::/8";

impl Networks {
    /// Splits ` @…` off a grant and reads it.
    pub(crate) fn split(grant: &str) -> Result<(&str, Self), Fault> {
        match grant.split_once(" @") {
            None => Ok((grant, Self::default())),
            Some((rest, list)) => Ok((rest, Self::parse(list)?)),
        }
    }

    fn parse(list: &str) -> Result<Self, Fault> {
        let networks: Vec<Network> =
            list.split(',').take(MAX_NETWORKS + 1).map(Network::parse).collect::<Result<_, _>>()?;
        if networks.len() > MAX_NETWORKS {
            return Err(Fault::new(format!("more than {MAX_NETWORKS} networks"), HINT));
        }
        Ok(Self { named: networks, literal: None })
    }

    /// Adds the address of a host that is one: a literal names itself.
    pub(crate) fn and_literal(mut self, host: &Host) -> Result<Self, Fault> {
        if let Host::Ip(ip) = host {
            if !address::is_nameable(*ip) {
                let cause = format!("{ip} is not the address of one machine");
                return Err(Fault::new(cause, HINT));
            }
            self.literal = Some(*ip);
        }
        Ok(self)
    }

    /// Whether more is named than single addresses.
    pub fn has_ranges(&self) -> bool {
        self.named.iter().any(|network| network.prefix < bits(network.base))
    }

    /// Whether a connection to this address is allowed: public, or named here.
    pub fn permit(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        address::is_public(ip) || self.literal == Some(ip) || self.named.iter().any(|n| n.names(ip))
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, network) in self.named.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { "," })?;
            network.fmt(f)?;
        }
        Ok(())
    }
}

impl Network {
    fn parse(text: &str) -> Result<Self, Fault> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let base: IpAddr =
            address.parse().map_err(|_| Fault::new(format!("`{address}` is not an IP address"), HINT))?;
        let prefix = match prefix {
            Some(text) => parse_prefix(text, base)?,
            None => bits(base),
        };
        if !address::is_nameable(base) {
            let cause = format!("{base} is not the address of one machine");
            return Err(Fault::new(cause, HINT));
        }
        if address::is_own(base) && prefix != bits(base) {
            let cause = format!("`{text}` is a range of this machine's own addresses");
            return Err(Fault::new(cause, "name each alone: @127.0.0.1,::1"));
        }
        let network = Self { base, prefix };
        if network.masked(base) != to_bits(base) {
            let cause = format!("`{text}` is an address inside a network");
            return Err(Fault::new(cause, HINT));
        }
        Ok(network)
    }

    fn names(self, ip: IpAddr) -> bool {
        if !address::is_nameable(ip) || ip.is_ipv4() != self.base.is_ipv4() {
            return false;
        }
        if address::is_own(ip) && self.prefix != bits(ip) {
            return false;
        }
        self.masked(ip) == to_bits(self.base)
    }

    fn masked(self, ip: IpAddr) -> u128 {
        let host_bits = u32::from(bits(ip) - self.prefix);
        to_bits(ip).checked_shr(host_bits).and_then(|n| n.checked_shl(host_bits)).unwrap_or(0)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == bits(self.base) {
            self.base.fmt(f)
        } else {
            write!(f, "{}/{}", self.base, self.prefix)
        }
    }
}

fn parse_prefix(text: &str, base: IpAddr) -> Result<u8, Fault> {
    let least = if base.is_ipv4() { MIN_PREFIX_V4 } else { MIN_PREFIX_V6 };
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u8>() {
        Ok(n) if digits && (least..=bits(base)).contains(&n) => Ok(n),
        _ => {
            let cause = format!("`/{text}` is not a prefix from /{least} to /{}", bits(base));
            Err(Fault::new(cause, HINT))
        }
    }
}

fn bits(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn to_bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed parse is a failed test")]
    use super::*;

    fn permits(list: &str, ip: &str) -> bool {
        Networks::parse(list).unwrap().permit(ip.parse().unwrap())
    }

    #[test]
    fn a_network_opens_itself_and_nothing_else() {
        assert!(permits("10.0.0.0/8", "10.255.0.1"));
        assert!(permits("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(permits("10.1.2.3", "10.1.2.3"));
        assert!(permits("fd00::/8,127.0.0.1", "fd12::1"));
        assert!(permits("10.0.0.0/8", "8.8.8.8"));
        assert!(!permits("10.1.2.3", "10.1.2.4"));
        assert!(!permits("10.0.0.0/8", "172.16.0.1"));
        assert!(!permits("10.0.0.0/8", "::1"));
        assert!(!permits("fe00::/7", "ff02::1"));
        assert!(!Networks::default().permit("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_range_never_opens_an_address_of_the_machines_own() {
        assert!(!permits("168.0.0.0/8", "168.63.129.16"));
        assert!(!permits("169.0.0.0/8", "169.254.169.254"));
        assert!(!permits("169.0.0.0/8", "169.254.1.1"));
        assert!(!permits("fd00::/8", "fd00:ec2::254"));
        assert!(!permits("64:ff9b::/96", "64:ff9b::a9fe:a9fe"));
        assert!(!permits("64:ff9b::/96", "64:ff9b::7f00:1"));
        assert!(!permits("fe00::/7", "fe80::1"));
        for own in ["169.254.169.254", "169.254.1.1", "127.0.0.1", "::1", "fe80::1"] {
            assert!(permits(own, own), "{own}");
        }
    }

    #[test]
    fn refuses_what_is_no_network() {
        for list in [
            "",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "0.0.0.0/0",
            "0.0.0.0",
            "::/0",
            "10.0.0.1/8",
            "224.0.0.0/8",
            "localhost",
            "10.0.0.0/8, 10.1.0.0/16",
            "10.0.0.0/7",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "fe80::/64",
        ] {
            assert!(Networks::parse(list).is_err(), "{list:?}");
        }
        assert!(Networks::parse(&["10.0.0.1"; 17].join(",")).is_err());
    }

    #[test]
    fn display_reads_back() {
        let networks = Networks::parse("10.0.0.0/8,10.1.2.3,fd00::/8").unwrap();
        assert_eq!(networks.to_string(), "10.0.0.0/8,10.1.2.3,fd00::/8");
    }
}
