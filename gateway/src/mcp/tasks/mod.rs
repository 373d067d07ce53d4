//! Calls that go on while nobody waits for them (extension `io.modelcontextprotocol/tasks`): begun by a call of a tool
//! that is for that, asked for by their ids, answered and cancelled so, and kept for a time with what came of them.
//!
//! A task belongs to the caller who began it, with the rights of that time; to all others it does not exist. It is in the memory of the replica that
//! runs it. Each round of it is a call as any other, with its record and limits.
//!
//! `task` one of them · `running` its rounds · `wire` what of it is told

mod running;
mod task;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::value::RawValue;

pub(super) use running::{Rounds, begin};
use task::{Reserved, Task};

use super::params::{Params, is_object, text};
use crate::auth::Principal;
use crate::error::Error;
use crate::gateway::Gateway;
use toolgate_runtime::peer::ClientCapabilities;

/// The name of the extension.
pub const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// How long a task is kept that waits or is over.
const TTL: Duration = Duration::from_secs(60 * 60);

/// Tasks that are kept, and those of one owner that are not over. Against callers who begin one after the other.
const MAX_TASKS: usize = 1024;
const MAX_OF_ONE: usize = 128;

/// Bytes that arguments, answers and results of all may take, set aside before each begins. Against the same with
/// large ones.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// All tasks.
#[derive(Debug, Default)]
pub struct Tasks {
    all: Mutex<HashMap<String, Arc<Task>>>,
    bytes: Arc<AtomicU64>,
}

impl Tasks {
    /// A new one of that caller, for which so many bytes may be needed.
    ///
    /// # Errors
    /// [`Error::TasksFull`] where there are as many as may be.
    fn add(&self, principal: &Principal, bytes: u64) -> Result<Arc<Task>, Error> {
        self.sweep();
        let reserved = Reserved::take(&self.bytes, bytes.min(MAX_BYTES / 4), MAX_BYTES);
        let reserved = reserved.ok_or(Error::TasksFull("as many results of tasks as may be"))?;
        let task = Arc::new(Task::new(principal, TTL, reserved)?);
        let mut all = self.all();
        let under_way = all.values().filter(|task| task.occupies(principal)).count();
        if all.len() >= MAX_TASKS || under_way >= MAX_OF_ONE {
            return Err(Error::TasksFull("as many tasks as may be"));
        }
        all.insert(task.id().to_owned(), Arc::clone(&task));
        Ok(task)
    }

    /// The task of that id, of that caller.
    ///
    /// # Errors
    /// [`Error::InvalidParams`] where there is none.
    fn get(&self, principal: &Principal, id: &str) -> Result<Arc<Task>, Error> {
        self.sweep();
        let found = self.all().get(id).filter(|task| task.is_of(principal)).cloned();
        found.ok_or_else(|| Error::InvalidParams("there is no such task, or no more".to_owned()))
    }

    /// Forgets what nobody came for in time.
    fn sweep(&self) {
        let expired: Vec<_> = self.all().extract_if(|_, task| task.is_expired()).collect();
        // Not under the lock: it drops what runs.
        expired.iter().for_each(|(_, task)| task.cancel());
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<Task>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `tasks/get`: how far it is, with what came of it.
///
/// # Errors
/// [`Error::MissingCapability`] of a client that knows nothing of tasks, [`Error::InvalidParams`] for no task of its.
pub(super) fn get(gateway: &Gateway, principal: &Principal, params: &Params<'_>) -> Result<Vec<u8>, Error> {
    Ok(wire::detailed(&*asked(gateway, principal, params)?))
}

/// `tasks/update`: answers to its questions, all or some. What it did not ask, or not any more, is left.
///
/// # Errors
/// As [`get`].
pub(super) fn update(
    gateway: &Gateway,
    principal: &Principal,
    params: &Params<'_>,
) -> Result<Vec<u8>, Error> {
    let task = asked(gateway, principal, params)?;
    let no_object = || Error::InvalidParams("`inputResponses` must be an object".to_owned());
    let responses = params.input_responses.filter(|raw| is_object(raw)).ok_or_else(no_object)?;
    let responses: HashMap<String, Box<RawValue>> =
        serde_json::from_str(responses.get()).map_err(|error| Error::InvalidParams(error.to_string()))?;
    task.answered(responses)?;
    Ok(wire::acknowledged())
}

/// `tasks/cancel`: gives it up. One that is over stays what it is.
///
/// # Errors
/// As [`get`].
pub(super) fn cancel(
    gateway: &Gateway,
    principal: &Principal,
    params: &Params<'_>,
) -> Result<Vec<u8>, Error> {
    asked(gateway, principal, params)?.cancel();
    Ok(wire::acknowledged())
}

/// The task that a request is about.
fn asked(gateway: &Gateway, principal: &Principal, params: &Params<'_>) -> Result<Arc<Task>, Error> {
    let declared = params.meta()?.client_capabilities.map(ClientCapabilities::of).unwrap_or_default();
    let missing = ClientCapabilities::tasks().without(declared);
    if !missing.is_empty() {
        return Err(Error::MissingCapability(missing));
    }
    let id = params.task_id.and_then(text);
    let id = id.ok_or_else(|| Error::InvalidParams("`taskId` must be a string".to_owned()))?;
    gateway.tasks().get(principal, &id)
}
