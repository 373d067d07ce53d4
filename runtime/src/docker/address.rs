//! Where an engine answers: a Unix socket, or TCP with or without TLS. Pure but for asking which of the
//! usual sockets exist.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The sockets that engines make, in the order in which they are looked for: Docker's, then podman's.
const SOCKETS: [&str; 3] = ["/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock"];

/// Podman's socket of one user, below `XDG_RUNTIME_DIR`.
const USER_SOCKET: &str = "podman/podman.sock";

/// Where an engine answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `unix:///var/run/docker.sock`
    Unix(PathBuf),
    /// `tcp://127.0.0.1:2375`, without encryption: whoever reaches it owns the machine.
    Tcp(String),
    /// `tcp://engine.internal:2376` with a folder that holds `ca.pem`, `cert.pem` and `key.pem`.
    Tls {
        /// `HOST:PORT`.
        authority: String,
        /// The folder.
        certificates: PathBuf,
    },
}

/// Text that names no engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not where an engine answers")]
pub struct AddressError(String);

impl AddressError {
    /// What to write.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        "write unix:///var/run/docker.sock or tcp://HOST:PORT"
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let fault = || AddressError(text.to_owned());
        match text.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') && !path.contains('\0') => {
                Ok(Self::Unix(path.into()))
            }
            Some(("tcp", authority)) => {
                let authority = authority.trim_end_matches('/');
                let parsed: http::uri::Authority = authority.parse().map_err(|_| fault())?;
                let plain = parsed.port().is_some() && !authority.contains('@');
                if plain { Ok(Self::Tcp(authority.to_owned())) } else { Err(fault()) }
            }
            _ => Err(fault()),
        }
    }
}

impl Address {
    /// The same over TLS, with the certificates in that folder; sockets of this machine stay as they are.
    #[must_use]
    pub fn with_tls(self, certificates: &Path) -> Self {
        match self {
            Self::Tcp(authority) => Self::Tls { authority, certificates: certificates.to_owned() },
            other => other,
        }
    }

    /// The engine of this machine: the first of the usual sockets that is there, else Docker's, which may
    /// come. `variable` reads the environment.
    #[must_use]
    pub fn usual(variable: impl Fn(&str) -> Option<String>) -> Self {
        let own = variable("XDG_RUNTIME_DIR").map(|dir| Path::new(&dir).join(USER_SOCKET));
        let sockets = SOCKETS.iter().map(PathBuf::from).chain(own);
        let found = sockets.into_iter().find(|socket| socket.exists());
        Self::Unix(found.unwrap_or_else(|| SOCKETS[0].into()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(authority) | Self::Tls { authority, .. } => write!(f, "tcp://{authority}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    #[test]
    fn an_address_is_shown_as_it_is_written() {
        for text in ["unix:///var/run/docker.sock", "tcp://127.0.0.1:2375", "tcp://[::1]:2376"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_names_no_engine_is_refused_with_the_value() {
        for text in
            ["", "docker.sock", "unix://relative", "http://x:1", "tcp://host", "tcp://u@h:1", "npipe:////"]
        {
            let error = text.parse::<Address>().unwrap_err();
            assert_eq!(error.to_string(), format!("`{text}` is not where an engine answers"));
        }
    }

    #[test]
    fn certificates_turn_tcp_into_tls_and_leave_sockets_alone() {
        let tls = "tcp://h:2376".parse::<Address>().unwrap().with_tls(Path::new("/certs"));
        assert!(matches!(&tls, Address::Tls { certificates, .. } if certificates == Path::new("/certs")));
        let socket: Address = "unix:///s".parse().unwrap();
        assert_eq!(socket.clone().with_tls(Path::new("/certs")), socket);
    }
}
