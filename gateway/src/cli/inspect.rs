//! `toolgate inspect`: what a component is, before it is given anything.
//!
//! It is compiled and looked at, never run. No config is needed; the name of a server stands for
//! the component that the config gives it, or for its image, see [`image`].

mod image;

use serde::Serialize;
use serde_json::value::RawValue;
use toolgate_runtime::artifact::Reference;
use toolgate_runtime::sandbox::Tool;
use toolgate_runtime::wasm::Inspection;
use tracing::Level;

use super::check::SkippedReport;
use super::context::{Context, Setup, start_log};
use super::failure::Failure;
use super::output::{self, human_size};
use super::progress;
use super::pull::reference;
use crate::config::{BackendChoice, Config, ServerConfig, is_server_name};

/// Show what a component offers and could be granted, or how an image is run
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  toolgate inspect file:clock.wasm
  toolgate inspect oci://ghcr.io/acme/clock:1.2 --json
  toolgate inspect clock                # a server of the config

Of a component, ends with the lines to paste into a config; nothing of it is run. The image of a server is
started as the config says, asked for its tools, and shown with all that its containers start with.")]
pub(super) struct Inspect {
    /// oci://HOST/REPOSITORY:TAG, oci-layout:DIR:TAG, file:PATH, or a server of the config
    #[arg(value_name = "REF|SERVER")]
    subject: String,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    reference: String,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_digest: Option<String>,
    size: u64,
    tools: Vec<ToolReport<'a>>,
    skipped: Vec<SkippedReport>,
    imports: &'a [String],
    /// Imports that keep it from being served.
    unprovided: &'a [String],
    /// The kinds of grant that it can make use of.
    grants: &'a [&'static str],
    /// Lines for a config.
    config: String,
    notes: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolReport<'a> {
    name: &'a str,
    function: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<&'a RawValue>,
}

impl Inspect {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        start_log(None, Level::WARN)?;
        let (name, reference) = match self.subject(context)? {
            Subject::Component(name, reference) => (name, reference),
            Subject::Image(config, server) => return image::run(context, &config, &server, self.json).await,
        };
        let assembler = Setup { artifacts: context.artifacts()?, ..Setup::default() }.assembler(context)?;
        progress::shown()(&name, crate::assemble::Step::Pulling(&reference));
        let (artifact, inspection) = assembler.inspect(&reference).await.map_err(|error| {
            let failure = Failure::new(format!("cannot inspect {reference}")).because(&error);
            failure.hint_if_any(error.hint())
        })?;
        let report = Report {
            reference: reference.to_string(),
            digest: inspection.digest.to_string(),
            manifest_digest: artifact.manifest_digest.map(|digest| digest.to_string()),
            size: inspection.size,
            tools: tools(&inspection),
            skipped: skipped(&inspection),
            imports: &inspection.imports,
            unprovided: &inspection.unprovided,
            grants: &inspection.grants,
            config: snippet(&name, &reference, &inspection.grants),
            notes: artifact.notes,
        };
        if self.json {
            return output::json(&report);
        }
        output::text(&output::plain(&render(&report)))
    }

    fn subject(&self, context: &Context) -> Result<Subject, Failure> {
        if !is_server_name(&self.subject) {
            let reference = reference(&self.subject)?;
            return Ok(Subject::Component(name_for(&reference), reference));
        }
        let mut config = context.config()?;
        let server = config.servers.remove(&self.subject).ok_or_else(|| {
            let known: Vec<_> = config.servers.keys().map(String::as_str).collect();
            Failure::usage(format!("the config has no server `{}`", self.subject))
                .hint(crate::config::nearest(&self.subject, &known, "there are"))
        })?;
        match server.component {
            Some(component) if server.backend != BackendChoice::Docker => {
                Ok(Subject::Component(server.name, component))
            }
            _ if server.container.is_some() => Ok(Subject::Image(Box::new(config), Box::new(server))),
            _ if server.is_built_in => {
                Err(Failure::new(format!("server {} is built in: there is nothing to inspect", server.name))
                    .hint(format!("toolgate list {}", server.name)))
            }
            _ if server.remote.is_some() => {
                Err(Failure::new(format!("server {} is elsewhere: there is nothing to inspect", server.name))
                    .hint(format!("toolgate list {}", server.name)))
            }
            _ => Err(Failure::new(format!("server {} has no component and no image", server.name))
                .hint("component = \"oci://REGISTRY/REPOSITORY:TAG\"")),
        }
    }
}

/// What is to be inspected.
enum Subject {
    /// A component, with a name for a server of it.
    Component(String, Reference),
    /// The image of a server, in its config.
    Image(Box<Config>, Box<ServerConfig>),
}

fn tools(inspection: &Inspection) -> Vec<ToolReport<'_>> {
    inspection.description.tools.iter().map(ToolReport::of).collect()
}

