//! What a component is called by: its functions, or the world of tools that speak MCP.

use serde_json::value::RawValue;
use wasmtime::Store;
use wasmtime::component::Val;

use super::instances::{Export, Linked};
use super::state::State;
use super::tool_world::{self, World};
use crate::sandbox::{CallError, Content, Description, Dialogue, Outcome, Target};
use crate::wit::{self, Function};

/// What a component is called by.
pub(super) enum Surface {
    /// Its functions, in the order of the tools.
    Functions(Vec<Function>),
    /// The world; what it offers is known once it was asked.
    World(World),
}

/// A call, ready to be made.
pub(super) enum Work {
    Function { tool: usize, arguments: Vec<Val> },
    Request(Box<tool_world::Request>),
}

/// What came of it.
pub(super) enum Answer {
    Values(Vec<Val>),
    Spoken(tool_world::Answer),
}

impl Surface {
    /// What is exported by whatever it is called by.
    pub(super) fn exports(&self) -> Vec<Export> {
        match self {
            Self::Functions(functions) => functions.iter().map(Export::of).collect(),
            Self::World(world) => world.exports(),
        }
    }

    /// A description, with the functions that it leaves out.
    pub(super) fn described(&self, mut description: Description) -> Description {
        if let Self::World(world) = self {
            description.skipped.extend(world.skipped.iter().cloned());
        }
        description
    }

    /// Reads what a call gives.
    pub(super) fn work(
        &self,
        description: &Description,
        target: &Target,
        arguments: Box<RawValue>,
        dialogue: Dialogue,
    ) -> Result<Work, CallError> {
        match self {
            Self::Functions(_) => {
                let (tool, function) = self.function(target)?;
                let arguments = wit::value::parse_arguments(function, &arguments)
                    .map_err(|error| CallError::Arguments(error.to_string()))?;
                Ok(Work::Function { tool, arguments })
            }
            Self::World(world) => {
                let request = world.request(description, target, arguments, dialogue)?;
                Ok(Work::Request(Box::new(request)))
            }
        }
    }

    /// From what came of it to an outcome, whose result has up to `limit` bytes.
    pub(super) fn outcome(&self, work: &Work, answer: Answer, limit: u64) -> Result<Outcome, CallError> {
        match (answer, work) {
            (Answer::Spoken(answer), _) => answer.outcome(limit),
            (Answer::Values(values), Work::Function { tool, .. }) => {
                let (_, function) = self.function(&Target::Tool(*tool))?;
                rendered(function, &values, limit)
            }
            (Answer::Values(_), Work::Request(_)) => {
                Err(CallError::Internal("values of a request".to_owned()))
            }
        }
    }

    fn function(&self, target: &Target) -> Result<(usize, &Function), CallError> {
        let (Self::Functions(functions), Target::Tool(tool)) = (self, target) else {
            return Err(CallError::Internal("a component has tools alone".to_owned()));
        };
        let function = functions.get(*tool);
        let missing = || CallError::Internal(format!("there is no tool at index {tool}"));
        function.map(|function| (*tool, function)).ok_or_else(missing)
    }
}

impl Work {
    /// Makes the call, of a fresh instance.
    pub(super) async fn run(&self, linked: &Linked, store: &mut Store<State>) -> wasmtime::Result<Answer> {
        match self {
            Self::Function { tool, arguments } => {
                called(linked, store, *tool, arguments).await.map(Answer::Values)
            }
            // In a box: most calls are of functions, whose future is small.
            Self::Request(request) => Box::pin(request.run(linked, store)).await.map(Answer::Spoken),
        }
    }
}

async fn called(
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

fn rendered(function: &Function, results: &[Val], limit: u64) -> Result<Outcome, CallError> {
    let rendered = wit::value::render(function, results, limit).map_err(|error| match error {
        wit::value::RenderError::TooLarge { limit } => CallError::Output { limit },
        other => CallError::Internal(other.to_string()),
    })?;
    let content = Content::Value { structured: rendered.structured, text: rendered.text };
    Ok(Outcome { is_error: rendered.is_error, content })
}
