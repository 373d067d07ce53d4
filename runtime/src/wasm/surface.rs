//! What a component is called by: its functions, the world of tools that speak MCP, or its handler of HTTP requests.
//!
//! What it exports decides, and nothing else: the world where there is any of it, else the handler, else its functions.

use serde_json::value::RawValue;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Val};
use wasmtime::{Engine, Store};

use super::http_handler::{self, Exchange, Handler, Replied};
use super::instances::{Export, Linked};
use super::state::State;
use super::tool_world::{self, World};
use crate::notice::Notices;
use crate::offers::Offers;
use crate::sandbox::{CallError, Content, Description, Dialogue, Outcome, Skipped, Target};
use crate::wit::{self, Function, MAX_FUNCTIONS};

/// What a component is called by.
pub(super) enum Surface {
    /// Its functions, in the order of the tools.
    Functions(Vec<Function>),
    /// The world; what it offers is known once it was asked.
    World(World),
    /// Its handler; likewise.
    Handler(Handler),
}

/// A call, ready to be made.
pub(super) enum Work<'a> {
    Function {
        tool: usize,
        arguments: Vec<Val>,
    },
    Request(Box<tool_world::Request>),
    Exchange(Box<Exchange>),
    /// To say what the world offers.
    Offers(&'a World),
}

/// What came of it.
pub(super) enum Answer {
    Values(Vec<Val>),
    Spoken(tool_world::Answer),
    Replied(Replied),
    Offered(Result<Offers, String>),
}

impl Surface {
    /// By what a component is called that speaks MCP, with results of up to `limit` bytes; `None` for one that does not.
    pub(super) fn spoken(engine: &Engine, component: &Component, limit: u64) -> Option<Self> {
        let world = World::of(engine, component).map(Self::World);
        world.or_else(|| Handler::of(engine, component, limit).map(Self::Handler))
    }

    /// What is exported by whatever it is called by.
    pub(super) fn exports(&self) -> Vec<Export> {
        match self {
            Self::Functions(functions) => functions.iter().map(Export::of).collect(),
            Self::World(world) => world.exports(),
            Self::Handler(handler) => handler.exports(),
        }
    }

    /// Learns what it offers; the description comes back with the functions that it leaves out.
    pub(super) fn described(&mut self, mut description: Description) -> Description {
        match self {
            Self::Functions(_) => {}
            Self::World(world) => description.skipped.append(&mut world.skipped),
            Self::Handler(handler) => {
                handler.learn(&description);
                description.skipped.append(&mut handler.skipped);
            }
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
        notices: Option<&Notices>,
    ) -> Result<Work<'static>, CallError> {
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
            Self::Handler(handler) => {
                let exchange = handler.request(description, target, &arguments, &dialogue, notices)?;
                Ok(Work::Exchange(Box::new(exchange)))
            }
        }
    }

    /// From what came of it to an outcome, whose result has up to `limit` bytes.
    pub(super) fn outcome(&self, work: &Work<'_>, answer: Answer, limit: u64) -> Result<Outcome, CallError> {
        match (answer, work) {
            (Answer::Spoken(answer), _) => answer.outcome(limit),
            (Answer::Replied(replied), _) => http_handler::outcome(replied, limit),
            (Answer::Values(values), Work::Function { tool, .. }) => {
                let (_, function) = self.function(&Target::Tool(*tool))?;
                rendered(function, &values, limit)
            }
            (Answer::Values(_) | Answer::Offered(_), _) => {
                Err(CallError::Internal("an answer to something else".to_owned()))
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

impl Work<'_> {
    /// Makes the call, of a fresh instance.
    pub(super) async fn run(&self, linked: &Linked, store: &mut Store<State>) -> wasmtime::Result<Answer> {
        match self {
            Self::Function { tool, arguments } => {
                called(linked, store, *tool, arguments).await.map(Answer::Values)
            }
            // In a box: most calls are of functions, whose future is small.
            Self::Request(request) => Box::pin(request.run(linked, store)).await.map(Answer::Spoken),
            Self::Exchange(exchange) => Box::pin(exchange.run(linked, store)).await.map(Answer::Replied),
            Self::Offers(world) => Box::pin(world.offers(linked, store)).await.map(Answer::Offered),
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

/// All functions that a component exports: `now`, or `acme:clock/clock@1.0.0#now`.
pub(super) fn functions(engine: &Engine, component: &Component) -> Vec<String> {
    let is_function = |item: &ComponentItem| matches!(item, ComponentItem::ComponentFunc(_));
    let mut found = Vec::new();
    for (name, export) in component.component_type().exports(engine) {
        if let ComponentItem::ComponentInstance(instance) = &export.ty {
            let functions = instance.exports(engine).filter(|(_, export)| is_function(&export.ty));
            found.extend(functions.map(|(function, _)| format!("{name}#{function}")));
        } else if is_function(&export.ty) {
            found.push(name.to_owned());
        }
    }
    found
}

/// Functions that can't be reached, for that reason.
pub(super) fn skipped(functions: impl Iterator<Item = String>, reason: &str) -> Vec<Skipped> {
    let skipped = |function| Skipped { function, reason: reason.to_owned() };
    functions.take(MAX_FUNCTIONS).map(skipped).collect()
}

/// An answer of a component that is none.
pub(super) fn nonsense(what: &str, why: &str) -> CallError {
    CallError::Trap(format!("the component's {what} makes no sense: {why}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    const HANDLER: &str = "wasi:http/incoming-handler@0.2.3#handle";
    const LIST: &str = "toolgate:tool/tools@1.0.0#list";

    /// Of a component with these exports, what it is called by, and what can't be reached.
    fn surface(exports: &[&str]) -> (&'static str, Vec<String>) {
        let export = |(at, name): (usize, &&str)| match name.split_once('#') {
            Some((interface, function)) => format!(
                r#"(instance $i{at} (export "{function}" (func $f))) (export "{interface}" (instance $i{at}))"#
            ),
            None => format!(r#"(export "{name}" (func $f))"#),
        };
        let exports: String = exports.iter().enumerate().map(export).collect();
        let component = format!(
            r#"(component
                (core module $m (func (export "f")))
                (core instance $i (instantiate $m))
                (func $f (canon lift (core func $i "f")))
                {exports})"#
        );
        let engine = Engine::default();
        let component = Component::new(&engine, wat::parse_str(component).unwrap()).unwrap();
        let Some(mut surface) = Surface::spoken(&engine, &component, 0) else {
            return ("functions", Vec::new());
        };
        let kind = match surface {
            Surface::Functions(_) => "functions",
            Surface::World(_) => "world",
            Surface::Handler(_) => "handler",
        };
        let skipped = surface.described(Description::default()).skipped;
        (kind, skipped.into_iter().map(|skipped| skipped.function).collect())
    }

    #[test]
    fn the_world_comes_before_a_handler_and_that_before_functions() {
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(surface(&["now", "a:b/c@1.0.0#d"]), ("functions", vec![]));
        assert_eq!(surface(&[HANDLER]), ("handler", vec![]));
        let others = ["now", "a:b/c@1.0.0#d"];
        assert_eq!(surface(&["now", HANDLER, "a:b/c@1.0.0#d"]), ("handler", named(&others)));
        assert_eq!(surface(&[HANDLER, LIST, "now"]), ("world", named(&[HANDLER, "now"])));
    }

    #[test]
    fn another_version_of_http_has_other_types_and_is_no_handler() {
        assert_eq!(surface(&["wasi:http/incoming-handler@0.3.0#handle"]).0, "functions");
        assert_eq!(surface(&["wasi:http/handler@0.2.0#handle"]).0, "functions");
    }
}
