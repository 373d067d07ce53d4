//! What an engine says, made into answers.

use std::time::{SystemTime, UNIX_EPOCH};

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::query_parameters::{
    InspectContainerOptions, ListImagesOptions, LogsOptionsBuilder, StatsOptionsBuilder,
};
use futures_util::StreamExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::name;
use super::offered::{FEW, Look, MANY};
use crate::docker::engine::DockerEngine;
use crate::docker::error::told;
use crate::sandbox::CallError;

/// Bytes of a log that are read. Against a container that prints without end.
const MAX_LOG: usize = 1024 * 1024;

/// Characters of an id that are enough to name it.
const SHORT: usize = 12;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    #[serde(default)]
    all: bool,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImageListing {
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfContainer {
    container: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfImage {
    image: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OfLog {
    container: String,
    tail: Option<u32>,
    since_seconds: Option<u32>,
    #[serde(default)]
    timestamps: bool,
}

/// Looks at an engine; the answer is an object.
pub(super) async fn ask(engine: &DockerEngine, look: Look, arguments: &str) -> Result<Value, CallError> {
    match look {
        Look::ListContainers => containers(engine, &read(arguments)?).await,
        Look::InspectContainer => {
            let OfContainer { container } = read(arguments)?;
            let name = name::container(&container)?;
            let found = engine.docker().inspect_container(name, None::<InspectContainerOptions>).await;
            without_values(found.map_err(failed)?)
        }
        Look::ListImages => images(engine, &read(arguments)?).await,
        Look::InspectImage => {
            let OfImage { image } = read(arguments)?;
            without_values(engine.docker().inspect_image(name::image(&image)?).await.map_err(failed)?)
        }
        Look::ContainerLogs => logs(engine, &read(arguments)?).await,
        Look::ContainerStats => {
            let OfContainer { container } = read(arguments)?;
            stats(engine, name::container(&container)?).await
        }
    }
}

fn read<T: DeserializeOwned>(arguments: &str) -> Result<T, CallError> {
    serde_json::from_str(arguments).map_err(|error| CallError::Arguments(error.to_string()))
}

fn limit(asked: Option<u32>) -> Result<usize, CallError> {
    let limit = asked.unwrap_or(FEW);
    if !(1..=MANY).contains(&limit) {
        return Err(CallError::Arguments(format!("{limit} is not from 1 to {MANY}")));
    }
    Ok(limit as usize)
}

/// What the engine would not tell, in its words: that there is no such container, most often.
fn failed(error: Error) -> CallError {
    match error {
        Error::DockerResponseServerError { status_code: 400..=499, .. } => CallError::Arguments(told(&error)),
        error => CallError::Unavailable(format!("the engine does not answer: {}", told(&error))),
    }
}

async fn containers(engine: &DockerEngine, asked: &Listing) -> Result<Value, CallError> {
    let limit = limit(asked.limit)?;
    let found = engine.containers(None, asked.all).await.map_err(failed)?;
    let shown = found.iter().take(limit).map(|one| {
        let names = one.names.iter().flatten().map(|name| name.trim_start_matches('/'));
        json!({
            "id": short(one.id.as_deref()),
            "names": names.collect::<Vec<_>>(),
            "image": one.image,
            "state": one.state,
            "status": one.status,
            "created": one.created,
            "command": one.command,
            "ports": one.ports,
        })
    });
    Ok(json!({ "containers": shown.collect::<Vec<_>>(), "more": found.len().saturating_sub(limit) }))
}

async fn images(engine: &DockerEngine, asked: &ImageListing) -> Result<Value, CallError> {
    let limit = limit(asked.limit)?;
    let found = engine.docker().list_images(None::<ListImagesOptions>).await.map_err(failed)?;
    let shown = found.iter().take(limit).map(|one| {
        json!({
            "id": short(Some(&one.id)),
            "tags": one.repo_tags,
            "digests": one.repo_digests,
            "size": one.size,
            "created": one.created,
        })
    });
    Ok(json!({ "images": shown.collect::<Vec<_>>(), "more": found.len().saturating_sub(limit) }))
}

fn short(id: Option<&str>) -> Option<String> {
    let id = id?;
    Some(id.strip_prefix("sha256:").unwrap_or(id).chars().take(SHORT).collect())
}

/// All that the engine says of one thing, with the names of its variables alone.
fn without_values(found: impl serde::Serialize) -> Result<Value, CallError> {
    let mut said = serde_json::to_value(found).map_err(|error| CallError::Internal(error.to_string()))?;
    hide(&mut said);
    Ok(said)
}

/// Wherever an engine has a list of variables, it is called `Env`.
fn hide(said: &mut Value) {
    match said {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::Array(variables) if name == "Env" => variables.iter_mut().for_each(hide_value),
                    value => hide(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}

fn hide_value(variable: &mut Value) {
    let name = variable.as_str().and_then(|text| text.split('=').next()).unwrap_or_default().to_owned();
    *variable = Value::String(name);
}

async fn logs(engine: &DockerEngine, asked: &OfLog) -> Result<Value, CallError> {
    let (name, tail) = (name::container(&asked.container)?, limit(asked.tail)?);
    let mut options = LogsOptionsBuilder::new().stdout(true).stderr(true).timestamps(asked.timestamps);
    if let Some(seconds) = asked.since_seconds {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let since = i32::try_from(now.saturating_sub(seconds.into())).unwrap_or(i32::MAX);
        options = options.since(since);
    }
    let mut printed = engine.docker().logs(name, Some(options.tail(&tail.to_string()).build()));
    let (mut lines, mut bytes, mut is_whole) = (Lines::default(), 0, true);
    while let Some(piece) = printed.next().await {
        let (stream, piece) = match piece.map_err(failed)? {
            LogOutput::StdErr { message } => ("stderr", message),
            LogOutput::StdOut { message } | LogOutput::Console { message } => ("stdout", message),
            LogOutput::StdIn { .. } => continue,
        };
        bytes += piece.len();
        lines.add(stream, &String::from_utf8_lossy(&piece));
        if bytes > MAX_LOG {
            is_whole = false;
            break;
        }
    }
    Ok(json!({ "lines": lines.0, "cut": !is_whole }))
}

/// Lines with the stream that each came by; a piece of the engine's is most often one line.
#[derive(Default)]
struct Lines(Vec<Value>);

impl Lines {
    fn add(&mut self, stream: &str, piece: &str) {
        self.0.extend(piece.lines().map(|text| json!({ "stream": stream, "text": text })));
    }
}

async fn stats(engine: &DockerEngine, name: &str) -> Result<Value, CallError> {
    // Two looks a second apart, without which there is no telling how busy it is.
    let options = StatsOptionsBuilder::new().stream(false).one_shot(false).build();
    let mut answers = engine.docker().stats(name, Some(options));
    let Some(found) = answers.next().await else {
        return Err(CallError::Unavailable("the engine said nothing".to_owned()));
    };
    let said = serde_json::to_value(found.map_err(failed)?);
    let said = said.map_err(|error| CallError::Internal(error.to_string()))?;
    let number = |path: &str| said.pointer(path).and_then(Value::as_u64);
    let sum = |path: &str, member: &str| {
        let all = said.pointer(path).and_then(Value::as_object);
        all.map(|all| all.values().filter_map(|one| one.get(member)?.as_u64()).sum::<u64>())
    };
    Ok(json!({
        "cpus": cpus(&said),
        "memory": { "usage": number("/memory_stats/usage"), "limit": number("/memory_stats/limit") },
        "processes": number("/pids_stats/current"),
        "network": { "received": sum("/networks", "rx_bytes"), "sent": sum("/networks", "tx_bytes") },
        "disk": { "read": disk(&said, "read"), "written": disk(&said, "write") },
    }))
}

/// Processors in use between two looks: 1.5 is one and a half.
fn cpus(said: &Value) -> Option<f64> {
    let grown = |path: &str| {
        let at = |part: &str| said.pointer(&format!("/{part}{path}")).and_then(Value::as_u64);
        at("cpu_stats")?.checked_sub(at("precpu_stats")?)
    };
    let (own, all) = (grown("/cpu_usage/total_usage")?, grown("/system_cpu_usage")?);
    let processors = said.pointer("/cpu_stats/online_cpus").and_then(Value::as_u64)?;
    #[allow(clippy::cast_precision_loss, reason = "a share needs no more than a few digits")]
    let share = (all > 0).then(|| own as f64 / all as f64 * processors as f64)?;
    Some((share * 1000.0).round() / 1000.0)
}

fn disk(said: &Value, operation: &str) -> Option<u64> {
    let all = said.pointer("/blkio_stats/io_service_bytes_recursive")?.as_array()?;
    let is_it = |one: &&Value| {
        one.get("op").and_then(Value::as_str).is_some_and(|op| op.eq_ignore_ascii_case(operation))
    };
    Some(all.iter().filter(is_it).filter_map(|one| one.get("value")?.as_u64()).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_variables_are_shown_nowhere() {
        let mut said = json!({
            "Config": { "Env": ["TOKEN=secret", "EMPTY=", "BARE"], "Cmd": ["x"] },
            "Deep": [{ "Env": ["A=b=c"] }],
        });
        hide(&mut said);
        assert_eq!(said["Config"]["Env"], json!(["TOKEN", "EMPTY", "BARE"]));
        assert_eq!(said["Deep"][0]["Env"], json!(["A"]));
        assert_eq!(said["Config"]["Cmd"], json!(["x"]));
    }

    #[test]
    fn processors_are_told_between_two_looks() {
        let said = json!({
            "cpu_stats": { "cpu_usage": { "total_usage": 300 }, "system_cpu_usage": 1400, "online_cpus": 2 },
            "precpu_stats": { "cpu_usage": { "total_usage": 100 }, "system_cpu_usage": 1000 },
        });
        assert_eq!(cpus(&said), Some(1.0));
        assert_eq!(cpus(&json!({})), None);
    }
}
