//! The built-in server `docker`: tools that look at an engine and change nothing, those that are granted.
//!
//! What others put into an engine is shown as it is, but for the values of environments: those are where
//! secrets are. What a container prints may hold some all the same, which is why logs are a grant of their own.
//!
//! `offered` the tools · `asked` what the engine says · `name` what a container and an image may be called

mod asked;
mod name;
mod offered;

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::timeout_at;

use self::offered::Look;
use super::engine::DockerEngine;
use super::error::{DockerError, StartError};
use crate::account::Account;
use crate::answer::Json;
use crate::events::Backend;
use crate::policy::Policy;
use crate::sandbox::{CallError, Content, Description, Invocation, Naming, Outcome, Sandbox, Target};

/// Bytes of what an engine says, in work, per byte that an answer may have.
const IN_WORK: u64 = 4;

/// The server.
pub struct EngineTools {
    engine: DockerEngine,
    policy: Policy,
    /// What each tool of the description looks at.
    looks: Vec<Look>,
    description: Description,
}

impl EngineTools {
    /// The tools that `policy` grants, of an engine that answers.
    ///
    /// # Errors
    /// If it does not, or a tool is renamed that is not there.
    pub async fn prepare(engine: &DockerEngine, policy: Policy, naming: &Naming) -> Result<Self, StartError> {
        engine.ping().await?;
        let granted = |look: &Look| policy.grants.engine().contains(&look.view());
        let looks = Look::ALL.into_iter().filter(granted).collect();
        let (looks, description) = offered::describe(looks, naming)?;
        Ok(Self { engine: engine.clone(), policy, looks, description })
    }

    async fn look(&self, invocation: &Invocation) -> Result<Value, CallError> {
        let Target::Tool(tool) = invocation.target else {
            return Err(CallError::Internal("it has tools alone".to_owned()));
        };
        let look = self.looks.get(tool).copied();
        let look = look.ok_or_else(|| CallError::Internal(format!("there is no tool at index {tool}")))?;
        asked::ask(&self.engine, look, invocation.arguments.get()).await
    }
}

#[async_trait]
impl Sandbox for EngineTools {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn backend(&self) -> Backend {
        Backend::BuiltIn
    }

    fn footprint(&self, _: &Target, arguments: usize) -> u64 {
        2 * arguments as u64 + IN_WORK * self.policy.limits.output
    }

    async fn call(&self, invocation: Invocation) -> Result<Outcome, CallError> {
        let mut account = Account::open(&invocation, Backend::BuiltIn);
        let since = Instant::now();
        let looked = timeout_at(invocation.deadline.into(), self.look(&invocation)).await;
        let said = looked.map_err(|_| CallError::Deadline { after: since.elapsed() })??.to_string();
        let limit = self.policy.limits.output;
        if said.len() as u64 > limit {
            return Err(CallError::Output { limit });
        }
        account.answered(said.len());
        let (text, structured) = (said.as_str().into(), Some(Json::from_unverified(said)));
        Ok(Outcome { is_error: false, content: Content::Value { structured, text } })
    }

    fn is_fixed(&self) -> bool {
        false
    }

    async fn changed(&self) -> Result<Arc<dyn Sandbox>, String> {
        let lost: DockerError = self.engine.lost().await;
        Err(lost.to_string())
    }
}
