//! `toolgate call`: one call of one tool, through the same pipeline as any client's.
//!
//! Only the server of the tool is resolved. The result goes to stdout, what the call used to
//! stderr.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, IsTerminal, Read};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use toolgate_runtime::sandbox::{CallError, Content, Outcome, Questions};
use tracing::Level;

use super::context::{self, Context, Resolved, Setup, start_log};
use super::failure::Failure;
use super::output::{self, human_size, human_time};
use super::progress;
use crate::auth::Principal;
use crate::catalog::{SEPARATOR, Server, ServerState, View, Wanted};
use crate::config::Config;
use crate::error::Error;
use crate::gateway::{Gateway, GatewaySettings};
use crate::pipeline::{self, Completed};

/// Bytes of arguments. Against a pipe that never ends.
const MAX_ARGUMENTS: u64 = 64 * 1024 * 1024;

/// Call one tool and print its result
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  toolgate call clock__now '{\"zone\": \"Europe/Berlin\"}'
  toolgate call clock now @arguments.json
  echo '{}' | toolgate call clock now -

Arguments are a JSON object: as text, @FILE, or - for stdin; {} without one.")]
pub(super) struct Call {
    /// SERVER__TOOL, or SERVER and TOOL, and then the arguments
    #[arg(value_name = "TOOL [JSON]", required = true, num_args = 1..=3)]
    words: Vec<String>,
    /// Print result and usage as JSON
    #[arg(long)]
    json: bool,
}

/// What is to be called.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    server: String,
    tool: String,
    arguments: Option<String>,
}

impl Call {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let target = Target::parse(&self.words)?;
        let arguments = arguments(target.arguments.as_deref())?;
        let mut config = context.config()?;
        start_log(config.gateway.log, Level::WARN)?;
        let server = config.servers.remove(&target.server).ok_or_else(|| unknown_server(&target, &config))?;
        let Resolved { assembled, catalog, notes } =
            context::resolve(context, Setup::brief(&config), vec![server]).await?;
        for note in notes.iter().chain(assembled.iter().flat_map(|server| &server.notes)) {
            progress::line(&format!("warning: {note}"));
        }
        if let Some(Err(error)) = assembled.first().map(|server| &server.result) {
            let failure = Failure::new(format!("server {} is unavailable", target.server)).because(error);
            return Err(failure.hint_if_any(error.hint()));
        }
        let gateway = Gateway::new(catalog, GatewaySettings::default());
        let view = View::One(target.server.as_str().into());
        let call = pipeline::Call::new(view, Wanted::Tool(target.tool.clone()), arguments);
        match pipeline::call(&gateway, &Principal::local(), call).await {
            Ok(completed) => self.print(completed),
            Err(error) => Err(refused(&gateway, &target, &error)),
        }
    }

    fn print(&self, Completed { result, usage }: Completed) -> Result<(), Failure> {
        let result = result.and_then(answered);
        if self.json {
            let said = result.as_ref().ok().map(Said::by);
            let report = Report {
                is_error: result.as_ref().map_or(true, |outcome| outcome.is_error),
                text: said.as_ref().map(|said| &*said.text),
                structured: said.as_ref().and_then(|said| said.structured),
                result: said.as_ref().and_then(|said| said.message),
                error: result
                    .as_ref()
                    .err()
                    .map(|error| ErrorReport { code: error.code(), message: error.to_string() }),
                usage: usage.map(Usage::of),
            };
            let failed = report.is_error;
            output::json(&report)?;
            return if failed { Err(Failure::silent()) } else { Ok(()) };
        }
        if let Some(usage) = usage {
            let time = human_time(usage.wall);
            let memory = usage.memory_peak.map_or_else(|| "not known".to_owned(), human_size);
            let (bytes_in, bytes_out) = (human_size(usage.bytes_in), human_size(usage.bytes_out));
            let fuel = usage.fuel.map_or_else(|| "not metered".to_owned(), |fuel| fuel.to_string());
            progress::line(&format!("{time}, fuel {fuel}, memory {memory}, {bytes_in} in, {bytes_out} out"));
        }
        match result {
            Ok(outcome) => {
                let said = Said::by(&outcome).text;
                let newline = if said.ends_with('\n') { "" } else { "\n" };
                let text = format!("{said}{newline}");
                output::text(&if io::stdout().is_terminal() { output::plain(&text) } else { text })?;
                if outcome.is_error { Err(Failure::new("the tool answered with an error")) } else { Ok(()) }
            }
            Err(error) => Err(Failure::new(&error)),
        }
    }
}

