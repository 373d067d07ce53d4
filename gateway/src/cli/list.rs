//! `toolgate list`: the tools that clients see.

use serde::Serialize;
use serde_json::value::RawValue;
use tracing::Level;

use super::context::{self, Context, Resolved, Setup, start_log, view};
use super::failure::Failure;
use super::{output, progress};
use crate::catalog::{SEPARATOR, ServerState};

/// List the tools of all servers
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  toolgate list
  toolgate list --json | jq -r '.[].name'
  toolgate list --profile support")]
pub(super) struct List {
    /// Print names, descriptions and schemas as JSON
    #[arg(long)]
    json: bool,
    /// List the tools of this profile only
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolReport<'a> {
    name: String,
    server: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<&'a RawValue>,
}

impl List {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let config = context.config()?;
        start_log(config.gateway.log, Level::WARN)?;
        let (setup, view) = (Setup::brief(&config), view(&config, self.profile.as_deref())?);
        let servers = config.servers.into_values().collect();
        let Resolved { catalog, .. } = context::resolve(context, setup, servers).await?;
        let mut tools = Vec::new();
        for server in catalog.servers().iter().filter(|server| catalog.shows(&view, server.name())) {
            if let ServerState::Unavailable(reason) = server.state() {
                progress::line(&format!("warning: server {} is unavailable: {reason}", server.name()));
            }
            let named = server
                .tools()
                .iter()
                .map(|tool| (format!("{}{SEPARATOR}{}", server.name(), tool.name), tool));
            let shown = named.filter(|(name, _)| catalog.shows_tool(&view, name));
            tools.extend(shown.map(|(name, tool)| ToolReport {
                name,
                server: server.name(),
                description: tool.description.as_deref(),
                input_schema: &tool.input_schema,
                output_schema: tool.output_schema.as_deref(),
            }));
        }
        if self.json {
            return output::json(&tools);
        }
        let row = |tool: &ToolReport<'_>| vec![tool.name.clone(), first_line(tool.description)];
        output::text(&output::plain(&output::table(&tools.iter().map(row).collect::<Vec<_>>())))
    }
}

/// What a list has room for.
pub(super) fn first_line(description: Option<&str>) -> String {
    description.and_then(|text| text.lines().next()).unwrap_or_default().to_owned()
}
