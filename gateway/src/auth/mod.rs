//! Who calls.
//!
//! The first gate of a request. The gateway listens on loopback unless told otherwise and knows one
//! principal, the local one. Knows nothing of tools or of what a principal may do.

use std::borrow::Cow;
use std::fmt;

/// Who a request comes from, as records name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal(Cow<'static, str>);

impl Principal {
    /// Whoever can reach the process: every client of a gateway without sign-in.
    #[must_use]
    pub fn local() -> Self {
        Self(Cow::Borrowed("local"))
    }

    /// The name in records.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
