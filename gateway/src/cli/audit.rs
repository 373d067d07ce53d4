//! `toolgate audit`: what could still be taken away from each server, with the line to change.
//!
//! It looks at the config alone, so it runs without a registry, an engine, or the servers.

use serde::Serialize;
use tracing::Level;

use super::context::{Context, start_log};
use super::failure::Failure;
use super::output;
use super::progress;
use crate::audit::{Finding, audit, score};
use crate::config::{Config, ServerConfig};

/// Score what each server of the config may do, and say what to change
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  toolgate audit
  toolgate audit fetch notes
  toolgate audit --at-least 80          # in CI: fails if a server has fewer points

A server begins with 100 points. A finding costs 30 if it is high, 10 if medium, 3 if low.")]
pub(super) struct Audit {
    /// Servers to look at [default: all]
    #[arg(value_name = "SERVER")]
    servers: Vec<String>,
    /// Fail if a server has fewer points
    #[arg(long, value_name = "POINTS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=100))]
    at_least: u32,
    /// Print everything as JSON
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
    source: String,
    score: u32,
    findings: Vec<Finding>,
}

impl Audit {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let config = context.config()?;
        start_log(config.gateway.log, Level::WARN)?;
        let servers = self.chosen(&config)?.into_iter().map(report).collect();
        let report = Report { servers };
        if self.json {
            output::json(&report)?;
        } else {
            output::text(&output::plain(&render(&report)))?;
        }
        if report.servers.is_empty() {
            progress::line("warning: the config has no [servers.NAME]: there is nothing to look at");
        }
        match report.servers.iter().filter(|server| server.score < self.at_least).count() {
            0 => Ok(()),
            n => Err(Failure::new(format!(
                "{n} of {} servers have fewer than {} points",
                report.servers.len(),
                self.at_least
            ))),
        }
    }

    fn chosen<'c>(&self, config: &'c Config) -> Result<Vec<&'c ServerConfig>, Failure> {
        if self.servers.is_empty() {
            return Ok(config.servers.values().collect());
        }
        let find = |name: &String| {
            let known = || config.servers.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            config.servers.get(name).ok_or_else(|| {
                Failure::usage(format!("the config has no server `{name}`"))
                    .hint(format!("it has: {}", known()))
            })
        };
        self.servers.iter().map(find).collect()
    }
}

fn report(server: &ServerConfig) -> ServerReport {
    let findings = audit(server);
    ServerReport { name: server.name.clone(), source: server.source(), score: score(&findings), findings }
}

fn render(report: &Report) -> String {
    let mut text = String::new();
    for (i, server) in report.servers.iter().enumerate() {
        if i > 0 {
            text.push('\n');
        }
        text.push_str(&format!("{}  {} of 100  {}\n", server.name, server.score, server.source));
        for Finding { severity, what, change } in &server.findings {
            text.push_str(&format!("  {:6}  {what}\n          change: {change}\n", severity.as_str()));
        }
        if server.findings.is_empty() {
            text.push_str("  nothing to change\n");
        }
    }
    text
}
