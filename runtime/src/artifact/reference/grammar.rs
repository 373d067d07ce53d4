//! The grammar of hosts, repositories and tags, from the OCI distribution specification.
//!
//! Each check names the part that is wrong and why; [`super`] adds the reference around it.

use super::{Fault, fault};

/// Longest repository name, from the distribution specification.
const MAX_REPOSITORY: usize = 255;
/// Longest host name (RFC 1035) with a port.
const MAX_REGISTRY: usize = 255 + ":65535".len();
/// Longest tag, from the distribution specification.
const MAX_TAG: usize = 128;

pub(super) fn check_registry(registry: &str) -> Result<(), Fault> {
    if registry.len() > MAX_REGISTRY {
        return Err(fault(format!("the registry is longer than {MAX_REGISTRY} bytes")));
    }
    let (host, port) =
        split_port(registry).ok_or_else(|| fault(format!("`{registry}` is not a registry host")))?;
    if let Some(port) = port
        && (port.starts_with(['0', '+']) || port.parse::<u16>().is_err())
    {
        return Err(fault(format!("`{port}` is not a port, 1 to 65535")));
    }
    if host.chars().any(|c| c.is_ascii_uppercase()) {
        return Err(fault(format!("the host `{host}` is not in lower case")));
    }
    if !is_host(host) {
        return Err(fault(format!("`{host}` is not a host name or address")));
    }
    Ok(())
}

/// Splits `host[:port]`, with IPv6 addresses in brackets.
fn split_port(registry: &str) -> Option<(&str, Option<&str>)> {
    if registry.starts_with('[') {
        let end = registry.find(']')? + 1;
        let (host, rest) = registry.split_at(end);
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    Some(match registry.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (registry, None),
    })
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    host.split('.').all(|label| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    })
}

pub(super) fn check_repository(repository: &str) -> Result<(), Fault> {
    if repository.is_empty() {
        return Err(fault("the repository is missing").hint("oci://HOST/REPOSITORY:TAG"));
    }
    if repository.len() > MAX_REPOSITORY {
        return Err(fault(format!("the repository is longer than {MAX_REPOSITORY} bytes")));
    }
    if repository.chars().any(|c| c.is_ascii_uppercase()) {
        return Err(fault(format!("the repository `{repository}` is not in lower case")));
    }
    match repository.split('/').find(|part| !is_repository_part(part)) {
        None => Ok(()),
        Some("") => Err(fault("the repository has an empty part (`//` or a slash at its end)")),
        Some(part) => Err(fault(format!(
            "`{part}` in the repository is not lower-case letters and digits, separated by `.`, `_`, `__` or dashes"
        ))),
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_repository_part(part: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separator = |text: &str| {
        matches!(text, "." | "_" | "__") || (!text.is_empty() && text.bytes().all(|b| b == b'-'))
    };
    part.starts_with(alphanumeric)
        && part.ends_with(alphanumeric)
        && part.split(alphanumeric).all(|between| between.is_empty() || separator(between))
}

pub(super) fn check_tag(tag: &str) -> Result<(), Fault> {
    let first = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let rest = |b: u8| first(b) || b == b'.' || b == b'-';
    if tag.is_empty() {
        return Err(fault("the tag after `:` is missing"));
    }
    if tag.len() > MAX_TAG {
        return Err(fault(format!("the tag is longer than {MAX_TAG} bytes")));
    }
    if !first(tag.as_bytes()[0]) || !tag.bytes().all(rest) {
        return Err(fault(format!(
            "the tag `{tag}` is not letters, digits, `_`, `.` and `-`, starting with a letter, digit or `_`"
        )));
    }
    Ok(())
}
