//! `toolgate import docker-catalog`: sections of our config from a catalog of Docker's MCP Toolkit.
//!
//! The sections go to stdout, to be appended to a config; what they leave out goes to stderr.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use toolgate_runtime::artifact::{Artifacts, Reference};
use tracing::Level;

use super::context::{Context, start_log};
use super::failure::Failure;
use super::output;
use super::progress;
use super::pull::{failed, reference};
use crate::config;
use crate::import::{ARTIFACT_TYPE, Catalog, Imported, MAX_BYTES, Values};

/// What a reference begins with.
const OCI: &str = "oci://";

/// Bytes of a hint; a catalog has hundreds of servers.
const MAX_HINT: usize = 400;

/// Make servers of the config from what others list
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Import {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    DockerCatalog(DockerCatalog),
}

const EXAMPLE: &str = "\
Example:
  toolgate import docker-catalog ~/.docker/mcp/catalogs/docker-mcp.yaml --servers git,fetch >> toolgate.toml
  toolgate import docker-catalog oci://REGISTRY/mcp/catalog:latest --values ~/.docker/mcp/config.yaml";

/// Make servers from a catalog of Docker's MCP Toolkit
///
/// The sections go to stdout. What can't be carried over, and what a server has there and not here, such as the
/// whole network, goes to stderr, a line each.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
struct DockerCatalog {
    /// A file in YAML or JSON, or oci://HOST/REPOSITORY:TAG
    #[arg(value_name = "FILE|REF")]
    catalog: String,
    /// Servers to take, by their names there [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    servers: Option<Vec<String>>,
    /// Values for what the catalog leaves open, as `{{git.paths}}`: a file in YAML, by server and name
    #[arg(long, value_name = "FILE")]
    values: Option<PathBuf>,
    /// Print sections and notes as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    servers: Vec<ServerReport>,
}

#[derive(Serialize)]
struct ServerReport {
    name: String,
    section: Option<String>,
    notes: Vec<String>,
}

impl Import {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let Command::DockerCatalog(command) = self.command;
        command.run(context).await
    }
}

impl DockerCatalog {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        start_log(None, Level::WARN)?;
        let text = self.text(context).await?;
        let catalog = Catalog::parse(&text)
            .map_err(|error| Failure::new(format!("{} is no catalog", self.catalog)).because(&error))?;
        self.check_servers(&catalog)?;
        let values = self.values()?;
        let imported = catalog.import(self.servers.as_deref(), &values);
        let is_none = imported.iter().all(|one| one.section.is_none());
        if self.json {
            let servers = imported.into_iter().map(report).collect();
            output::json(&Report { servers })?;
        } else {
            tell(&imported)?;
        }
        if is_none { Err(Failure::new("none of its servers can be served here")) } else { Ok(()) }
    }

    async fn text(&self, context: &Context) -> Result<String, Failure> {
        if !self.catalog.starts_with(OCI) {
            return read(Path::new(&self.catalog)).map_err(|failure| {
                failure.hint(format!("for one of a registry write {OCI}HOST/REPOSITORY:TAG"))
            });
        }
        let Reference::Oci(oci) = reference(&self.catalog)? else {
            return Err(Failure::usage(format!("{} is no reference of a registry", self.catalog)));
        };
        let artifacts = Artifacts::open(context.artifacts()?).map_err(|error| failed(&error))?;
        progress::line(&format!("fetching {oci}"));
        let bytes = artifacts.document(&oci, ARTIFACT_TYPE, MAX_BYTES).await.map_err(|e| failed(&e))?;
        String::from_utf8(bytes.into())
            .map_err(|error| Failure::new(format!("{oci} is no catalog")).because(&error))
    }

    fn check_servers(&self, catalog: &Catalog) -> Result<(), Failure> {
        let unknown = |name: &&String| !catalog.names().any(|known| known == name.as_str());
        match self.servers.iter().flatten().find(unknown) {
            None => Ok(()),
            Some(name) => {
                let known: Vec<&str> = catalog.names().collect();
                let mut hint = config::nearest(name, &known, "it has");
                hint.truncate(hint.floor_char_boundary(MAX_HINT));
                Err(Failure::usage(format!("the catalog has no server `{name}`")).hint(hint))
            }
        }
    }

    fn values(&self) -> Result<Values, Failure> {
        let Some(path) = &self.values else { return Ok(Values::default()) };
        Values::parse(&read(path)?)
            .map_err(|error| Failure::new(format!("{} holds no values", path.display())).because(&error))
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let cannot =
        |error: &std::io::Error| Failure::new(format!("cannot read {}", path.display())).because(error);
    let mut text = String::new();
    let file = File::open(path).map_err(|error| cannot(&error))?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| cannot(&error))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Failure::new(format!("{} is larger than {MAX_BYTES} bytes", path.display())));
    }
    Ok(text)
}

fn tell(imported: &[Imported]) -> Result<(), Failure> {
    let sections = imported.iter().filter_map(|one| one.section.as_deref());
    let sections: Vec<&str> = sections.collect();
    output::text(&sections.join("\n"))?;
    for Imported { entry, section, notes } in imported {
        if section.is_none() {
            progress::line(&format!("{entry}: left out"));
        }
        for note in notes {
            progress::line(&format!("{entry}: {note}"));
        }
    }
    Ok(())
}

fn report(Imported { entry, section, notes }: Imported) -> ServerReport {
    ServerReport { name: entry, section, notes }
}
