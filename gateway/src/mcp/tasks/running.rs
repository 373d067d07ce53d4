//! The rounds of a task, one after the other, whoever still waits.

use std::sync::Arc;

use serde_json::value::RawValue;
use toolgate_runtime::peer::ClientCapabilities;
use toolgate_runtime::sandbox::{CallError, Content, Outcome, Questions, Waiting};

use super::task::{Status, Task};
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
/// [`Error::TasksFull`] where there are as many as may be.
pub(in crate::mcp) fn begin(
    gateway: &Arc<Gateway>,
    principal: &Principal,
    rounds: Rounds,
) -> Result<Vec<u8>, Error> {
    let task = gateway.tasks().add(principal, rounds.output.saturating_add(AROUND))?;
    let created = wire::created(&task);
    let (gateway, principal, own) = (Arc::clone(gateway), principal.clone(), Arc::clone(&task));
    let revision = rounds.revision;
    let running = tokio::spawn(async move {
        let status = match run(&gateway, &principal, &own, rounds).await {
            Ok(completed) => Status::Completed(written(&completed, revision)),
            Err(error) => Status::Failed(failed(&error, revision)),
        };
        own.ends(status);
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
    for _ in 0..MAX_ROUNDS {
        let mut next = call.again();
        let asked = match pipeline::call(gateway, principal, call).await? {
            Completed { result: Ok(Outcome { content: Content::Questions(asked), .. }), .. } => asked,
            Completed { result: Err(refused @ CallError::Refused { .. }), .. } => {
                return Err(Error::Failed(refused));
            }
            completed => return Ok(completed),
        };
        let Questions { requests, state, waiting } = asked;
        let read = questions::read(&requests).map_err(Error::Failed)?;
        let missing = questions::needed(&read).without(capabilities);
        if !missing.is_empty() {
            return Err(Error::MissingCapability(missing));
        }
        let answers = task.ask(by_name(&requests)).await;
        waiting.iter().for_each(Waiting::keep);
        next.dialogue.responses = RawValue::from_string(answers).ok();
        next.dialogue.state = state;
        call = next;
    }
    Err(Error::Failed(CallError::Trap(format!("the server asked more than {MAX_ROUNDS} times"))))
}

fn by_name(requests: &RawValue) -> Vec<(String, Box<RawValue>)> {
    let Members(members) = serde_json::from_str(requests.get()).unwrap_or_default();
    members.into_iter().map(|(name, request)| (name.into_owned(), request.to_owned())).collect()
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
