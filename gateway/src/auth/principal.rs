//! Who a request comes from, and which servers are open to it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// The principal of whoever needs no key.
const LOCAL: &str = "local";

/// Who a request comes from, as records name it, with the servers that the operator opened to it.
/// Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    name: Name,
    servers: Servers,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Local,
    Owner(Arc<str>),
}

/// The servers that a principal may use.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Servers {
    /// Each that the config has.
    All,
    /// Those of these names.
    Only(Arc<BTreeSet<String>>),
}

impl Principal {
    /// Whoever can reach the process: every client of a gateway without keys, and the one on stdio.
    #[must_use]
    pub fn local() -> Self {
        Self { name: Name::Local, servers: Servers::All }
    }

    /// Whoever holds a key of that owner.
    #[must_use]
    pub fn owner(name: &str, servers: Servers) -> Self {
        Self { name: Name::Owner(name.into()), servers }
    }

    /// The name in records.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.name {
            Name::Local => LOCAL,
            Name::Owner(name) => name,
        }
    }

    /// Whether it showed no key.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.name == Name::Local
    }

    /// What it may use.
    #[must_use]
    pub fn servers(&self) -> &Servers {
        &self.servers
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Servers {
    /// Those of these names.
    pub fn only<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::Only(Arc::new(names.into_iter().map(Into::into).collect()))
    }

    /// Whether the server of that name is among them.
    #[must_use]
    pub fn has(&self, server: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(server),
        }
    }
}

/// `local` can't be an owner: records would not tell the two apart.
#[must_use]
pub fn is_reserved(owner: &str) -> bool {
    owner == LOCAL
}