/// A tool that asks has nobody to ask here.
fn answered(outcome: Outcome) -> Result<Outcome, CallError> {
    let Content::Questions(Questions { requests, .. }) = &outcome.content else { return Ok(outcome) };
    let message = format!("it asks its client, call it through one that can be asked: {requests}");
    Err(CallError::Refused { code: -32603, message, data: None })
}

/// What a tool said, for people.
struct Said<'a> {
    text: Cow<'a, str>,
    structured: Option<&'a RawValue>,
    /// All of it, where it is more than a value.
    message: Option<&'a RawValue>,
}

/// What is read of a message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Vec<Part<'a>>,
    #[serde(borrow, default)]
    structured_content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

impl<'a> Said<'a> {
    fn by(outcome: &'a Outcome) -> Self {
        match &outcome.content {
            Content::Value { structured, text } => {
                let structured = structured.as_ref().and_then(|json| serde_json::from_str(json.get()).ok());
                Self { text: Cow::Borrowed(text), structured, message: None }
            }
            Content::Message(message) | Content::Questions(Questions { requests: message, .. }) => {
                match serde_json::from_str(message.get()) {
                    Ok(Message { content, structured_content }) => {
                        let parts = content.into_iter().map(|part| match part.text {
                            Some(text) => text.into_owned(),
                            None => format!("[{}]", part.kind),
                        });
                        let text = parts.collect::<Vec<_>>().join("\n").into();
                        Self { text, structured: structured_content, message: Some(message) }
                    }
                    Err(_) => Self { text: message.get().into(), structured: None, message: Some(message) },
                }
            }
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    is_error: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "structuredContent")]
    structured: Option<&'a RawValue>,
    /// Of a server that speaks MCP, its whole result.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

#[derive(Serialize)]
struct ErrorReport {
    code: &'static str,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_peak: Option<u64>,
    wall_micros: u64,
    bytes_in: u64,
    bytes_out: u64,
    backend: &'static str,
}

impl Usage {
    fn of(usage: toolgate_runtime::events::Usage) -> Self {
        Self {
            fuel: usage.fuel,
            memory_peak: usage.memory_peak,
            wall_micros: u64::try_from(usage.wall.as_micros()).unwrap_or(u64::MAX),
            bytes_in: usage.bytes_in,
            bytes_out: usage.bytes_out,
            backend: usage.backend.as_str(),
        }
    }
}

impl Target {
    fn parse(words: &[String]) -> Result<Self, Failure> {
        let usage =
            |what: String| Failure::usage(what).hint("toolgate call SERVER__TOOL '{\"key\": \"value\"}'");
        let (first, rest) = words.split_first().ok_or_else(|| usage("no tool is named".to_owned()))?;
        // No server has the separator in its name, so there is one way to read this.
        let (server, tool, rest) = match (first.split_once(SEPARATOR), rest) {
            (Some((server, tool)), rest) => (server, tool, rest),
            (None, [tool, rest @ ..]) => (first.as_str(), tool.as_str(), rest),
            (None, []) => return Err(usage(format!("`{first}` names no tool"))),
        };
        match rest {
            [] | [_] => Ok(Self {
                server: server.to_owned(),
                tool: tool.to_owned(),
                arguments: rest.first().cloned(),
            }),
            [_, extra, ..] => Err(usage(format!("`{extra}` is more than one JSON object"))),
        }
    }
}

fn arguments(given: Option<&str>) -> Result<Box<RawValue>, Failure> {
    let text = match given {
        None => "{}".to_owned(),
        Some("-") => read("stdin", io::stdin())?,
        Some(text) => match text.strip_prefix('@') {
            Some(path) => {
                let failed = |error: io::Error| Failure::usage(format!("cannot read {path}")).because(&error);
                read(path, File::open(path).map_err(failed)?)?
            }
            None => text.to_owned(),
        },
    };
    let hint = "write an object: '{\"key\": \"value\"}', @FILE, or - for stdin";
    let value: Box<RawValue> = serde_json::from_str(text.trim())
        .map_err(|error| Failure::usage("the arguments are not JSON").because(&error).hint(hint))?;
    if !value.get().starts_with('{') {
        return Err(Failure::usage("the arguments are not a JSON object").hint(hint));
    }
    Ok(value)
}

fn read(name: &str, source: impl Read) -> Result<String, Failure> {
    let mut text = String::new();
    let failed = |error: io::Error| Failure::usage(format!("cannot read {name}")).because(&error);
    source.take(MAX_ARGUMENTS + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_ARGUMENTS {
        return Err(Failure::usage(format!("{name} has more than {MAX_ARGUMENTS} bytes")));
    }
    Ok(text)
}

fn unknown_server(target: &Target, config: &Config) -> Failure {
    let failure = Failure::usage(format!("the config has no server `{}`", target.server));
    with_known(failure, &target.server, config.servers.keys().map(String::as_str))
}

fn refused(gateway: &Gateway, target: &Target, error: &Error) -> Failure {
    let catalog = gateway.catalog();
    let server = catalog.as_ref().and_then(|catalog| catalog.server(&target.server));
    match (error, server.map(|server| (server, server.state()))) {
        (Error::Unknown(_), Some((server, ServerState::Ready(_)))) => unknown_tool(target, server),
        (_, Some((_, ServerState::Unavailable(reason)))) => {
            Failure::new(format!("server {} is unavailable: {reason}", target.server))
        }
        _ => Failure::of(error),
    }
}

fn unknown_tool(target: &Target, server: &Server) -> Failure {
    let failure = Failure::usage(format!("server {} has no tool `{}`", target.server, target.tool));
    with_known(failure, &target.tool, server.tools().iter().map(|tool| tool.name.as_str()))
}

/// Adds the name that was likely meant, or all there are.
fn with_known<'a>(failure: Failure, name: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let known: Vec<_> = known.collect();
    if known.is_empty() {
        return failure;
    }
    failure.hint(crate::config::nearest(name, &known, "there are"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Option<(String, String, Option<String>)> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        Target::parse(&words).ok().map(|target| (target.server, target.tool, target.arguments))
    }

    fn target(server: &str, tool: &str, arguments: Option<&str>) -> Option<(String, String, Option<String>)> {
        Some((server.to_owned(), tool.to_owned(), arguments.map(str::to_owned)))
    }

    #[test]
    fn both_ways_to_name_a_tool_mean_the_same() {
        assert_eq!(parse(&["clock__now"]), target("clock", "now", None));
        assert_eq!(parse(&["clock", "now"]), target("clock", "now", None));
        assert_eq!(parse(&["clock__now", "{}"]), target("clock", "now", Some("{}")));
        assert_eq!(parse(&["clock", "now", "-"]), target("clock", "now", Some("-")));
        assert_eq!(parse(&["clock__a__b"]), target("clock", "a__b", None));
    }

    #[test]
    fn what_names_no_tool_is_refused() {
        assert_eq!(parse(&["clock"]), None);
        assert_eq!(parse(&["clock__now", "{}", "{}"]), None);
    }

    #[test]
    fn arguments_are_one_object() {
        assert!(arguments(None).is_ok_and(|value| value.get() == "{}"));
        assert!(arguments(Some(" {\"a\":1} ")).is_ok_and(|value| value.get() == "{\"a\":1}"));
        for wrong in ["", "[]", "1", "{", "{} {}", "@/no/such/file"] {
            assert!(arguments(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
