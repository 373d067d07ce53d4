//! A server whose tools are other than it describes them, as its `[servers.NAME.override]` says: other names and words,
//! and arguments that are the operator's to give.
//!
//! Stands between the catalog and whatever runs the server, so that all above sees what callers see, and the server
//! what it knows. What can't be applied leaves its tool out: a value that is fixed must not be left to callers because a
//! server calls its parameter something else since. Knows nothing of what runs the server.

mod arguments;
mod schema;
#[cfg(test)]
mod tests;
mod tool;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;
use toolgate_runtime::events::Backend;
use toolgate_runtime::sandbox::{CallError, Description, Invocation, Outcome, Sandbox, Skipped, Target};

use crate::config::Overrides;
use arguments::Mapping;

/// A server under its overrides.
struct Overridden {
    server: String,
    overrides: Overrides,
    inner: Arc<dyn Sandbox>,
    description: Description,
    /// Of each tool that is described.
    behind: Vec<Behind>,
}

/// What is behind a tool.
struct Behind {
    /// The tool of the server.
    tool: usize,
    /// From the arguments of callers to those that it takes, where these differ.
    mapping: Option<Mapping>,
}

/// The server under these overrides; itself where there are none. What they name in vain, or what can't be applied, is
/// told in its description, and logged.
#[must_use]
pub fn overridden(server: &str, overrides: &Overrides, inner: Arc<dyn Sandbox>) -> Arc<dyn Sandbox> {
    if overrides.is_empty() {
        return inner;
    }
    let (description, behind, faults) = describe(server, overrides, inner.describe().clone());
    for Skipped { function, reason } in &faults {
        tracing::warn!(server, tool = function, "{reason}");
    }
    let description = Description { skipped: [description.skipped, faults].concat(), ..description };
    let (server, overrides) = (server.to_owned(), overrides.clone());
    Arc::new(Overridden { server, overrides, inner, description, behind })
}

/// What callers see of a server, what is behind each tool of it, and what is wrong.
fn describe(
    server: &str,
    overrides: &Overrides,
    mut description: Description,
) -> (Description, Vec<Behind>, Vec<Skipped>) {
    let (mut behind, mut tools, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    let section = |tool: &str| format!("[servers.{server}.override.{tool}]");
    let all = std::mem::take(&mut description.tools);
    for function in overrides.keys().filter(|name| !all.iter().any(|tool| tool.name == **name)) {
        let reason = format!("{} names it, and the server offers no such tool", section(function));
        faults.push(Skipped { function: function.clone(), reason });
    }
    for (index, tool) in all.into_iter().enumerate() {
        let (tool, mapping) = match overrides.get(&tool.name) {
            None => (tool, None),
            Some(changes) if changes.hide => continue,
            Some(changes) => match tool::changed(&tool, changes) {
                Ok(changed) => changed,
                Err(reason) => {
                    let reason = format!(
                        "it is not offered, since {} can't be applied: {reason}",
                        section(&tool.name)
                    );
                    faults.push(Skipped { function: tool.name, reason });
                    continue;
                }
            },
        };
        tools.push(tool);
        behind.push(Behind { tool: index, mapping });
    }
    (Description { tools, ..description }, behind, faults)
}

impl Overridden {
    /// A target as the server knows it, and what is behind it where it is a tool.
    fn behind(&self, target: &Target) -> Result<(Target, Option<&Mapping>), CallError> {
        let Target::Tool(tool) = target else { return Ok((target.clone(), None)) };
        let none = || CallError::Internal(format!("the server has no tool {tool}"));
        let Behind { tool, mapping } = self.behind.get(*tool).ok_or_else(none)?;
        Ok((Target::Tool(*tool), mapping.as_ref()))
    }
}

#[async_trait]
impl Sandbox for Overridden {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn backend(&self) -> Backend {
        self.inner.backend()
    }

    fn footprint(&self, target: &Target, arguments: usize) -> u64 {
        let Ok((target, mapping)) = self.behind(target) else { return 0 };
        let added = mapping.map_or(0, Mapping::added);
        self.inner.footprint(&target, arguments + added)
    }

    async fn call(&self, invocation: Invocation) -> Result<Outcome, CallError> {
        let (target, mapping) = self.behind(&invocation.target)?;
        let Some(mapping) = mapping else {
            return self.inner.call(Invocation { target, ..invocation }).await;
        };
        let arguments = mapping.apply(&invocation.arguments)?;
        let called = self.inner.call(Invocation { target, arguments, ..invocation }).await;
        called.map_err(|error| mapping.told(error))
    }

    fn is_fixed(&self) -> bool {
        self.inner.is_fixed()
    }

    fn updates(&self) -> Option<broadcast::Receiver<Arc<str>>> {
        self.inner.updates()
    }

    async fn changed(&self) -> Result<Arc<dyn Sandbox>, String> {
        let next = self.inner.changed().await?;
        Ok(overridden(&self.server, &self.overrides, next))
    }
}
