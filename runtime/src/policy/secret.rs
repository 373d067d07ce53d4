//! The `secrets` grant: a secret for a header of requests to one origin, which the guest never
//! holds, or for a variable that the guest reads.
//!
//! A header's secret is bound to scheme, host and port, exactly: no wildcard, and no plain text
//! unless the request stays on this machine. Nothing here reads a source; [`SecretGrant::fetch`]
//! is for those who enforce.

use std::fmt;
use std::net::IpAddr;

use http::header::{HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::error::{Fault, GrantError};
use super::header::is_unfit_for_secrets;
use super::host::Host;
use super::request::{Scheme, Target, split_authority};
use super::{Grants, MAX_SECRETS, env};
use crate::secret::{Secret, SecretError, SecretSource};

/// A secret and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretGrant {
    source: SecretSource,
    usage: SecretUse,
}

/// What a secret is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretUse {
    /// A header that the gateway adds.
    Header(SecretHeader),
    /// A variable of the guest.
    Env(String),
}

/// A header with a secret in it, for requests to one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretHeader {
    /// The field, which no guest sets beside it.
    pub name: HeaderName,
    /// The text around the secret.
    pub template: Template,
    /// Where it goes.
    pub to: Origin,
}

/// Scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    host: Host,
    port: u16,
}

/// The text around a secret in a header: `Bearer {}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    before: String,
    after: String,
}

/// A secret in its header, ready for one request.
pub struct BoundSecret {
    header: SecretHeader,
    value: HeaderValue,
    secret: Secret,
}

const CAPABILITY: &str = "secrets";
/// Longest template. Against a header section that is full before the guest's fields.
const MAX_TEMPLATE: usize = 1024;

impl SecretGrant {
    /// Binds a source to a use. The value of a variable is checked here; that of a file where it is
    /// read, since it may change.
    ///
    /// # Errors
    /// If the variable's value can't be used so.
    pub fn new(source: SecretSource, usage: SecretUse) -> Result<Self, GrantError> {
        let grant = Self { source, usage };
        if let SecretSource::Env { value, .. } = &grant.source {
            grant.usage.check(value).map_err(|cause| {
                let hint = "correct the variable; its value is not shown";
                GrantError::new(CAPABILITY, &grant.source.to_string(), Fault::new(cause.to_string(), hint))
            })?;
        }
        Ok(grant)
    }

    /// Where it comes from.
    pub fn source(&self) -> &SecretSource {
        &self.source
    }

    /// What it is for.
    pub fn usage(&self) -> &SecretUse {
        &self.usage
    }

    /// The secret as it is now, for threads that may block.
    ///
    /// # Errors
    /// If it can't be read, or not be used as intended.
    pub fn read(&self) -> Result<Secret, SecretError> {
        self.checked(self.source.read()?)
    }

    /// The same for threads that must not block.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn fetch(&self) -> Result<Secret, SecretError> {
        self.checked(self.source.fetch().await?)
    }

    fn checked(&self, secret: Secret) -> Result<Secret, SecretError> {
        self.usage.check(&secret).map(|()| secret)
    }
}

impl SecretUse {
    fn check(&self, secret: &Secret) -> Result<(), SecretError> {
        match self {
            Self::Header(_) => secret.check_header(),
            Self::Env(_) => secret.check_variable(),
        }
    }
}

impl SecretHeader {
    /// Reads the name of a header that can hold a secret.
    ///
    /// # Errors
    /// If there is no such name, or it belongs to the connection or to the message's form.
    pub fn parse_name(text: &str) -> Result<HeaderName, GrantError> {
        let hint = "write the field that the server reads: header = \"authorization\"";
        let fault = |cause: &str| GrantError::new(CAPABILITY, text, Fault::new(cause, hint));
        let name: HeaderName = text.parse().map_err(|_| fault("it is not the name of a header"))?;
        if is_unfit_for_secrets(&name) {
            return Err(fault("the gateway itself sets this header, or it frames the message"));
        }
        Ok(name)
    }

    /// Puts a secret in.
    ///
    /// # Errors
    /// If no header can hold it.
    pub fn bind(&self, secret: Secret) -> Result<BoundSecret, SecretError> {
        secret.check_header()?;
        let Template { before, after } = &self.template;
        let length = before.len() + secret.expose().len() + after.len();
        let mut text = Zeroizing::new(String::with_capacity(length));
        for part in [before, secret.expose(), after] {
            text.push_str(part);
        }
        let mut value = HeaderValue::from_str(&text).map_err(|_| SecretError::NotAscii)?;
        value.set_sensitive(true);
        Ok(BoundSecret { header: self.clone(), value, secret })
    }
}

impl BoundSecret {
    /// The header field.
    pub fn name(&self) -> &HeaderName {
        &self.header.name
    }

    /// Its value, which prints as `Sensitive`.
    pub fn value(&self) -> &HeaderValue {
        &self.value
    }

    /// The secret alone, to be looked for in responses.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Whether a request goes where the secret may go.
    pub fn is_for(&self, target: &Target) -> bool {
        self.header.to.matches(target)
    }

    /// Whether a server could take a guest's field for this one. Some read `x_api_key` and
    /// `x-api-key` as the same variable.
    pub fn replaces(&self, name: &HeaderName) -> bool {
        same_field(&self.header.name, name)
    }
}

