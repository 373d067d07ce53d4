//! `toolgate key new`: makes an API key, and the lines of the config that admit it.
//!
//! The key itself is shown once and kept nowhere.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::failure::Failure;
use super::output;
use super::progress;
use crate::auth::ApiKey;
use crate::config;

/// Make API keys
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  toolgate key new ann --owner ann@example.com --server fetch --server notes >> toolgate.toml")]
pub(super) struct Key {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(New),
}

/// Make a key, and the lines of the config that admit whoever has it
///
/// The lines go to stdout, to be appended to the config; the key goes to stderr, to be handed to its
/// owner. It is kept nowhere: of the config nobody can tell it, and who loses it needs a new one.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  toolgate key new ann --owner ann@example.com --server fetch --server notes >> toolgate.toml
  toolgate key new ci --server '*' --json")]
struct New {
    /// Names the key in the config: A-Z, a-z, 0-9, `-` and `_`
    #[arg(value_name = "NAME")]
    name: String,
    /// Whom the records of calls are to name [default: NAME]
    #[arg(long)]
    owner: Option<String>,
    /// A server that it opens, or `*` for all; may be given more than once
    #[arg(long = "server", value_name = "SERVER", required = true)]
    servers: Vec<String>,
    /// Print the key and all else as JSON, on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    name: String,
    key: String,
    hash: String,
    owner: String,
    servers: Vec<String>,
}

impl Key {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Command::New(new) = self.command;
        new.run()
    }
}

impl New {
    fn run(self) -> Result<(), Failure> {
        let key = ApiKey::generate()
            .map_err(|error| Failure::new("the system has no random bytes").because(&error))?;
        let (hash, owner) = (key.hash().to_string(), self.owner.unwrap_or_else(|| self.name.clone()));
        let lines = config::key_section(&self.name, &hash, &owner, &self.servers)
            .map_err(|reason| Failure::usage("the key would not be valid in a config").because(&*reason))?;
        if self.json {
            let (name, servers, key) = (self.name, self.servers, key.expose().to_owned());
            return output::json(&Report { name, key, hash, owner, servers });
        }
        output::text(&lines)?;
        progress::line(&format!("key: {}", key.expose()));
        progress::line("note: it is not shown again; clients send it as `Authorization: Bearer KEY`");
        Ok(())
    }
}
