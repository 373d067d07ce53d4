//! One task: whose it is, how far it is, and what it waits for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::release;
use crate::error::Error;

/// A task.
#[derive(Debug)]
pub(super) struct Task {
    id: String,
    principal: String,
    pub(super) created: SystemTime,
    pub(super) ttl: Duration,
    state: Mutex<State>,
    /// All that it asked is answered.
    answered: Notify,
}

#[derive(Debug)]
struct State {
    status: Status,
    updated: SystemTime,
    /// What gives it up; `None` before it runs.
    abort: Option<AbortHandle>,
    held: Held,
}

/// How far a task is.
#[derive(Clone, Debug)]
pub(super) enum Status {
    /// It runs.
    Working,
    /// It waits for its client.
    InputRequired(Inputs),
    /// It is over: the result, a JSON object.
    Completed(Arc<[u8]>),
    /// It came to nothing: the error, a JSON object.
    Failed(Arc<[u8]>),
    /// It was given up.
    Cancelled,
}

/// What a task asks, by name, and what was answered so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs {
    pub(super) pending: Vec<(String, Box<RawValue>)>,
    answers: Vec<(String, Box<RawValue>)>,
}

impl Status {
    fn is_over(&self) -> bool {
        matches!(self, Self::Completed(_) | Self::Failed(_) | Self::Cancelled)
    }
}

impl Task {
    /// One that runs. Its id is known to who began it alone.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub(super) fn new(principal: &str, ttl: Duration, held: Held) -> Result<Self, Error> {
        let mut id = [0_u8; 16];
        getrandom::fill(&mut id).map_err(|error| Error::Internal(error.to_string()))?;
        let created = SystemTime::now();
        let state = State { status: Status::Working, updated: created, abort: None, held };
        Ok(Self {
            id: format!("{:032x}", u128::from_be_bytes(id)),
            principal: principal.to_owned(),
            created,
            ttl,
            state: Mutex::new(state),
            answered: Notify::new(),
        })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn is_of(&self, principal: &str) -> bool {
        self.principal == principal
    }

    pub(super) fn is_expired(&self) -> bool {
        self.created.elapsed().is_ok_and(|age| age > self.ttl)
    }

    /// How far it is, and since when.
    pub(super) fn status(&self) -> (Status, SystemTime) {
        let state = self.state();
        (state.status.clone(), state.updated)
    }

    /// It is given up by that, from now on.
    pub(super) fn runs_by(&self, abort: AbortHandle) {
        self.state().abort = Some(abort);
    }

    /// Gives it up, unless it is over.
    pub(super) fn cancel(&self) {
        let abort = {
            let mut state = self.state();
            if state.status.is_over() {
                return;
            }
            state.set(Status::Cancelled);
            state.held.shrink(0);
            state.abort.take()
        };
        // Not under the lock: it drops what runs.
        abort.iter().for_each(AbortHandle::abort);
    }

    /// It is over, unless it was given up.
    pub(super) fn ends(&self, status: Status) {
        let bytes = match &status {
            Status::Completed(bytes) | Status::Failed(bytes) => bytes.len() as u64,
            Status::Working | Status::InputRequired(_) | Status::Cancelled => 0,
        };
        let mut state = self.state();
        if !state.status.is_over() {
            state.set(status);
            state.held.shrink(bytes);
        }
    }

    /// Asks its client, and waits for all answers: a JSON object by the names of the questions.
    pub(super) async fn ask(&self, pending: Vec<(String, Box<RawValue>)>) -> String {
        let inputs = Inputs { pending, answers: Vec::new() };
        if !inputs.pending.is_empty() {
            self.state().set(Status::InputRequired(inputs));
            self.answered.notified().await;
        }
        let mut state = self.state();
        let answers = match &state.status {
            Status::InputRequired(inputs) => inputs.answers.clone(),
            _ => Vec::new(),
        };
        if !state.status.is_over() {
            state.set(Status::Working);
        }
        let answers =
            answers.iter().map(|(name, answer)| format!("{}:{answer}", serde_json::Value::from(&**name)));
        format!("{{{}}}", answers.collect::<Vec<_>>().join(","))
    }

    /// Takes answers to what it asks.
    pub(super) fn answered(&self, mut responses: HashMap<String, Box<RawValue>>) {
        let mut state = self.state();
        let Status::InputRequired(Inputs { pending, answers }) = &mut state.status else { return };
        let before = pending.len();
        pending.retain(|(name, _)| match responses.remove(name) {
            Some(answer) => {
                answers.push((name.clone(), answer));
                false
            }
            None => true,
        });
        let (is_done, is_changed) = (pending.is_empty(), pending.len() < before);
        if is_changed {
            state.updated = SystemTime::now();
        }
        if is_done && is_changed {
            self.answered.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn set(&mut self, status: Status) {
        (self.status, self.updated) = (status, SystemTime::now());
    }
}

/// Bytes that are set aside, until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    all: Arc<AtomicU64>,
    bytes: u64,
}

impl Held {
    /// So many of at most so many.
    pub(super) fn take(all: &Arc<AtomicU64>, bytes: u64, most: u64) -> Option<Self> {
        let add = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= most);
        all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok()?;
        Some(Self { all: Arc::clone(all), bytes })
    }

    /// Gives back what is not needed.
    fn shrink(&mut self, bytes: u64) {
        let surplus = self.bytes.saturating_sub(bytes);
        release(&self.all, surplus);
        self.bytes -= surplus;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        release(&self.all, self.bytes);
    }
}
