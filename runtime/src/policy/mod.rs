//! Policy: what one server may do, and how much of it.
//!
//! Everything is denied unless a grant of the operator's config allows it. Grants are validated
//! once, when a server is loaded; after that a check is a pure function over hosts, paths and
//! addresses, without I/O, and answers with the grant or with a [`Denial`] that names the config
//! line to add. Nothing here resolves, connects or opens.
//!
//! `error` why a grant is refused · `host`, `path`, `address`, `networks` the parts ·
//! `request` what a guest asks for · `http`, `tcp`, `files`, `env`, `secret`, `engine` the grants · `header`
//! fields that nobody may set · `tunnel` what connections lead to that nobody can look into.

pub mod address;
mod engine;
pub mod env;
mod error;
mod files;
pub mod header;
mod host;
pub mod http;
mod networks;
mod path;
mod request;
mod secret;
pub mod tcp;
mod tunnel;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

pub use self::engine::EngineView;
pub use self::error::GrantError;
pub use self::files::{FilesGrant, Mode};
pub use self::host::{Host, HostPattern};
pub use self::http::HttpGrant;
pub use self::networks::Networks;
pub use self::path::{Path, PathPattern};
pub use self::request::{Scheme, Target};
pub use self::secret::{BoundSecret, Origin, SecretGrant, SecretHeader, SecretUse, Template};
pub use self::tcp::TcpGrant;
pub use self::tunnel::{Exit, Tunnel, TunnelGrant};
use crate::events::Denial;
use crate::limits::Limits;

/// Grants and limits of one server. The default grants nothing.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// What a call may use.
    pub grants: Grants,
    /// How much of it.
    pub limits: Limits,
}

/// What a server may use, validated as a whole. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    http: Vec<HttpGrant>,
    tcp: Vec<TcpGrant>,
    files: Vec<FilesGrant>,
    env: BTreeMap<String, String>,
    secrets: Vec<SecretGrant>,
    engine: BTreeSet<EngineView>,
}

/// Grants of one kind in one server. Against a config that makes every request a long search.
pub const MAX_GRANTS: usize = 256;
/// Secrets of one server. Against a config that makes every request read as many files.
pub const MAX_SECRETS: usize = 32;

impl Grants {
    /// Puts grants together.
    ///
    /// # Errors
    /// Files that overlap, an environment that no guest can have, too many of one kind.
    pub fn new(
        http: Vec<HttpGrant>,
        tcp: Vec<TcpGrant>,
        files: Vec<FilesGrant>,
        env: BTreeMap<String, String>,
    ) -> Result<Self, GrantError> {
        check_count("http", http.len())?;
        check_count("tcp", tcp.len())?;
        check_count("files", files.len())?;
        FilesGrant::check_disjoint(&files)?;
        env::check(&env)?;
        Ok(Self { http, tcp, files, env, secrets: Vec::new(), engine: BTreeSet::new() })
    }

    /// Adds a secret to grants that reach where it goes.
    ///
    /// # Errors
    /// If no `http` grant does, if another secret or variable has the place already, or if there
    /// are too many.
    pub fn add_secret(&mut self, secret: SecretGrant) -> Result<(), GrantError> {
        secret::check_beside(&secret, self)?;
        self.secrets.push(secret);
        Ok(())
    }

    /// Grants parts of an engine, to the server that looks at one.
    #[must_use]
    pub fn with_engine(self, engine: impl IntoIterator<Item = EngineView>) -> Self {
        Self { engine: engine.into_iter().collect(), ..self }
    }

    /// The parts of an engine.
    pub fn engine(&self) -> &BTreeSet<EngineView> {
        &self.engine
    }

    /// The `http` grants.
    pub fn http(&self) -> &[HttpGrant] {
        &self.http
    }

    /// The `tcp` grants.
    pub fn tcp(&self) -> &[TcpGrant] {
        &self.tcp
    }

    /// The `files` grants; no two overlap.
    pub fn files(&self) -> &[FilesGrant] {
        &self.files
    }

    /// The environment.
    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// The secrets.
    pub fn secrets(&self) -> &[SecretGrant] {
        &self.secrets
    }

    /// Whether an `http` or `tcp` grant means something of a host.
    pub fn names(&self, host: &Host) -> bool {
        self.http.iter().any(|grant| grant.names(host)) || self.tcp.iter().any(|grant| grant.host() == host)
    }

    /// The secrets to add to a request, each with its header.
    pub fn headers_for(&self, target: &Target) -> impl Iterator<Item = (&SecretGrant, &SecretHeader)> {
        self.header_secrets().filter(|(_, header)| header.to.matches(target))
    }

    fn header_secrets(&self) -> impl Iterator<Item = (&SecretGrant, &SecretHeader)> {
        self.secrets.iter().filter_map(|grant| match grant.usage() {
            SecretUse::Header(header) => Some((grant, header)),
            SecretUse::Env(_) => None,
        })
    }

    /// The secrets that the guest holds, each with the name of its variable.
    pub fn secret_variables(&self) -> impl Iterator<Item = (&SecretGrant, &str)> {
        self.secrets.iter().filter_map(|grant| match grant.usage() {
            SecretUse::Env(name) => Some((grant, name.as_str())),
            SecretUse::Header(_) => None,
        })
    }

    /// The grant that covers a request.
    ///
    /// # Errors
    /// The denial to report.
    pub fn allow_http(&self, target: &Target) -> Result<&HttpGrant, Denial> {
        http::judge(&self.http, target)
    }

    /// How a tunnel is covered.
    ///
    /// # Errors
    /// The denial to report.
    pub fn allow_tunnel(&self, exit: &Exit) -> Result<Tunnel<'_>, Denial> {
        tunnel::judge(self, exit)
    }

    /// Whether there may be tunnels in which each request must be judged.
    pub fn judges_tunnels(&self) -> bool {
        tunnel::any_is_judged(self)
    }

    /// The grants, one for each port, that let a guest resolve a name.
    ///
    /// # Errors
    /// The denial to report.
    pub fn allow_name(&self, name: &str) -> Result<Vec<&TcpGrant>, Denial> {
        tcp::judge_name(&self.tcp, name)
    }

    /// The grant that names an address itself. `resolved_from` is the granted host that resolved to
    /// it, if one did: it makes the denial's advice better.
    ///
    /// # Errors
    /// The denial to report.
    pub fn allow_address(
        &self,
        address: SocketAddr,
        resolved_from: Option<&Host>,
    ) -> Result<&TcpGrant, Denial> {
        tcp::judge_address(&self.tcp, address, resolved_from)
    }
}

fn check_count(capability: &'static str, count: usize) -> Result<(), GrantError> {
    if count <= MAX_GRANTS {
        return Ok(());
    }
    let cause = format!("{count} grants are more than {MAX_GRANTS}");
    let fault = error::Fault::new(cause, "use wildcards, or split the server in two");
    Err(GrantError::new(capability, "", fault))
}

#[cfg(test)]
mod tests;
