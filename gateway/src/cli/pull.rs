//! `toolgate pull`: brings a component into the state directory, verified.

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;
use toolgate_runtime::artifact::{Artifacts, Reference};
use tracing::Level;

use super::context::{Context, start_log};
use super::failure::Failure;
use super::output::{self, human_size, human_time};
use super::progress;

/// Fetch a component and keep it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  toolgate pull oci://ghcr.io/acme/clock:1.2
  toolgate pull oci-layout:registry:clock --output clock.wasm

The [registries] of the config apply where there is one.")]
pub(super) struct Pull {
    /// oci://HOST/REPOSITORY:TAG, oci-layout:DIR:TAG or file:PATH
    #[arg(value_name = "REF")]
    reference: String,
    /// Write the component to this file too
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print digests and size as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    reference: String,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_digest: Option<String>,
    size: usize,
}

impl Pull {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let reference = reference(&self.reference)?;
        start_log(None, Level::WARN)?;
        let artifacts = Artifacts::open(context.artifacts()?).map_err(|error| failed(&error))?;
        progress::line(&format!("fetching {reference}"));
        let since = Instant::now();
        let artifact = artifacts.fetch(&reference).await.map_err(|error| failed(&error))?;
        for note in &artifact.notes {
            progress::line(&format!("warning: {note}"));
        }
        progress::line(&format!(
            "{} in {}",
            human_size(artifact.bytes.len() as u64),
            human_time(since.elapsed())
        ));
        if let Some(path) = &self.output {
            std::fs::write(path, &artifact.bytes)
                .map_err(|error| Failure::new(format!("cannot write {}", path.display())).because(&error))?;
        }
        let report = Report {
            reference: reference.to_string(),
            digest: artifact.digest.to_string(),
            manifest_digest: artifact.manifest_digest.map(|digest| digest.to_string()),
            size: artifact.bytes.len(),
        };
        if self.json {
            return output::json(&report);
        }
        let mut rows = vec![vec!["component".to_owned(), report.digest]];
        rows.extend(report.manifest_digest.map(|digest| vec!["manifest".to_owned(), digest]));
        output::text(&output::table(&rows))
    }
}

/// Reads a reference of the command line.
pub(super) fn reference(text: &str) -> Result<Reference, Failure> {
    text.parse().map_err(|error: toolgate_runtime::artifact::ReferenceError| {
        let failure = Failure::usage(format!("`{}` is not a reference: {}", error.reference, error.cause));
        failure.hint_if_any(error.hint.map(|hint| format!("write {hint}")))
    })
}

/// An artifact that can't be had, with what to change.
pub(super) fn failed(error: &toolgate_runtime::artifact::ArtifactError) -> Failure {
    Failure::of(error).hint_if_any(error.hint())
}
