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
use super::load::{self, LoadError};
use super::meter::Account;
use super::state::{self, Given, Grants, State};
use super::surface::Surface;
use super::tool_world::World;
use super::trap;
use crate::events::Observer;
use crate::offers::Offers;
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
        // In reverse order of how they go: first the store, in the account; then the room that it
        // was in; at last what was set aside for both.
        let _lease = lease;
        let room;
        let mut account = account;
        let (ground, limits) = (&self.ground, &self.ground.policy.limits);
        if let Target::Subscription(_) = target {
            return Ok(nothing());
        }
        let work = self.surface.work(&self.description, &target, arguments, dialogue)?;
        let given = Given { observer, secrets: ground.secrets(deadline).await?, result, notices };
        room = ground.room(account.started(), deadline).await?;
        let store = account.run_in(ground.store(&room, given)?);
        let answer = match timeout_at(deadline.into(), work.run(room.linked, store)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(trap::call_error(&error, account.refused(), limits)),
            Err(_) => return Err(CallError::Deadline { after: account.started().elapsed() }),
        };
        let outcome = self.surface.outcome(&work, answer, limits.output)?;
        account.answered(outcome.size());
        Ok(outcome)
    }
}

/// Nothing of a component goes on between its calls, so what it offers changes by itself never.
fn nothing() -> Outcome {
    let empty = RawValue::from_string("{}".to_owned()).expect("an empty object is JSON");
    Outcome { is_error: false, content: Content::Message(empty) }
}

impl Ground {
    /// What a component that speaks MCP says that it offers, within the limits of a call.
    ///
    /// # Errors
    /// Whatever keeps it from saying so.
    pub(super) async fn offers(
        &self,
        world: &World,
        observer: Arc<dyn Observer>,
        result: u64,
    ) -> Result<Offers, LoadError> {
        let limits = &self.policy.limits;
        let deadline = Instant::now() + limits.deadline;
        let room;
        let mut account = self.account(&observer, "");
        let failed = |error: CallError| LoadError::Offers(error.to_string());
        let secrets = self.secrets(deadline).await.map_err(failed)?;
        let given = Given { observer, secrets, result, notices: None };
        room = self.room(account.started(), deadline).await.map_err(failed)?;
        let store = account.run_in(self.store(&room, given).map_err(failed)?);
        match timeout_at(deadline.into(), world.offers(room.linked, store)).await {
            Ok(Ok(Ok(offers))) => Ok(offers),
            Ok(Ok(Err(why))) => Err(LoadError::Offers(why)),
            Ok(Err(error)) => Err(failed(trap::call_error(&error, account.refused(), limits))),
            Err(_) => Err(failed(CallError::Deadline { after: account.started().elapsed() })),
        }
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
