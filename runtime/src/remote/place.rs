//! Where a server is: its URL as the config has it, with the private addresses that its host may have.

use std::collections::BTreeMap;
use std::fmt;

use crate::policy::{GrantError, Grants, Host, HttpGrant, Networks, Scheme, Target};

/// A URL that is named by the operator: `https://mcp.example.com/mcp`, `http://10.1.2.3:8080/mcp`, or
/// `https://mcp.internal/mcp @10.0.0.0/8` with the private addresses that its name may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    url: String,
    target: Target,
    grant: HttpGrant,
}

/// A URL that names no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct PlaceError {
    /// What is wrong.
    pub cause: String,
    /// What to write instead.
    pub hint: String,
}

const EXAMPLE: &str =
    "write url = \"https://mcp.example.com/mcp\", with ` @10.1.2.3` behind it where its address is private";

impl Place {
    /// Reads it. A query is a part of the URL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, PlaceError> {
        let refused = |cause: &str| PlaceError { cause: cause.to_owned(), hint: EXAMPLE.to_owned() };
        let (url, networks) = text.split_once(" @").map_or((text, None), |(url, rest)| (url, Some(rest)));
        let path = url.split_once('?').map_or(url, |(path, _)| path);
        if !path.split_once("://").is_some_and(|(_, rest)| rest.contains('/')) {
            return Err(refused("it is not a URL with a path"));
        }
        if url.contains('*') {
            return Err(refused("it is to name one place, without wildcards"));
        }
        // A grant has no query: any is allowed.
        let networks = networks.map_or_else(String::new, |networks| format!(" @{networks}"));
        let grant = HttpGrant::parse(&format!("* {path}{networks}"))?;
        let target = Target::parse("POST", url).map_err(|denial| refused(&denial.reason))?;
        Ok(Self { url: url.to_owned(), target, grant })
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether nobody reads along on the way there: by TLS, or since it does not leave this machine.
    #[must_use]
    pub fn is_private_way(&self) -> bool {
        let is_loopback = matches!(self.target.host(), Host::Ip(ip) if ip.is_loopback());
        self.target.scheme() == Scheme::Https || is_loopback
    }

    /// What a policy for it has: requests there, and nothing else.
    ///
    /// # Errors
    /// None that a single grant can have.
    pub fn grants(&self) -> Result<Grants, GrantError> {
        Grants::new(vec![self.grant.clone()], Vec::new(), Vec::new(), BTreeMap::new())
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    pub(super) fn networks(&self) -> &Networks {
        self.grant.networks()
    }
}

impl From<GrantError> for PlaceError {
    fn from(error: GrantError) -> Self {
        Self { cause: error.cause, hint: error.hint }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_place_is_a_url_and_the_addresses_of_its_host() {
        for (text, url) in [
            ("https://mcp.example.com/mcp", "https://mcp.example.com/mcp"),
            ("http://127.0.0.1:8080/mcp?team=a", "http://127.0.0.1:8080/mcp?team=a"),
            ("https://mcp.internal/ @10.0.0.0/8", "https://mcp.internal/"),
        ] {
            assert_eq!(Place::parse(text).unwrap().url(), url, "{text}");
        }
    }

    #[test]
    fn what_names_no_single_place_is_refused() {
        for text in [
            "mcp.example.com/mcp",
            "https://mcp.example.com",
            "https://*.example.com/mcp",
            "https://mcp.example.com/*",
            "ftp://mcp.example.com/mcp",
            "https://user:hunter2@mcp.example.com/mcp",
            "https://mcp.example.com/mcp#a",
            "https://mcp.example.com/mcp @all",
            "http://0.0.0.0/mcp",
        ] {
            let error = Place::parse(text).unwrap_err();
            assert!(!error.cause.is_empty() && !error.hint.is_empty(), "{text}");
            assert!(!error.cause.contains("hunter2"), "{error}");
        }
    }
}
