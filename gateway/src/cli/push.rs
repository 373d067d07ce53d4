//! `toolgate push`: publishes a component, so that a config can name it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Serialize;
use toolgate_runtime::artifact::Artifacts;
use toolgate_runtime::wit::docs;
use tracing::Level;

use super::context::{Context, start_log};
use super::failure::Failure;
use super::output::{self, human_size};
use super::progress;
use super::pull::{failed, reference};

/// Publish a component
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  toolgate push clock.wasm oci://ghcr.io/acme/clock:1.2 --wit wit
  toolgate push clock.wasm oci-layout:registry:clock

Compilers drop the doc comments of WIT files; --wit brings them back, as descriptions of tools
and parameters. The [registries] of the config apply where there is one.")]
pub(super) struct Push {
    /// The component
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// oci://HOST/REPOSITORY:TAG or oci-layout:DIR:TAG
    #[arg(value_name = "REF")]
    reference: String,
    /// Add the docs of this WIT directory or file to the component
    #[arg(long, value_name = "DIR")]
    wit: Option<PathBuf>,
    /// Print digests and size as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    reference: String,
    digest: String,
    manifest_digest: String,
    size: u64,
}

impl Push {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let reference = reference(&self.reference)?;
        start_log(None, Level::WARN)?;
        let options = context.artifacts()?;
        let mut wasm = read(&self.file, options.max_bytes)?;
        if let Some(wit) = &self.wit {
            wasm = docs::inject(&wasm, wit).map_err(|error| {
                Failure::new(format!("cannot add the docs of {}", wit.display())).because(&error)
            })?;
        }
        let artifacts = Artifacts::open(options).map_err(|error| failed(&error))?;
        progress::line(&format!("publishing {} as {reference}", human_size(wasm.len() as u64)));
        let pushed = artifacts.push(Bytes::from(wasm), &reference).await.map_err(|error| failed(&error))?;
        let report = Report {
            reference: pushed.reference.to_string(),
            digest: pushed.digest.to_string(),
            manifest_digest: pushed.manifest_digest.to_string(),
            size: pushed.size,
        };
        if self.json {
            return output::json(&report);
        }
        let rows = [
            ["component", &report.digest],
            ["manifest", &report.manifest_digest],
            ["pinned", &format!("{}@{}", report.reference, report.manifest_digest)],
        ];
        output::text(&output::table(&rows.map(|row| row.map(str::to_owned).to_vec())))
    }
}

fn read(path: &Path, max: u64) -> Result<Vec<u8>, Failure> {
    let failed =
        |error: std::io::Error| Failure::new(format!("cannot read {}", path.display())).because(&error);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > max {
        return Err(Failure::new(format!("{} is larger than {max} bytes", path.display()))
            .hint("raise max-size in [registries]"));
    }
    Ok(bytes)
}
