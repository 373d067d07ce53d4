//! `toolgate inspect SERVER` of one that is an image: started once, to be asked for its tools.

use serde::Serialize;
use toolgate_runtime::docker::{DockerServer, Fact};
use toolgate_runtime::sandbox::{Sandbox, Tool};

use super::{Context, Failure, Setup, SkippedReport, ToolReport, output, progress, tool_lines};
use crate::cli::output::human_size;
use crate::config::{Config, ServerConfig};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    image: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a str>,
    size: u64,
    /// What its containers start with.
    container: Vec<FactReport<'a>>,
    tools: Vec<ToolReport<'a>>,
    skipped: Vec<SkippedReport>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct FactReport<'a> {
    what: &'static str,
    value: &'a str,
}

impl<'a> FactReport<'a> {
    fn of(fact: &'a Fact) -> Self {
        Self { what: fact.what, value: &fact.value }
    }
}

/// Starts the image of a server and shows what is known of both.
pub(super) async fn run(
    context: &Context,
    config: &Config,
    server: &ServerConfig,
    json: bool,
) -> Result<(), Failure> {
    let assembler = Setup::brief(config).assembler(context)?;
    let started = assembler.start_image(server, &progress::shown()).await.map_err(|error| {
        Failure::new(format!("cannot inspect {}", server.name)).because(&error).hint_if_any(error.hint())
    })?;
    let report = Report::of(server, &started);
    if json { output::json(&report) } else { output::text(&output::plain(&report.render())) }
}

impl<'a> Report<'a> {
    fn of(server: &'a ServerConfig, started: &'a DockerServer) -> Self {
        let (image, description) = (started.image(), started.describe());
        let name = server.container.as_ref().map_or("", |container| container.image.as_str());
        let tools: &[Tool] = &description.tools;
        Self {
            image: name,
            id: &image.id,
            digest: image.digest.as_deref(),
            size: image.size,
            container: started.facts().iter().map(FactReport::of).collect(),
            tools: tools.iter().map(ToolReport::of).collect(),
            skipped: description.skipped.iter().map(SkippedReport::of).collect(),
            notes: notes(name, image.digest.as_deref()),
        }
    }

    fn render(&self) -> String {
        let mut rows = vec![vec!["image".to_owned(), self.image.to_owned()]];
        let mut row = |title: &str, value: String| rows.push(vec![title.to_owned(), value]);
        row("id", self.id.to_owned());
        row("digest", self.digest.unwrap_or("none: it was not pulled from a registry").to_owned());
        row("size", human_size(self.size));
        for FactReport { what, value } in &self.container {
            row(what, (*value).to_owned());
        }
        for note in &self.notes {
            row("note", note.clone());
        }
        let mut text = output::table(&rows);
        tool_lines(&mut text, &self.tools, &self.skipped);
        text
    }
}

/// What an operator may want to change.
fn notes(name: &str, digest: Option<&str>) -> Vec<String> {
    match digest {
        Some(digest) if !name.contains('@') => {
            vec![format!(
                "whoever may push to its registry can replace it; image = \"{digest}\" stays what it is"
            )]
        }
        _ => Vec::new(),
    }
}
