//! `secrets` of `[servers.NAME.grants]`: values that the gateway adds to requests, or hands to the
//! guest, without showing them.
//!
//! A variable must be set when the config is read, as with `${VAR}`. A file is read when its server
//! is resolved, and again at each use: one that is missing makes its server unavailable, and nothing
//! else.

use std::ops::Range;
use std::path::Path;

use toolgate_runtime::policy::{Origin, SecretGrant, SecretHeader, SecretUse, Template};
use toolgate_runtime::secret::{Secret, SecretSource};

use super::error::Invalid;
use super::raw::{Reader, Section};

const HEADER_EXAMPLE: &str = "{ from = \"env:API_TOKEN\", header = \"authorization\", \
                              value = \"Bearer {}\", to = \"https://api.example.com\" }";

/// The secrets that make sense by themselves, with their places.
pub(super) fn read(section: &Section<'_, '_>, base: &Path) -> Vec<(Range<usize>, SecretGrant)> {
    let tables = section.tables("secrets", HEADER_EXAMPLE).into_iter();
    tables.filter_map(|table| Some((table.span(), secret(table, base)?))).collect()
}

fn secret(table: Section<'_, '_>, base: &Path) -> Option<SecretGrant> {
    let (reader, span) = (table.reader, table.span());
    let from = table.parsed("from", "env:API_TOKEN", |text| source(text, reader, base));
    if table.place("from").is_none() {
        table.missing("from", "write from = \"env:API_TOKEN\" or from = \"file:/run/secrets/token\"");
    }
    let usage = match (table.place("header"), table.place("env")) {
        (Some(_), None) => header(&table),
        (None, Some(_)) => variable_of_guest(&table),
        (Some(_), Some(at)) => {
            let why = Invalid::new("a secret is for a header or for a variable, not for both")
                .hint("write two secrets with the same `from`");
            reader.invalid(at, "env", why);
            None
        }
        (None, None) => {
            table.missing("header", format!("write {HEADER_EXAMPLE}, or env = \"PGPASSWORD\""));
            None
        }
    };
    // Asked for also where something else is at fault, so that they are not unknown.
    let _known = (table.place("value"), table.place("to"));
    table.finish();
    let granted = SecretGrant::new(from?, usage?);
    granted.map_err(|error| reader.invalid(span, "from", Invalid::from(error))).ok()
}

fn header(table: &Section<'_, '_>) -> Option<SecretUse> {
    let name = table.parsed("header", "authorization", SecretHeader::parse_name);
    let to = table.parsed("to", "https://api.example.com", Origin::parse);
    if table.place("to").is_none() {
        table.missing("to", "write to = \"https://api.example.com\", the one place that it goes to");
    }
    let template = match table.place("value") {
        Some(_) => table.parsed("value", "Bearer {}", Template::parse)?,
        None => Template::default(),
    };
    Some(SecretUse::Header(SecretHeader { name: name?, template, to: to? }))
}

fn variable_of_guest(table: &Section<'_, '_>) -> Option<SecretUse> {
    for key in ["value", "to"] {
        if let Some(at) = table.place(key) {
            let why =
                Invalid::new("a variable goes to the guest as it is").hint("remove it; it is for `header`");
            table.reader.invalid(at, key, why);
        }
    }
    let name = table.text("env", "PGPASSWORD")?;
    Some(SecretUse::Env(name.into_inner()))
}

fn source(text: &str, reader: &Reader<'_>, base: &Path) -> Result<SecretSource, Invalid> {
    match text.split_once(':') {
        Some(("env", name)) if !name.is_empty() => variable(name, reader),
        Some(("file", path)) if !path.is_empty() => reader.path(path, base).map(SecretSource::file),
        // What stands here instead may be the secret itself, so it is not repeated.
        _ => Err(Invalid::new("it is neither env:NAME nor file:PATH")
            .hint("write from = \"env:API_TOKEN\" or from = \"file:/run/secrets/token\"")),
    }
}

fn variable(name: &str, reader: &Reader<'_>) -> Result<SecretSource, Invalid> {
    match reader.variable(name) {
        Some(value) => {
            let (name, value) = (name.to_owned(), Secret::from(value));
            Ok(SecretSource::Env { name, value })
        }
        None => Err(Invalid::new(format!("the environment has no variable `{}`", name.escape_debug()))
            .hint("set it for the gateway, or take the secret from a file: from = \"file:PATH\"")),
    }
}
