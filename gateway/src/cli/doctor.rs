//! `toolgate doctor`: what this machine gives, and what follows from it.
//!
//! For whoever wonders why calls are slow, or why they are turned away: each row is a fact, and
//! where it costs something, what would change it. Fails only if nothing could be served.

use std::time::Instant;

use serde::Serialize;
use toolgate_runtime::host::{Host, MemorySource};
use toolgate_runtime::scheduler::Scheduler;
use toolgate_runtime::wasm::{EngineOptions, Reset};
use tracing::Level;

use super::context::{Context, Setup, env, start_log};
use super::failure::Failure;
use super::output::{self, human_size};
use crate::assemble::Assembler;
use crate::config::{self, AdmissionConfig, Config, DockerConfig};

/// Show what this machine gives to calls, and what is in the way
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  toolgate doctor
  toolgate doctor --json | jq '.[] | select(.state != \"ok\")'

Fails if nothing could be served on this machine.")]
pub(super) struct Doctor {
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// One fact.
#[derive(Serialize)]
struct Finding {
    what: &'static str,
    state: State,
    fact: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// It works, and costs time or room.
    Costs,
    Fault,
}

impl Finding {
    fn ok(what: &'static str, fact: String) -> Self {
        Self { what, state: State::Ok, fact, hint: None }
    }

    fn costs(what: &'static str, fact: String, hint: &str) -> Self {
        Self { what, state: State::Costs, fact, hint: Some(hint.to_owned()) }
    }
}

impl Doctor {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        start_log(None, Level::WARN)?;
        let host = Host::read();
        let config = context.optional_config()?;
        let findings = examine(context, &host, config.as_ref()).await?;
        if self.json {
            output::json(&findings)?;
        } else {
            output::text(&output::plain(&shown(&findings)))?;
        }
        match findings.iter().any(|finding| finding.state == State::Fault) {
            true => Err(Failure::silent()),
            false => Ok(()),
        }
    }
}

async fn examine(context: &Context, host: &Host, config: Option<&Config>) -> Result<Vec<Finding>, Failure> {
    let setup = match config {
        Some(config) => Setup::of(config),
        None => Setup {
            artifacts: config::default_artifacts(&env),
            docker: DockerConfig::of_environment(&env),
            ..Setup::default()
        },
    };
    let images = config.is_some_and(|config| {
        config.servers.values().any(|server| server.container.is_some() || server.is_built_in)
    });
    let (dir, admission) = (setup.artifacts.state_dir.clone(), setup.admission);
    let assembler = setup.assembler(context)?;
    let state = match (assembler.notes(), dir) {
        ([], Some(dir)) => Finding::ok("state directory", dir.display().to_string()),
        (notes, _) => Finding::costs(
            "state directory",
            notes.join("; "),
            "every start compiles all components anew; set state-dir in [gateway]",
        ),
    };
    let options = assembler.engine().options();
    let metering = format!("by {}", options.metering.as_str());
    Ok(vec![
        memory(host, &admission),
        processors(host, options),
        mappings(host, options),
        instances(options),
        Finding::ok("metering", metering),
        compiler(&assembler).await,
        containers(&assembler, images).await,
        state,
    ])
}

/// Whether images can be run, and whether the config has any.
async fn containers(assembler: &Assembler, images: bool) -> Finding {
    match assembler.look_for_engine().await {
        Ok((address, about)) => Finding::ok(
            "containers",
            format!("by engine {} ({}) at {address}", about.version, about.architecture),
        ),
        Err(error) if images => {
            let hint = "servers that are images alone are unavailable here; start an engine, or set host in [docker]";
            Finding::costs("containers", error.to_string(), hint)
        }
        Err(_) => {
            Finding::ok("containers", "no engine answers, and no server of the config is an image".to_owned())
        }
    }
}

fn memory(host: &Host, admission: &AdmissionConfig) -> Finding {
    let capacity = admission.capacity(host);
    let (all, calls) = (human_size(host.memory), human_size(capacity.memory()));
    let source = match &host.memory_from {
        MemorySource::Cgroup(file) => format!("by {}", file.display()),
        MemorySource::Machine => "of the machine".to_owned(),
        MemorySource::Unknown => {
            let fact = format!("unknown, so {all} are assumed; calls take up to {calls} together");
            return Finding::costs("memory", fact, "set memory in [admission]");
        }
    };
    Finding::ok("memory", format!("{all} {source}; calls take up to {calls} together"))
}

/// They decide on threads alone: the pool has a slot for each call in flight, and most of these wait.
fn processors(host: &Host, options: &EngineOptions) -> Finding {
    let fact = format!(
        "{}: {} threads for the event loop, {} long calls and {} compilations at a time",
        host.processors,
        super::workers_for(host.processors),
        Scheduler::threads_for(host.processors),
        options.compile_concurrency
    );
    Finding::ok("processors", fact)
}

fn mappings(host: &Host, options: &EngineOptions) -> Finding {
    let fact = format!("vm.max_map_count is {}", host.mappings);
    if options.pool.slots == 0 {
        return Finding::costs("memory mappings", fact, "raise it, by `sysctl vm.max_map_count=262144`");
    }
    Finding::ok("memory mappings", fact)
}

fn instances(options: &EngineOptions) -> Finding {
    let fact = options.pool.to_string();
    match &options.pool.reset {
        _ if options.pool.slots == 0 => {
            Finding::costs("instances", fact, "a pool needs address space: raise `ulimit -v`")
        }
        Reset::Written => Finding::ok("instances", fact),
        Reset::All(_) => Finding::costs(
            "instances",
            fact,
            "calls start faster without swap: run where there is none, or under memory.swap.max=0",
        ),
    }
}

async fn compiler(assembler: &Assembler) -> Finding {
    let since = Instant::now();
    match assembler.engine().check_compiler().await {
        Ok(()) => {
            let millis = since.elapsed().as_millis();
            Finding::ok("compiler", format!("works, in a process of its own, which starts in {millis} ms"))
        }
        Err(error) => Finding { what: "compiler", state: State::Fault, fact: error.to_string(), hint: None },
    }
}

fn shown(findings: &[Finding]) -> String {
    let mut rows = Vec::new();
    for finding in findings {
        let state = match finding.state {
            State::Ok => "ok",
            State::Costs => "costs",
            State::Fault => "fault",
        };
        rows.push(vec![state.to_owned(), finding.what.to_owned(), finding.fact.clone()]);
        if let Some(hint) = &finding.hint {
            rows.push(vec![String::new(), String::new(), format!("hint: {hint}")]);
        }
    }
    output::table(&rows)
}

#[cfg(test)]
mod tests {
    use toolgate_runtime::host::Host;
    use toolgate_runtime::wasm::EngineOptions;

    use super::processors;

    #[test]
    fn threads_follow_the_processors_and_the_pool_does_not() {
        let of = |count| {
            let host = Host { processors: count, ..Host::read() };
            let options = EngineOptions::for_host(&host, 500);
            (processors(&host, &options).fact, options.pool)
        };
        let told = [1, 8].map(|count| of(count).0);
        assert_eq!(
            told,
            [
                "1: 2 threads for the event loop, 4 long calls and 2 compilations at a time",
                "8: 8 threads for the event loop, 16 long calls and 8 compilations at a time",
            ]
        );
        assert_eq!(of(1).1, of(64).1);
        assert_eq!(of(1).1.slots, 500);
    }
}