/// Checks a secret against the other grants of its server.
pub(super) fn check_beside(secret: &SecretGrant, grants: &Grants) -> Result<(), GrantError> {
    let fault = |cause: String, hint: String| {
        Err(GrantError::new(CAPABILITY, &secret.to_string(), Fault::new(cause, hint)))
    };
    if grants.secrets.len() >= MAX_SECRETS {
        return fault(format!("more than {MAX_SECRETS} secrets"), "split the server in two".to_owned());
    }
    match &secret.usage {
        SecretUse::Env(name) => {
            env::check_name(name)?;
            let taken = grants.secret_variables().any(|(_, other)| other == name);
            if taken || grants.env.contains_key(name) {
                return fault(format!("the variable {name} is already granted"), "grant it once".to_owned());
            }
        }
        SecretUse::Header(header) => {
            let SecretHeader { name, to, .. } = header;
            if !grants.http.iter().any(|http| http.reaches(to)) {
                let hint = format!("add http = [\"GET {to}/*\"]");
                return fault(format!("no http grant reaches {to}"), hint);
            }
            let meets = |other: &SecretUse| match other {
                SecretUse::Header(other) => other.to == *to && same_field(&other.name, name),
                SecretUse::Env(_) => false,
            };
            if grants.secrets.iter().any(|other| meets(&other.usage)) {
                return fault(
                    format!("another secret is already {name} for {to}"),
                    "grant it once".to_owned(),
                );
            }
        }
    }
    Ok(())
}

/// Whether servers may take two header names for one.
fn same_field(one: &HeaderName, other: &HeaderName) -> bool {
    let folded = |byte: u8| if byte == b'_' { b'-' } else { byte };
    one.as_str().bytes().map(folded).eq(other.as_str().bytes().map(folded))
}

impl Origin {
    /// Reads `https://HOST[:PORT]`. Plain http is for addresses of this machine alone.
    ///
    /// # Errors
    /// What is wrong with it, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, GrantError> {
        Self::read(text).map_err(|fault| GrantError::new(CAPABILITY, text, fault))
    }

    fn read(text: &str) -> Result<Self, Fault> {
        let example = "write scheme and host: to = \"https://api.example.com\"";
        let fault = |cause: String| Fault::new(cause, example);
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| fault("the scheme is missing".to_owned()))?;
        let scheme = Scheme::parse(scheme).map_err(fault)?;
        if rest.contains(['/', '?', '#', '\\']) {
            return Err(fault("a secret is for a whole host, not for a path".to_owned()));
        }
        if rest.contains('*') {
            let hint = "grant it once for each host";
            return Err(Fault::new("a secret goes to one host; there is no wildcard", hint));
        }
        let (host, port) = split_authority(rest).map_err(fault)?;
        let host = Host::parse(host).map_err(fault)?;
        if scheme == Scheme::Http && !stays_here(&host) {
            let hint =
                format!("write https://{rest}; http is for loopback addresses such as 127.0.0.1 alone");
            return Err(Fault::new("the secret would cross the network in plain text", hint));
        }
        Ok(Self { scheme, host, port: port.unwrap_or(scheme.default_port()) })
    }

    pub(super) fn of(scheme: Scheme, host: Host, port: u16) -> Self {
        Self { scheme, host, port }
    }

    /// Whether a request goes there.
    pub fn matches(&self, target: &Target) -> bool {
        self.scheme == target.scheme() && self.host == *target.host() && self.port == target.port()
    }

    pub(super) fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

/// Whether a host is an address of this machine. A name is not: it may come to mean another.
fn stays_here(host: &Host) -> bool {
    matches!(host, Host::Ip(ip) if IpAddr::is_loopback(ip))
}

impl Template {
    /// Reads a text with one `{}`.
    ///
    /// # Errors
    /// If there is none or more than one, or a character that no header carries.
    pub fn parse(text: &str) -> Result<Self, GrantError> {
        // The text is not told: a template without `{}` may well be the secret itself.
        let fault = |cause: &str| {
            GrantError::new(CAPABILITY, "value", Fault::new(cause, "write value = \"Bearer {}\""))
        };
        if text.len() > MAX_TEMPLATE {
            return Err(fault("it is too long"));
        }
        if text.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
            return Err(fault("it holds a character that a header can't carry"));
        }
        let (before, after) = text.split_once("{}").ok_or_else(|| fault("it has no `{}` for the secret"))?;
        if after.contains("{}") {
            return Err(fault("it has more than one `{}`"));
        }
        Ok(Self { before: before.to_owned(), after: after.to_owned() })
    }
}

/// The secret alone.
impl Default for Template {
    fn default() -> Self {
        Self { before: String::new(), after: String::new() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.host)?;
        if self.port == self.scheme.default_port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// For operators: `authorization for https://api.example.com from env:API_TOKEN`.
impl fmt::Display for SecretGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.usage {
            SecretUse::Header(header) => write!(f, "{} for {}", header.name, header.to)?,
            SecretUse::Env(name) => write!(f, "{name} in the environment")?,
        }
        write!(f, " from {}", self.source)
    }
}

#[cfg(test)]
mod tests;
