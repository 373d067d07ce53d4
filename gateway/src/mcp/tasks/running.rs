//! The rounds of a task, one after the other, whoever still waits.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::value::RawValue;
use toolgate_runtime::peer::ClientCapabilities;
use toolgate_runtime::sandbox::{CallError, Content, Outcome, Questions, Waiting};

use super::task::{Input, MAX_ANSWERS, Status, Task};
use super::wire;
use crate::auth::Principal;
use crate::error::Error;
use crate::gateway::Gateway;
use crate::json::Members;
use crate::mcp::questions;
use crate::mcp::revision::Revision;
use crate::mcp::shape::Shape;
use crate::mcp::tools_call;
use crate::pipeline::{self, Call, Completed};
use crate::respond;

/// Rounds of one task. Against a server that asks for ever.
const MAX_ROUNDS: usize = 16;

/// Bytes around a result.
const AROUND: u64 = 4096;

/// What a task is to run.
pub(in crate::mcp) struct Rounds {
    /// Its first call.
    pub(in crate::mcp) call: Call,
    /// What its client can be asked for.
    pub(in crate::mcp) capabilities: ClientCapabilities,
    pub(in crate::mcp) revision: Revision,
    /// Bytes that its result may have.
    pub(in crate::mcp) output: u64,
}

/// Begins a task: the result of the call that it was.
///
/// # Errors
/// [`Error::TasksFull`] where there are as many as may be; the rounds are for whoever waits then.
pub(in crate::mcp) fn begin(
    gateway: &Arc<Gateway>,
    principal: &Principal,
    rounds: Rounds,
) -> Result<Vec<u8>, (Error, Box<Rounds>)> {
    let arguments = rounds.call.arguments.get().len() as u64;
    let bytes = rounds.output.saturating_add(2 * arguments + MAX_ANSWERS as u64 + AROUND);
    let task = match gateway.tasks().add(principal, bytes) {
        Ok(task) => task,
        Err(error) => return Err((error, Box::new(rounds))),
    };
    let created = wire::created(&task);
    let (gateway, principal, own) = (Arc::clone(gateway), principal.clone(), Arc::clone(&task));
    let revision = rounds.revision;
    let running = tokio::spawn(async move {
        let status = match run(&gateway, &principal, &own, rounds).await {
            Ok(completed) => Status::Completed(written(&completed, revision)),
            Err(error) => Status::Failed(failed(&error, revision)),
        };
        own.ends(status, || {
            Status::Failed(failed(&Error::TasksFull("as many results of tasks as may be"), revision))
        });
    });
    task.runs_by(running.abort_handle());
    Ok(created)
}

/// Runs it to its end.
///
/// # Errors
/// What is no result of the tool: that it could not be called, or refused to be.
async fn run(
    gateway: &Gateway,
    principal: &Principal,
    task: &Task,
    Rounds { mut call, capabilities, .. }: Rounds,
) -> Result<Completed, Error> {
    let mut usage = None;
    for round in 0..MAX_ROUNDS {
        let mut next = call.again();
        let completed = pipeline::call(gateway, principal, call).await?;
        usage.clone_from(&completed.usage);
        let asked = match completed {
            Completed { result: Ok(Outcome { content: Content::Questions(asked), .. }), .. } => asked,
            Completed { result: Err(refused @ CallError::Refused { .. }), .. } => {
                return Err(Error::Failed(refused));
            }
            completed => return Ok(completed),
        };
        let Questions { requests, state, waiting } = asked;
        let read = match questions::read(&requests) {
            Ok(read) => read,
            Err(error) => return Ok(Completed { result: Err(error), usage }),
        };
        let missing = questions::needed(&read).without(capabilities);
        if !missing.is_empty() {
            return Err(Error::MissingCapability(missing));
        }
        let answers = task.ask(inputs(round, &requests)).await;
        waiting.iter().for_each(Waiting::keep);
        next.dialogue.responses = RawValue::from_string(answers).ok();
        next.dialogue.state = state;
        call = next;
    }
    let endless = CallError::Trap(format!("the server asked more than {MAX_ROUNDS} times"));
    Ok(Completed { result: Err(endless), usage })
}

/// Questions under names that no other round has: a client may take one of the same name for the one that it has
/// answered, and an answer that comes late is not to be one to another question.
fn inputs(round: usize, requests: &RawValue) -> Vec<Input> {
    let Members(members) = serde_json::from_str(requests.get()).unwrap_or_default();
    let input = |(name, request): (Cow<'_, str>, &RawValue)| Input {
        shown: format!("{}-{name}", round + 1),
        name: name.into_owned(),
        request: request.to_owned(),
    };
    members.into_iter().map(input).collect()
}

fn written(completed: &Completed, revision: Revision) -> Arc<[u8]> {
    let mut out = Vec::with_capacity(tools_call::size(completed));
    tools_call::write(&mut out, completed, Shape::of(revision));
    out.into()
}

/// The error object of a response.
fn failed(error: &Error, revision: Revision) -> Arc<[u8]> {
    let code = respond::wire(error, Some(revision)).code;
    respond::error_object(error, code).into()
}
