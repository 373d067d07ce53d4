//! From a catalog of Docker's MCP Toolkit to sections of our config.
//!
//! Pure: it reads text and writes text. What a catalog gives freely is not given here: a server there has the
//! whole network unless something is said, and here none. So whatever can't be carried over, or is narrower
//! here, is a note for the operator; nothing is dropped in silence.
//!
//! `catalog` the two forms of a catalog · `template` `{{…}}` in its values, filled in from `values` · `server`
//! one entry to a section · `section` the section as TOML.

mod catalog;
mod section;
mod server;
mod template;
mod values;

use std::path::Path;

pub use self::catalog::{ARTIFACT_TYPE, Catalog, CatalogError, MAX_BYTES};
pub use self::values::Values;
use crate::config::{Config, ConfigErrors, is_server_name};

/// What became of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Its name in the catalog.
    pub entry: String,
    /// Its section of our config, which is valid; `None` where there can't be one.
    pub section: Option<String>,
    /// What to know: what was left out or is narrower, and what to do about it.
    pub notes: Vec<String>,
}

impl Catalog {
    /// Makes a section of each entry that `chosen` names, or of all, in the order of their names.
    #[must_use]
    pub fn import(&self, chosen: Option<&[String]>, values: &Values) -> Vec<Imported> {
        let wanted = |name: &str| chosen.is_none_or(|chosen| chosen.iter().any(|one| one == name));
        let (as_they_are, others): (Vec<_>, Vec<_>) = self
            .entries
            .iter()
            .filter(|entry| wanted(&entry.name))
            .partition(|entry| is_server_name(&entry.name));
        // A name that is made must not take one that is there.
        let mut taken: Vec<String> = as_they_are.iter().map(|entry| entry.name.clone()).collect();
        let mut imported: Vec<Imported> =
            as_they_are.iter().map(|entry| check(server::import(entry, values, &[]))).collect();
        for entry in others {
            let drafted = server::import(entry, values, &taken);
            taken.extend(drafted.name.clone());
            imported.push(check(drafted));
        }
        imported.sort_by(|one, other| one.entry.cmp(&other.entry));
        imported
    }
}

/// The last wall: what our own reader refuses is told, and not written.
fn check(drafted: server::Drafted) -> Imported {
    let server::Drafted { entry, section, mut notes, .. } = drafted;
    let anything = |_: &str| Some("x".to_owned());
    let section = section.filter(|text| match Config::parse(text, Path::new("toolgate.toml"), &anything) {
        Ok(_) => true,
        Err(errors) => {
            notes.push(format!("it would be no valid section: {}", told(&errors)));
            false
        }
    });
    Imported { entry, section, notes }
}

fn told(errors: &ConfigErrors) -> String {
    let told: Vec<String> = errors.errors().iter().map(|error| error.problem.to_string()).collect();
    told.join("; ")
}

#[cfg(test)]
mod tests;
