//! Which addresses a guest may reach: public ones, and those that a grant names.
//!
//! A host name in a grant says nothing about where it resolves to, and whoever owns the name can
//! point it at the gateway's own network. So every resolved address is judged here before a
//! connection is opened. The ranges follow the IANA special-purpose registries for IPv4 and IPv6
//! (RFC 6890 and its updates); addresses that carry an IPv4 address inside are judged by it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is globally routable unicast that no tool needs a special grant for.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// Whether an address is this machine's own: its loopback, its links, and what serves it credentials or
/// configuration. Such an address is reached only by a grant that names it alone, never by one that
/// names a range around it.
pub fn is_own(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_own_v4(ip),
        IpAddr::V6(ip) => {
            let is_link_local = ip.segments()[0] & 0xffc0 == 0xfe80;
            METADATA_V6.contains(&ip) || ip.is_loopback() || is_link_local || carries_own(ip)
        }
    }
}

fn is_own_v4(ip: Ipv4Addr) -> bool {
    METADATA_V4.contains(&ip) || ip.is_loopback() || ip.is_link_local()
}

/// Whether a grant can name an address: unicast to one machine. Never `0.0.0.0` (which the kernel
/// takes for loopback), multicast, broadcast or reserved ranges.
pub fn is_nameable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let first = ip.octets()[0];
            first != 0 && first < 224
        }
        IpAddr::V6(ip) => ip.to_ipv4_mapped().is_none() && !ip.is_unspecified() && !ip.is_multicast(),
    }
}

/// AWS, Azure, GCP and others; ECS task and EKS pod credentials; Azure's wire server; Alibaba;
/// Oracle.
const METADATA_V4: [Ipv4Addr; 6] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
];

/// AWS instance metadata, EKS pod credentials, GCP metadata.
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

fn is_public_v4(ip: Ipv4Addr) -> bool {
    if METADATA_V4.contains(&ip) {
        return false;
    }
    !matches!(
        ip.octets(),
        [0 | 10 | 127, ..]                  // this network, private, loopback
            | [100, 64..=127, ..]           // carrier-grade NAT
            | [169, 254, ..]                // link-local
            | [172, 16..=31, ..]            // private
            | [192, 0, 0 | 2, _]            // protocol assignments, documentation
            | [192, 88, 99, _]              // 6to4 relay anycast
            | [192, 168, ..]                // private
            | [198, 18 | 19, ..]            // benchmarking
            | [198, 51, 100, _]             // documentation
            | [203, 0, 113, _]              // documentation
            | [224..=255, ..] // multicast, reserved, broadcast
    )
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    match s {
        // ::ffff:a.b.c.d, the same machine as a.b.c.d
        [0, 0, 0, 0, 0, 0xffff, hi, lo] => is_public_v4(embedded(hi, lo)),
        // NAT64: the translator connects to the IPv4 address for us
        [0x64, 0xff9b, 0, 0, 0, 0, hi, lo] => is_public_v4(embedded(hi, lo)),
        // 6to4: the tunnel ends at the IPv4 address
        [0x2002, hi, lo, ..] => is_public_v4(embedded(hi, lo)),
        // Teredo: a server, and a client written inverted
        [0x2001, 0, server_hi, server_lo, _, _, hi, lo] => {
            is_public_v4(embedded(server_hi, server_lo)) && is_public_v4(embedded(!hi, !lo))
        }
        [0x2001, 0..=0x1ff, ..] => false, // protocol assignments, benchmarking, ORCHID
        [0x2001, 0xdb8, ..] => false,     // documentation
        [0x3fff, 0..=0xfff, ..] => false, // documentation
        // Only 2000::/3 is global unicast. The rest holds unspecified, loopback, the deprecated
        // IPv4-compatible form, local NAT64, discard, unique local, link-local, multicast.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Whether an IPv6 form of such an IPv4 address: mapped, compatible, NAT64 or 6to4.
fn carries_own(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, hi, lo] | [0x64, 0xff9b, _, _, _, _, hi, lo] | [0x2002, hi, lo, ..] => {
            is_own_v4(embedded(hi, lo))
        }
        _ => false,
    }
}

fn embedded(hi: u16, lo: u16) -> Ipv4Addr {
    let [a, b] = hi.to_be_bytes();
    let [c, d] = lo.to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed parse is a failed test")]
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_global_unicast_is_public() {
        let refused = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::7f00:1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::808:808",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2002:c0a8:101::1",
            "2001:0:7f00:1::f5f5:f5f5",
            "2001:0:808:808::80ff:fffe",
            "3fff::1",
            "3fff:fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
        ];
        for text in refused {
            assert!(!is_public(ip(text)), "{text} must be refused");
        }
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.0.3.1",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.112.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2001:200::1",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "2001:0:808:808::fefe:fefe",
            "3ffe::1",
            "3fff:1000::1",
        ];
        for text in public {
            assert!(is_public(ip(text)), "{text} is public");
        }
    }

    #[test]
    fn what_is_the_machines_own_is_known_in_every_spelling() {
        for text in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "169.254.170.2",
            "fd00:ec2::254",
            "64:ff9b::a9fe:a9fe",
            "168.63.129.16",
            "127.1.2.3",
            "::ffff:127.0.0.1",
            "2002:7f00:1::",
            "::1",
            "169.254.1.1",
            "fe80::1",
            "febf::1",
        ] {
            assert!(is_own(ip(text)), "{text}");
        }
        for text in ["168.63.129.15", "10.0.0.1", "192.168.0.1", "fd00:ec2::253", "fec0::1", "8.8.8.8"] {
            assert!(!is_own(ip(text)), "{text}");
        }
    }

    #[test]
    fn a_grant_can_not_name_what_is_not_one_machine() {
        for text in ["0.0.0.0", "0.0.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::", "ff02::1"] {
            assert!(!is_nameable(ip(text)), "{text}");
        }
        for text in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "8.8.8.8"] {
            assert!(is_nameable(ip(text)), "{text}");
        }
    }
}
