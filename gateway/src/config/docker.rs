//! `[docker]`: where the engine is that runs images.

use std::path::Path;

use toolgate_runtime::docker::{Address, AddressError};

use super::error::Invalid;
use super::expand::Env;
use super::raw::Section;

/// Where the engine is, as Docker's own clients are told.
const HOST_VAR: &str = "DOCKER_HOST";
/// Set to have them speak TLS.
const TLS_VAR: &str = "DOCKER_TLS_VERIFY";
/// The folder with `ca.pem`, `cert.pem` and `key.pem`.
const CERTIFICATES_VAR: &str = "DOCKER_CERT_PATH";

/// Where the engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerConfig {
    /// Its address, where something may or may not answer. An environment that makes no sense concerns
    /// only those who run images.
    pub address: Result<Address, AddressError>,
}

impl DockerConfig {
    /// As the environment says.
    #[must_use]
    pub fn of_environment(env: Env<'_>) -> Self {
        let filled = |name| env(name).filter(|value| !value.is_empty());
        let Some(host) = filled(HOST_VAR) else {
            return Self { address: Ok(Address::usual(env)) };
        };
        let folder = || filled(CERTIFICATES_VAR).or_else(|| filled("HOME").map(|home| home + "/.docker"));
        let certificates = filled(TLS_VAR).and_then(|_| folder());
        let with = |address: Address| match &certificates {
            Some(folder) => address.with_tls(Path::new(folder)),
            None => address,
        };
        Self { address: host.parse().map(with) }
    }
}

impl Default for DockerConfig {
    fn default() -> Self {
        Self::of_environment(&|_| None)
    }
}

pub(super) fn read(section: Option<Section<'_, '_>>, base: &Path, env: Env<'_>) -> DockerConfig {
    let Some(section) = section else {
        return DockerConfig::of_environment(env);
    };
    let host = section.parsed("host", "unix:///var/run/docker.sock", |text| {
        text.parse::<Address>().map_err(|error| Invalid::new(error.clone()).hint(error.hint()))
    });
    let certificates = section.path("certificates", "./engine-certificates", base);
    if section.place("host").is_none() && certificates.is_some() {
        section.missing("host", "add host = \"tcp://HOST:2376\", whose certificates these are");
    }
    section.finish();
    match (host, certificates) {
        (Some(address), Some(folder)) => DockerConfig { address: Ok(address.with_tls(&folder)) },
        (Some(address), None) => DockerConfig { address: Ok(address) },
        (None, _) => DockerConfig::of_environment(env),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> String {
        let env = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        match DockerConfig::of_environment(&env).address {
            Ok(Address::Tls { authority, certificates }) => {
                format!("{authority} by {}", certificates.display())
            }
            Ok(address) => address.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_environment_means_what_it_means_to_docker() {
        assert!(of(&[]).starts_with("unix:///"));
        assert_eq!(of(&[("DOCKER_HOST", "unix:///x.sock")]), "unix:///x.sock");
        assert_eq!(of(&[("DOCKER_HOST", "tcp://h:1"), ("DOCKER_TLS_VERIFY", "")]), "tcp://h:1");
        let tls = [("DOCKER_HOST", "tcp://h:1"), ("DOCKER_TLS_VERIFY", "1"), ("HOME", "/root")];
        assert_eq!(of(&tls), "h:1 by /root/.docker");
        let own = [("DOCKER_HOST", "tcp://h:1"), ("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", "/c")];
        assert_eq!(of(&own), "h:1 by /c");
        assert_eq!(of(&[("DOCKER_HOST", "h")]), "`h` is not where an engine answers");
    }
}
