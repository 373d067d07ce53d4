//! One task: whose it is, how far it is, and what it waits for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::auth::Principal;
use crate::error::Error;

/// Bytes of the answers to what a task asks at a time. They are kept until all are there.
pub(super) const MAX_ANSWERS: usize = 256 * 1024;

/// A task.
#[derive(Debug)]
pub(super) struct Task {
    id: String,
    principal: Principal,
    pub(super) created: SystemTime,
    ttl: Duration,
    state: Mutex<State>,
    /// All that it asked is answered.
    answered: Notify,
}

#[derive(Debug)]
struct State {
    status: Status,
    updated: SystemTime,
    /// The same by a clock that nobody sets.
    since: Instant,
    /// What gives it up; `None` before it runs.
    abort: Option<AbortHandle>,
    reserved: Reserved,
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

/// What a task asks, and what was answered so far, by its server's own names.
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs {
    pub(super) pending: Vec<Input>,
    answers: Vec<(String, Box<RawValue>)>,
}

/// A question.
#[derive(Clone, Debug)]
pub(super) struct Input {
    /// Its name for the client, which no other question of the task has, in no round.
    pub(super) shown: String,
    /// Its server's own.
    pub(super) name: String,
    pub(super) request: Box<RawValue>,
}

/// A task as it is told.
pub(super) struct Told {
    pub(super) status: Status,
    pub(super) updated: SystemTime,
    /// From its beginning.
    pub(super) ttl: Duration,
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
    pub(super) fn new(principal: &Principal, ttl: Duration, reserved: Reserved) -> Result<Self, Error> {
        let mut id = [0_u8; 16];
        getrandom::fill(&mut id).map_err(|error| Error::Internal(error.to_string()))?;
        let (created, since) = (SystemTime::now(), Instant::now());
        let state = State { status: Status::Working, updated: created, since, abort: None, reserved };
        Ok(Self {
            id: format!("{:032x}", u128::from_be_bytes(id)),
            principal: principal.clone(),
            created,
            ttl,
            state: Mutex::new(state),
            answered: Notify::new(),
        })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Whether it is of that caller, with the rights that it had then: several keys may have one owner.
    pub(super) fn is_of(&self, principal: &Principal) -> bool {
        self.principal == *principal
    }

    /// Whether it is of that owner, and not over.
    pub(super) fn occupies(&self, principal: &Principal) -> bool {
        self.principal.as_str() == principal.as_str() && !self.state().status.is_over()
    }

    /// Whether nobody came for it in its time. While it runs that has not begun: each round has its deadline.
    pub(super) fn is_expired(&self) -> bool {
        let state = self.state();
        !matches!(state.status, Status::Working) && state.since.elapsed() > self.ttl
    }

    /// What is told of it.
    pub(super) fn told(&self) -> Told {
        let state = self.state();
        let age = state.updated.duration_since(self.created).unwrap_or_default();
        Told { status: state.status.clone(), updated: state.updated, ttl: age + self.ttl }
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
            state.reserved.fit(0);
            state.abort.take()
        };
        // Not under the lock: it drops what runs.
        abort.iter().for_each(AbortHandle::abort);
    }

    /// It is over, unless it was given up; by `too_large` where there is no room for what came of it.
    pub(super) fn ends(&self, status: Status, too_large: impl FnOnce() -> Status) {
        let bytes = match &status {
            Status::Completed(bytes) | Status::Failed(bytes) => bytes.len() as u64,
            Status::Working | Status::InputRequired(_) | Status::Cancelled => 0,
        };
        let mut state = self.state();
        if state.status.is_over() {
            return;
        }
        let has_room = state.reserved.fit(bytes);
        state.set(if has_room { status } else { too_large() });
    }

    /// Asks its client, and waits for all answers: a JSON object by its server's names of the questions.
    pub(super) async fn ask(&self, pending: Vec<Input>) -> String {
        if !pending.is_empty() {
            self.state().set(Status::InputRequired(Inputs { pending, answers: Vec::new() }));
            self.answered.notified().await;
        }
        let mut state = self.state();
        let answers = match &mut state.status {
            Status::InputRequired(inputs) => std::mem::take(&mut inputs.answers),
            _ => Vec::new(),
        };
        if !state.status.is_over() {
            state.set(Status::Working);
        }
        let answer = |(name, answer): &(String, _)| format!("{}:{answer}", serde_json::Value::from(&**name));
        format!("{{{}}}", answers.iter().map(answer).collect::<Vec<_>>().join(","))
    }

    /// Takes answers to what it asks; what it does not ask is left.
    ///
    /// # Errors
    /// [`Error::InvalidParams`] for more than is kept.
    pub(super) fn answered(&self, mut responses: HashMap<String, Box<RawValue>>) -> Result<(), Error> {
        let mut state = self.state();
        let Status::InputRequired(Inputs { pending, answers }) = &mut state.status else { return Ok(()) };
        let there: usize = answers.iter().map(|(_, answer)| answer.get().len()).sum();
        let asked = pending.iter().filter_map(|input| responses.get(&input.shown));
        if there + asked.map(|answer| answer.get().len()).sum::<usize>() > MAX_ANSWERS {
            return Err(Error::InvalidParams(format!("the answers have more than {MAX_ANSWERS} bytes")));
        }
        let before = pending.len();
        pending.retain(|input| match responses.remove(&input.shown) {
            Some(answer) => {
                answers.push((input.name.clone(), answer));
                false
            }
            None => true,
        });
        let (is_done, is_changed) = (pending.is_empty(), pending.len() < before);
        if is_changed {
            (state.updated, state.since) = (SystemTime::now(), Instant::now());
        }
        if is_done && is_changed {
            self.answered.notify_one();
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn set(&mut self, status: Status) {
        (self.status, self.updated, self.since) = (status, SystemTime::now(), Instant::now());
    }
}

/// Bytes that are set aside, until this is dropped.
#[derive(Debug)]
pub(super) struct Reserved {
    all: Arc<AtomicU64>,
    most: u64,
    bytes: u64,
}

impl Reserved {
    /// So many of at most so many.
    pub(super) fn take(all: &Arc<AtomicU64>, bytes: u64, most: u64) -> Option<Self> {
        let mut reserved = Self { all: Arc::clone(all), most, bytes: 0 };
        reserved.fit(bytes).then_some(reserved)
    }

    /// Sets aside as many as that, in place of what is; unchanged where there are not as many.
    fn fit(&mut self, bytes: u64) -> bool {
        let change = |all: u64| {
            let sum = all.saturating_sub(self.bytes).checked_add(bytes)?;
            (bytes <= self.bytes || sum <= self.most).then_some(sum)
        };
        let fits = self.all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).is_ok();
        if fits {
            self.bytes = bytes;
        }
        fits
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.fit(0);
    }
}
