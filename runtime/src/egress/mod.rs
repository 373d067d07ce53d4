//! Egress: the one way out of the process for guests.
//!
//! Resolve once, judge every address, connect to an address that was judged, speak TLS with the
//! name that was granted, and bound whatever comes back. A name is never resolved a second time,
//! so an answer that changes between the check and the connection has no effect. Requests arrive
//! here after policy has allowed them; what is left to check are the addresses.
//!
//! Redirects are not followed: a redirect is a response, and the guest's next request is judged
//! anew, with the secrets of its own destination. Proxies from the environment are not used.
//!
//! A secret is added after everything was judged, goes out only to the origin that it is bound to,
//! and is hidden in the response where the server repeats it as it is. Against a server that
//! repeats it in another form (encoded, say, or in pieces) nothing helps: whom an operator grants a
//! secret to is trusted not to hand it out.
//!
//! `options` the limits · `resolve` names to judged addresses · `connect` TCP and TLS ·
//! `send` one HTTP request · `kept` connections to one place · `body` bounded bodies · `headers` what goes out
//! in front of them · `secrets` what is added to them · `hide` secrets in what comes back.

mod body;
mod connect;
mod error;
mod headers;
mod hide;
mod kept;
mod options;
mod resolve;
mod secrets;
mod send;

use std::fmt;
use std::sync::Arc;

pub use self::body::ResponseBody;
pub use self::error::{EgressError, Step};
pub(crate) use self::kept::{Kept, Pieces};
pub use self::options::EgressOptions;
pub(crate) use self::options::MIN_HEADER_BYTES;
pub(crate) use self::resolve::refused;
pub use self::resolve::{Resolve, SystemResolver};
pub(crate) use self::secrets::secrets_for;
pub use self::send::Timeouts;

/// Everything that connections of all servers share. One for the process, and views of it that
/// bound what one server and one call may take of it. Cheap to clone, and to use at the same time
/// from many calls.
#[derive(Clone)]
pub struct Egress {
    options: Arc<EgressOptions>,
    resolver: Arc<dyn Resolve>,
    tls: tokio_rustls::TlsConnector,
    turns: resolve::Turns,
}

impl Egress {
    /// Reads the certificate authorities and makes the client.
    ///
    /// # Errors
    /// If `extra_ca` can't be read or holds no certificate.
    pub fn new(options: EgressOptions) -> Result<Self, EgressError> {
        Self::with_resolver(options, Arc::new(SystemResolver))
    }

    /// The same with another resolver.
    ///
    /// # Errors
    /// As [`Egress::new`].
    pub fn with_resolver(options: EgressOptions, resolver: Arc<dyn Resolve>) -> Result<Self, EgressError> {
        let tls = connect::tls(options.extra_ca.as_deref())?;
        Ok(Self { options: Arc::new(options), resolver, tls, turns: resolve::Turns::of_process() })
    }

    /// The same for one server: its lookups are bounded by themselves, so that it can't take those
    /// of the others.
    #[must_use]
    pub fn for_server(&self) -> Self {
        Self { turns: self.turns.of_server(), ..self.clone() }
    }

    /// The same for one call of a server.
    #[must_use]
    pub(crate) fn for_call(&self) -> Self {
        Self { turns: self.turns.of_call(), ..self.clone() }
    }

    /// The limits in force.
    pub fn options(&self) -> &EgressOptions {
        &self.options
    }
}

impl Default for Egress {
    fn default() -> Self {
        Self::new(EgressOptions::default()).expect("only an extra CA file can be unreadable")
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").field("options", &self.options).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
