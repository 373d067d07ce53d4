//! The stages of one call, in order. Read this file first.
//!
//! ```text
//! bytes -> transport: Frame -> auth: Principal -> mcp: Call            before this file
//!   1. begin      the record, so that whatever follows is written once
//!   2. resolve    name -> Resolved: it exists and its server is ready
//!   3. authorize  Resolved -> Authorized: this principal may use it
//!   4. admit      Authorized -> Admitted: it has a permit; the deadline's clock runs
//!   5. invoke     Admitted -> Invocation -> Outcome: the sandbox checks arguments and runs it
//! Result<Outcome, CallError> -> mcp: result -> respond -> bytes        after this file
//! ```
//! Each stage takes what the one before returned, so none can be skipped; none calls backward.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::time::timeout_at;
use toolgate_runtime::events::Usage;
use toolgate_runtime::notice::Notices;
use toolgate_runtime::sandbox::{CallError, Dialogue, Invocation, Outcome, SessionId};

use crate::admit::{Admitted, admit};
use crate::auth::Principal;
use crate::authorize::{self, authorize};
use crate::catalog::{Catalog, Resolved, Unresolved, View, Wanted};
use crate::error::Error;
use crate::gateway::Gateway;
use crate::mcp::trace::TraceId;
use crate::observe::{CallRecord, Ending};

#[cfg(test)]
mod tests;

/// How long past its deadline a call may take to say so itself, with its usage, before the
/// gateway ends it. Against a sandbox that misses its own deadline.
const DEADLINE_GRACE: Duration = Duration::from_millis(500);

/// A call as a client asked for it: of a tool, or for a prompt or a resource.
#[derive(Debug)]
pub struct Call {
    /// The endpoint it came to.
    pub view: View,
    /// What is to be used.
    pub wanted: Wanted,
    /// JSON text of an object; empty for a resource.
    pub arguments: Box<RawValue>,
    /// The session that it belongs to, where the client has one.
    pub session: Option<SessionId>,
    /// What its client wants to hear meanwhile.
    pub notices: Option<Notices>,
    /// The trace that it is a part of.
    pub trace: Option<TraceId>,
    /// What else there is of its request, for a server that speaks MCP.
    pub dialogue: Dialogue,
}

impl Call {
    /// A call without a session, whose client wants to hear nothing but the answer.
    #[must_use]
    pub fn new(view: View, wanted: Wanted, arguments: Box<RawValue>) -> Self {
        let dialogue = Dialogue::default();
        Self { view, wanted, arguments, session: None, notices: None, trace: None, dialogue }
    }

    /// The same call once more.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            view: self.view.clone(),
            wanted: self.wanted.clone(),
            arguments: self.arguments.clone(),
            session: self.session,
            notices: self.notices.clone(),
            trace: self.trace.clone(),
            dialogue: self.dialogue.clone(),
        }
    }
}

/// A call that reached its sandbox, or would have if its server were available.
#[derive(Debug)]
pub struct Completed {
    /// What the tool answered, or why it could not.
    pub result: Result<Outcome, CallError>,
    /// What it consumed; `None` if no sandbox ran.
    pub usage: Option<Usage>,
}

/// Runs one call through all stages. Exactly one record is written, also if the returned future is
/// dropped.
///
/// # Errors
/// Whatever keeps the call from its sandbox. What goes wrong inside is in [`Completed::result`].
pub async fn call(gateway: &Gateway, principal: &Principal, call: Call) -> Result<Completed, Error> {
    let record = CallRecord::begin(principal, &call);
    let outcome = stages(gateway, principal, call, &record).await;
    match &outcome {
        Ok(completed) => record.end(Ending::of(&completed.result)),
        Err(error) => record.end(Ending::Refused(error)),
    }
    outcome
}

async fn stages(
    gateway: &Gateway,
    principal: &Principal,
    call: Call,
    record: &CallRecord,
) -> Result<Completed, Error> {
    let catalog = gateway.require_catalog()?;
    let resolved = match resolve(&catalog, principal, &call)? {
        Ok(resolved) => resolved,
        Err(unavailable) => {
            return Ok(Completed { result: Err(unavailable), usage: None });
        }
    };
    record.resolved(&resolved);
    let authorized = authorize(principal, &call.wanted, resolved)?;
    let admitted = admit(authorized, call.arguments.get().len()).await?;
    let result = invoke(&admitted, call, record).await;
    Ok(Completed { result, usage: record.usage() })
}

/// An unavailable server is the tool's trouble and not the request's: a model should hear of it.
/// But not whom the server is not open to.
fn resolve(
    catalog: &Catalog,
    principal: &Principal,
    call: &Call,
) -> Result<Result<Resolved, CallError>, Error> {
    match catalog.resolve(&call.view, &call.wanted, principal.servers()) {
        Ok(resolved) => Ok(Ok(resolved)),
        Err(Unresolved::Unavailable(server)) => {
            authorize::check(principal, &call.wanted, &server)?;
            Ok(Err(CallError::Unavailable(format!("server {:?} is not ready", server.name()))))
        }
        Err(Unresolved::Unknown) => Err(Error::Unknown(call.wanted.clone())),
        Err(Unresolved::UnknownView) => Err(match &call.view {
            View::One(server) => Error::UnknownServer(server.to_string()),
            View::Profile(profile) => Error::UnknownProfile(profile.to_string()),
            View::All => Error::Unknown(call.wanted.clone()),
        }),
    }
}

async fn invoke(
    admitted: &Admitted,
    Call { arguments, session, notices, dialogue, .. }: Call,
    record: &CallRecord,
) -> Result<Outcome, CallError> {
    let resolved = admitted.authorized().resolved();
    let Some(sandbox) = resolved.server().sandbox() else {
        return Err(CallError::Unavailable("the server has no sandbox".to_owned()));
    };
    let invocation = Invocation {
        id: record.id(),
        target: resolved.target().clone(),
        arguments,
        session,
        deadline: admitted.deadline(),
        observer: record.observer(),
        notices,
        dialogue,
        lease: admitted.lease(),
    };
    let latest = admitted.deadline() + DEADLINE_GRACE;
    let running = catch_panic(sandbox.call(invocation));
    match timeout_at(latest.into(), running).await {
        Ok(Ok(result)) => result,
        Ok(Err(())) => Err(CallError::Internal("the sandbox panicked".to_owned())),
        Err(_) => Err(CallError::Deadline { after: admitted.elapsed() }),
    }
}

/// A panic in a sandbox fails its call, not the connection with the other calls on it.
async fn catch_panic<T>(future: impl Future<Output = T>) -> Result<T, ()> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| match std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(_) => std::task::Poll::Ready(Err(())),
    })
    .await
}
