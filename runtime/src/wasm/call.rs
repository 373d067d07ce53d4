//! One call: a fresh store and instance, one function, and the end of both.
//!
//! Owns all that it needs, so that it can move to another thread when it turns out to be long. When it
//! is dropped midway, the guest ends with it, and what it used is told all the same.

use std::sync::Arc;
use std::time::Instant;

use serde_json::value::RawValue;
use tokio::time::timeout_at;
use wasmtime::Store;

use super::capability::secrets;
use super::engine::Metering;
use super::instances::{Instances, Room};
use super::load;
use super::meter::Account;
use super::state::{self, Given, Grants, State};
use super::surface::{Answer, Surface, Work};
use super::trap;
use crate::events::Observer;
use crate::policy::Policy;
use crate::sandbox::{CallError, Content, Description, Invocation, Outcome, Target};
use crate::secret::Secret;

/// What all calls of a server share.
pub(super) struct Prepared {
    pub(super) ground: Ground,
    pub(super) surface: Surface,
    pub(super) description: Description,
}

/// What it takes to run anything of a component.
pub(super) struct Ground {
    pub(super) metering: Metering,
    pub(super) instances: Instances,
    pub(super) policy: Arc<Policy>,
    pub(super) grants: Grants,
}

/// A call whose result may take `result` bytes of host memory as values. Its account is open from here
/// on, also while it waits for its first turn.
pub(super) fn run(
    prepared: Arc<Prepared>,
    invocation: Invocation,
    result: u64,
) -> impl Future<Output = Result<Outcome, CallError>> + Send {
    let account = prepared.ground.account(&invocation.observer, invocation.arguments.get());
    async move { prepared.call(invocation, account, result).await }
}

impl Prepared {
    async fn call(
        &self,
        invocation: Invocation,
        account: Account,
        result: u64,
    ) -> Result<Outcome, CallError> {
        let Invocation { target, arguments, deadline, observer, notices, dialogue, lease, .. } = invocation;
        // In reverse order of how they go: first what runs, at last what was set aside for it.
        let _lease = lease;
        let mut running = Running { account, room: None };
        let (ground, limit) = (&self.ground, self.ground.policy.limits.output);
        if let Target::Subscription(_) = target {
            return Ok(nothing());
        }
        let work = self.surface.work(&self.description, &target, arguments, dialogue, notices.as_ref())?;
        let given = Given { observer, secrets: ground.secrets(deadline).await?, result, notices };
        let answer = running.answer(ground, &work, given, deadline).await?;
        let outcome = self.surface.outcome(&work, answer, limit)?;
        running.account.answered(outcome.size());
        Ok(outcome)
    }
}

/// An instance at work. In the order in which they go: the store, in the account, then the room that it is in.
struct Running<'a> {
    account: Account,
    room: Option<Room<'a>>,
}

impl<'a> Running<'a> {
    async fn answer(
        &mut self,
        ground: &'a Ground,
        work: &Work<'_>,
        given: Given,
        deadline: Instant,
    ) -> Result<Answer, CallError> {
        let room = self.room.insert(ground.room(self.account.started(), deadline).await?);
        let store = self.account.run_in(ground.store(room, given)?);
        match timeout_at(deadline.into(), work.run(room.linked, store)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(trap::call_error(&error, self.account.refused(), &ground.policy.limits)),
            Err(_) => Err(CallError::Deadline { after: self.account.started().elapsed() }),
        }
    }
}

/// Nothing of a component goes on between its calls, so what it offers changes by itself never.
fn nothing() -> Outcome {
    let empty = RawValue::from_string("{}".to_owned()).expect("an empty object is JSON");
    Outcome { is_error: false, content: Content::Message(empty) }
}

impl Ground {
    /// What it answers when nobody calls: when it is asked what it offers, until `deadline`. The result may take
    /// `result` bytes of host memory as values.
    pub(super) async fn ask(
        &self,
        work: &Work<'_>,
        observer: &Arc<dyn Observer>,
        result: u64,
        deadline: Instant,
    ) -> Result<Answer, CallError> {
        let mut running = Running { account: self.account(observer, ""), room: None };
        let secrets = self.secrets(deadline).await?;
        let given = Given { observer: Arc::clone(observer), secrets, result, notices: None };
        running.answer(self, work, given, deadline).await
    }

    fn account(&self, observer: &Arc<dyn Observer>, arguments: &str) -> Account {
        Account::open(Arc::clone(observer), self.metering.budget(&self.policy.limits), arguments)
    }

    fn store(&self, room: &Room<'_>, given: Given) -> Result<Store<State>, CallError> {
        let engine = room.linked.pre.engine();
        let store = state::store(self.metering, engine, &self.grants, &self.policy, given);
        store.map_err(|error| CallError::Internal(load::reason(&error)))
    }

    /// Room for the instance. Where other calls have all of it, this one waits as long as its deadline lets it.
    async fn room(&self, started: Instant, deadline: Instant) -> Result<Room<'_>, CallError> {
        if let Some(room) = self.instances.room_now() {
            return Ok(room);
        }
        let late = |_| CallError::Deadline { after: started.elapsed() };
        timeout_at(deadline.into(), self.instances.room()).await.map_err(late)?
    }

    /// The variables of a call that are secret. A volume that hangs must not outlast the deadline.
    async fn secrets(&self, deadline: Instant) -> Result<Vec<(String, Secret)>, CallError> {
        if self.policy.grants.secret_variables().next().is_none() {
            return Ok(Vec::new());
        }
        let since = Instant::now();
        let read = secrets::for_guest(&self.policy.grants);
        let late = |_| CallError::Deadline { after: since.elapsed() };
        timeout_at(deadline.into(), read).await.map_err(late)?
    }
}
