//! `toolgate check`: what every server of the config resolves to.
//!
//! The one place, besides the log, that shows why a server is unavailable. Fails if one is.

use serde::Serialize;
use toolgate_runtime::limits::Limits;
use toolgate_runtime::policy::{Grants, SecretGrant};
use toolgate_runtime::sandbox::Skipped;
use tracing::Level;

use super::context::{self, Context, Resolved, Setup, start_log};
use super::failure::Failure;
use super::output::{self, human_size};
use super::progress;
use super::serve::refuse_open_by_mistake;
use crate::assemble::Assembled;
use crate::auth::{Key, Servers};
use crate::catalog::{Catalog, SEPARATOR, Server, ServerState, View};
use crate::config::quantity::{show_duration, show_size};

/// Show what every server resolves to
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  toolgate check
  toolgate check --json | jq '.servers[] | select(.state != \"ready\")'

Fails if a server is unavailable, or if `serve` would not start.")]
pub(super) struct Check {
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    servers: Vec<ServerReport>,
    keys: Vec<KeyReport>,
    profiles: Vec<ProfileReport>,
    /// About the state directory.
    notes: Vec<String>,
}

/// Who may call over HTTP.
#[derive(Serialize)]
struct KeyReport {
    name: String,
    owner: String,
    /// `*` for all.
    servers: Vec<String>,
}

