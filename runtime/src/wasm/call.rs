//! One call: a fresh store and instance, one function, and the end of both.
//!
//! Owns all that it needs, so that it can move to another thread when it turns out to be long. When it
//! is dropped midway, the guest ends with it, and what it used is told all the same.

use std::sync::Arc;
use std::time::Instant;

use tokio::time::timeout_at;
use wasmtime::Store;
use wasmtime::component::Val;

use super::capability::secrets;
use super::engine::Metering;
use super::instances::{Instances, Linked, Room};
use super::load;
use super::meter::Account;
use super::state::{self, Given, Grants, State};
use super::trap;
use crate::policy::Policy;
use crate::sandbox::{CallError, Content, Invocation, Outcome, Target};
use crate::secret::Secret;
use crate::wit::{self, Function};

/// What all calls of a server share.
pub(super) struct Prepared {
    pub(super) metering: Metering,
    pub(super) instances: Instances,
    /// In the order of the tools.
    pub(super) functions: Vec<Function>,
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
    let budget = prepared.metering.budget(&prepared.policy.limits);
    let account = Account::open(invocation.observer.clone(), budget, invocation.arguments.get());
    async move { prepared.call(invocation, account, result).await }
}

impl Prepared {
    async fn call(
        &self,
        invocation: Invocation,
        account: Account,
        result: u64,
    ) -> Result<Outcome, CallError> {
        let Invocation { target, arguments, deadline, observer, lease, .. } = invocation;
        // In reverse order of how they go: first the store, in the account; then the room that it
        // was in; at last what was set aside for both.
        let _lease = lease;
        let room;
        let mut account = account;
        let Target::Tool(tool) = target else {
            return Err(CallError::Internal("a component has tools alone".to_owned()));
        };
        let function = self
            .functions
            .get(tool)
            .ok_or_else(|| CallError::Internal(format!("there is no tool at index {tool}")))?;
        let arguments = wit::value::parse_arguments(function, &arguments)
            .map_err(|error| CallError::Arguments(error.to_string()))?;
        let given = Given { observer, secrets: self.secrets(deadline).await?, result };
        room = self.room(account.started(), deadline).await?;
        let engine = room.linked.pre.engine();
        let store = state::store(self.metering, engine, &self.grants, &self.policy, given)
            .map_err(|error| CallError::Internal(load::reason(&error)))?;
        let run = enter(room.linked, account.run_in(store), tool, &arguments);
        match timeout_at(deadline.into(), run).await {
            Ok(Ok(results)) => self.answer(&mut account, function, &results),
            Ok(Err(error)) => Err(trap::call_error(&error, account.refused(), &self.policy.limits)),
            Err(_) => Err(CallError::Deadline { after: account.started().elapsed() }),
        }
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

    fn answer(
        &self,
        account: &mut Account,
        function: &Function,
        results: &[Val],
    ) -> Result<Outcome, CallError> {
        let limit = self.policy.limits.output;
        let rendered = wit::value::render(function, results, limit).map_err(|e| match e {
            wit::value::RenderError::TooLarge { limit } => CallError::Output { limit },
            other => CallError::Internal(other.to_string()),
        })?;
        let content = Content::Value { structured: rendered.structured, text: rendered.text };
        let outcome = Outcome { is_error: rendered.is_error, content };
        account.answered(outcome.size());
        Ok(outcome)
    }
}

async fn enter(
    linked: &Linked,
    store: &mut Store<State>,
    tool: usize,
    arguments: &[Val],
) -> wasmtime::Result<Vec<Val>> {
    let instance = linked.pre.instantiate_async(&mut *store).await?;
    let function = instance
        .get_func(&mut *store, linked.exports[tool])
        .ok_or_else(|| wasmtime::format_err!("the function is not exported"))?;
    let mut results = vec![Val::Bool(false); function.ty(&*store).results().len()];
    function.call_async(store, arguments, &mut results).await?;
    Ok(results)
}