impl<'a> ToolReport<'a> {
    fn of(tool: &'a Tool) -> Self {
        Self {
            name: &tool.name,
            function: &tool.function,
            description: tool.description.as_deref(),
            input_schema: &tool.input_schema,
            output_schema: tool.output_schema.as_deref(),
        }
    }
}

fn skipped(inspection: &Inspection) -> Vec<SkippedReport> {
    inspection.description.skipped.iter().map(SkippedReport::of).collect()
}

fn render(report: &Report<'_>) -> String {
    let mut rows = vec![vec!["reference".to_owned(), report.reference.clone()]];
    let mut row = |title: &str, value: String| rows.push(vec![title.to_owned(), value]);
    row("digest", report.digest.clone());
    if let Some(manifest) = &report.manifest_digest {
        row("manifest", manifest.clone());
    }
    row("size", human_size(report.size));
    for (i, import) in report.imports.iter().enumerate() {
        row(if i == 0 { "imports" } else { "" }, import.clone());
    }
    for note in &report.notes {
        row("note", note.clone());
    }
    let mut text = output::table(&rows);
    tool_lines(&mut text, &report.tools, &report.skipped);
    for import in report.unprovided {
        text.push_str(&format!("\ncannot be served: {import}\n"));
    }
    text.push_str(&format!("\n{}", report.config));
    text
}

fn tool_lines(text: &mut String, tools: &[ToolReport<'_>], skipped: &[SkippedReport]) {
    for tool in tools {
        text.push_str(&format!("\ntool {}  ({})\n", tool.name, tool.function));
        for line in tool.description.unwrap_or_default().lines() {
            text.push_str(&format!("  {line}\n"));
        }
        text.push_str(&format!("  arguments  {}\n", tool.input_schema));
        text.push_str(&format!("  result     {}\n", tool.output_schema.map_or("none", RawValue::get)));
    }
    for skipped in skipped {
        text.push_str(&format!("\nnot a tool: {}\n  {}\n", skipped.function, skipped.reason));
    }
}

/// A server for the config, with every grant that the component can make use of shut.
fn snippet(name: &str, reference: &Reference, grants: &[&'static str]) -> String {
    let component = toml::Value::String(reference.to_string());
    let mut text = format!("[servers.{name}]\ncomponent = {component}\n");
    if grants.is_empty() {
        text.push_str("# It imports nothing that needs a grant.\n");
        return text;
    }
    text.push_str(&format!("\n[servers.{name}.grants]\n"));
    text.push_str("# What it can make use of. Open what its work needs, and no more.\n");
    for grant in grants {
        let line = match *grant {
            "http" => "http = [\"GET https://api.example.com/v1/*\"]",
            "tcp" => "tcp = [\"db.internal:5432\"]",
            "files" => "files = [{ host = \"./data\", guest = \"/data\", mode = \"ro\" }]",
            "env" => "env = { NAME = \"value\" }",
            other => other,
        };
        text.push_str(&format!("# {line}\n"));
    }
    text
}

/// A server name from the end of a reference: `oci://ghcr.io/acme/clock:1.2` is `clock`.
fn name_for(reference: &Reference) -> String {
    let end = match reference {
        Reference::Oci(oci) => oci.repository().rsplit('/').next().map(str::to_owned),
        Reference::Layout(layout) => layout.tag().map(str::to_owned),
        Reference::File(path) => path.file_stem().map(|stem| stem.to_string_lossy().into_owned()),
    };
    let lower = end.unwrap_or_default().to_ascii_lowercase();
    let name = lower.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let name: String = name.trim_matches('-').chars().take(32).collect();
    if is_server_name(&name) { name } else { "tool".to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_server_is_named_after_its_component() {
        let name = |text: &str| name_for(&text.parse().unwrap());
        assert_eq!(name("oci://ghcr.io/acme/web_fetch:1.2"), "web-fetch");
        assert_eq!(name("oci-layout:registry:clock"), "clock");
        assert_eq!(name("oci-layout:registry"), "tool");
        assert_eq!(name("file:/a/Clock.wasm"), "clock");
        assert_eq!(name("file:/a/__.wasm"), "tool");
    }

    #[test]
    fn the_lines_to_paste_are_a_config_that_grants_nothing() {
        let reference = "file:a\"b.wasm".parse().unwrap();
        let text = snippet("clock", &reference, &["env", "files", "http", "tcp"]);
        let no_env = |_: &str| None;
        let env = |name: &str| if name == "HOME" { Some("/".to_owned()) } else { no_env(name) };
        let config = Config::parse(&text, "x.toml".as_ref(), &env).unwrap();
        assert_eq!(config.servers["clock"].policy.grants, Default::default());
        let opened = text.replace("# http", "http").replace("# tcp", "tcp").replace("# files", "files");
        let opened = opened.replace("# env", "env");
        let config = Config::parse(&opened, "x.toml".as_ref(), &env).unwrap();
        let grants = &config.servers["clock"].policy.grants;
        assert_eq!((grants.http().len(), grants.tcp().len()), (1, 1));
        assert_eq!((grants.files().len(), grants.env().len()), (1, 1));
    }
}