/// What is served at `/mcp/profile/NAME`.
#[derive(Serialize)]
struct ProfileReport {
    name: String,
    tools: Vec<String>,
    /// Names and patterns of its own that stand for no tool.
    vain: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServerReport {
    name: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact: Option<ArtifactReport>,
    tools: Vec<String>,
    skipped: Vec<SkippedReport>,
    grants: Vec<String>,
    limits: LimitsReport,
    notes: Vec<String>,
    millis: u128,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactReport {
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_digest: Option<String>,
    size: u64,
}

/// A function that is not a tool.
#[derive(Serialize)]
pub(super) struct SkippedReport {
    pub(super) function: String,
    pub(super) reason: String,
}

impl SkippedReport {
    pub(super) fn of(skipped: &Skipped) -> Self {
        Self { function: skipped.function.clone(), reason: skipped.reason.clone() }
    }
}

#[derive(Serialize)]
struct LimitsReport {
    fuel: u64,
    memory: String,
    deadline: String,
    output: String,
    stdio: String,
    instances: u32,
    tables: u32,
    memories: u32,
    handles: u32,
    concurrency: u32,
}

impl Check {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let config = context.config()?;
        start_log(config.gateway.log, Level::WARN)?;
        let (setup, open) = (Setup::brief(&config), refuse_open_by_mistake(&config));
        let keys = config.keys.iter().map(key).collect();
        let profiles: Vec<String> = config.profiles.keys().cloned().collect();
        let servers = config.servers.into_values().collect();
        let Resolved { assembled, catalog, notes } = context::resolve(context, setup, servers).await?;
        let pairs = assembled.iter().zip(catalog.servers());
        let servers = pairs.map(|(a, server)| describe(a, server)).collect();
        let profiles = profiles.into_iter().map(|name| profile(name, &catalog)).collect();
        let report = Report { servers, keys, profiles, notes };
        let unavailable = report.servers.iter().filter(|server| server.state != "ready").count();
        if self.json {
            output::json(&report)?;
        } else {
            output::text(&output::plain(&render(&report)))?;
        }
        if report.servers.is_empty() {
            progress::line("warning: the config has no [servers.NAME]: there is nothing to serve");
        }
        match unavailable {
            0 => open,
            n => Err(Failure::new(format!("{n} of {} servers unavailable", report.servers.len()))),
        }
    }
}

fn key(key: &Key) -> KeyReport {
    let servers = match &key.servers {
        Servers::All => vec!["*".to_owned()],
        Servers::Only(names) => names.iter().cloned().collect(),
    };
    KeyReport { name: key.name.clone(), owner: key.owner.clone(), servers }
}

fn profile(name: String, catalog: &Catalog) -> ProfileReport {
    let view = View::Profile(name.as_str().into());
    let shown = catalog.servers().iter().filter(|server| catalog.shows(&view, server.name()));
    let tools = shown.flat_map(|server| {
        server.tools().iter().map(|tool| format!("{}{SEPARATOR}{}", server.name(), tool.name))
    });
    let tools = tools.filter(|tool| catalog.shows_tool(&view, tool)).collect();
    let vain = catalog.vain().filter(|(profile, _)| *profile == name).map(|(_, pattern)| pattern.to_owned());
    ProfileReport { vain: vain.collect(), tools, name }
}

fn describe(assembled: &Assembled, server: &Server) -> ServerReport {
    let description = server.sandbox().map(|sandbox| sandbox.describe());
    let tools = server.tools().iter().map(|tool| format!("{}{SEPARATOR}{}", server.name(), tool.name));
    let skipped = description.into_iter().flat_map(|description| &description.skipped);
    let (state, reason) = match server.state() {
        ServerState::Ready(_) => ("ready", None),
        ServerState::Unavailable(reason) => ("unavailable", Some(reason.clone())),
    };
    ServerReport {
        name: server.name().to_owned(),
        state,
        reason,
        hint: assembled.result.as_ref().err().and_then(|error| error.hint()),
        source: server.source().to_owned(),
        artifact: assembled.artifact.as_ref().map(|found| ArtifactReport {
            digest: found.digest.to_string(),
            manifest_digest: found.manifest_digest.as_ref().map(ToString::to_string),
            size: found.size,
        }),
        tools: tools.collect(),
        skipped: skipped.map(SkippedReport::of).collect(),
        grants: grants(&assembled.config.policy.grants),
        limits: limits(&assembled.config.policy.limits),
        notes: assembled.notes.clone(),
        millis: assembled.elapsed.as_millis(),
    }
}

/// One line for each grant; of the environment only names, since values may be secrets.
fn grants(grants: &Grants) -> Vec<String> {
    let engine = grants.engine().iter().map(|view| format!("docker {view}"));
    let http = grants.http().iter().map(|grant| format!("http {grant}"));
    let tcp = grants.tcp().iter().map(|grant| format!("tcp {grant}"));
    let files = grants.files().iter().map(|grant| {
        let max = grant.max().map_or_else(String::new, |max| format!(", at most {}", show_size(max)));
        format!("files {} as {} ({}{max})", grant.host().display(), grant.guest(), grant.mode().as_str())
    });
    let env = grants.env().keys().map(|name| format!("env {name}"));
    let secrets = grants.secrets().iter().map(|grant| format!("secrets {grant} ({})", state(grant)));
    engine.chain(http).chain(tcp).chain(files).chain(env).chain(secrets).collect()
}

/// Whether a secret can be had now.
fn state(grant: &SecretGrant) -> String {
    grant.read().map_or_else(|error| error.to_string(), |_| "set".to_owned())
}

fn limits(limits: &Limits) -> LimitsReport {
    LimitsReport {
        fuel: limits.fuel,
        memory: show_size(limits.memory),
        deadline: show_duration(limits.deadline),
        output: show_size(limits.output),
        stdio: show_size(limits.stdio),
        instances: limits.instances,
        tables: limits.tables,
        memories: limits.memories,
        handles: limits.handles,
        concurrency: limits.concurrency,
    }
}

fn render(report: &Report) -> String {
    let mut text = String::new();
    for (i, server) in report.servers.iter().enumerate() {
        if i > 0 {
            text.push('\n');
        }
        let mut rows = vec![vec![server.name.clone(), format!("{}  {}", server.state, server.source)]];
        let mut row = |title: &str, value: String| rows.push(vec![format!("  {title}"), value]);
        if let Some(reason) = &server.reason {
            row("reason", reason.clone());
        }
        if let Some(hint) = &server.hint {
            row("hint", hint.clone());
        }
        if let Some(artifact) = &server.artifact {
            row("digest", format!("{} ({})", artifact.digest, human_size(artifact.size)));
        }
        let limits = &server.limits;
        if server.state == "ready" {
            titled(&mut row, "tools", &server.tools);
        }
        for skipped in &server.skipped {
            row("skipped", format!("{}: {}", skipped.function, skipped.reason));
        }
        titled(&mut row, "grants", &server.grants);
        row(
            "limits",
            format!(
                "fuel {}, memory {}, deadline {}, output {}, stdio {}, concurrency {}",
                limits.fuel, limits.memory, limits.deadline, limits.output, limits.stdio, limits.concurrency
            ),
        );
        for note in &server.notes {
            row("note", note.clone());
        }
        text.push_str(&output::table(&rows));
    }
    if !report.keys.is_empty() {
        let rows = report.keys.iter().map(|key| {
            let servers = format!("opens {}", key.servers.join(", "));
            vec![format!("key {}", key.name), key.owner.clone(), servers]
        });
        text.push_str(&format!("\n{}", output::table(&rows.collect::<Vec<_>>())));
    }
    for profile in &report.profiles {
        let mut rows =
            vec![vec![format!("profile {}", profile.name), format!("/mcp/profile/{}", profile.name)]];
        let mut row = |title: &str, value: String| rows.push(vec![format!("  {title}"), value]);
        titled(&mut row, "tools", &profile.tools);
        for pattern in &profile.vain {
            row("note", format!("`{pattern}` names no tool"));
        }
        text.push_str(&format!("\n{}", output::table(&rows)));
    }
    for note in &report.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

/// The title in front of the first line only.
fn titled(row: &mut impl FnMut(&str, String), title: &str, lines: &[String]) {
    if lines.is_empty() {
        row(title, "none".to_owned());
    }
    for (i, line) in lines.iter().enumerate() {
        row(if i == 0 { title } else { "" }, line.clone());
    }
}
