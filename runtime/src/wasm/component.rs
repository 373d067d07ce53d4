//! A prepared component: one server. Everything that can be done before a call is done here.
//!
//! Preparing compiles, finds the tools, links, and opens what is granted, so that what is wrong
//! with a component or its grants fails at load. What a call then does is in `call`.

use std::sync::Arc;

use async_trait::async_trait;

use super::call::{self, Ground, Prepared};
use super::capability::env::Env;
use super::capability::files::Files;
use super::capability::secrets;
use super::compiled::CompiledCache;
use super::engine::{ASYNC_STACK, Engine};
use super::instances::Instances;
use super::link;
use super::load::{self, LoadError};
use super::offered::Asker;
use super::state::Grants;
use super::surface::Surface;
use crate::artifact::Artifact;
use crate::egress::Egress;
use crate::events::{Backend, Ignore, Observer};
use crate::limits::Limits;
use crate::notice;
use crate::offers;
use crate::policy::Policy;
use crate::sandbox::{CallError, Description, Invocation, Naming, Outcome, Sandbox, Skipped, Target, Tool};
use crate::scheduler::{Begin, Lane, Pace};
use crate::wit::{self, Discovery, Function};

/// What may differ between two servers of the same component, besides the policy.
#[derive(Clone, Default)]
pub struct PrepareOptions<'a> {
    /// Which functions are offered as tools, and under which names, see [`wit::discover`].
    pub naming: Naming,
    /// Where compiled code is kept; without it, the component is compiled.
    pub cache: Option<&'a CompiledCache>,
    /// The way out, whose limits all servers share and whose lookups are the server's own; without
    /// it, one with the default limits.
    pub egress: Option<Arc<Egress>>,
    /// Hears what a component does when it is asked what it offers.
    pub observer: Option<Arc<dyn Observer>>,
}

/// Bytes that a call takes besides: its stack, which recursion can fill, its store, its tables of handles.
const OVERHEAD: u64 = ASYNC_STACK as u64 + 128 * 1024;

/// Bytes of arguments that are read on the thread that asks. More of them take long to read.
const FEW_ARGUMENTS: usize = 64 * 1024;

/// Bytes of a result that passes as text, per byte that it may have: it may turn out to be too large, which is to be
/// told.
const RESULT: u64 = 2;

/// The same of a handler of HTTP: of arguments, which are also in the body that they make; and of a result, which is
/// also in the message that it came in, and that in a buffer that grew for it.
const REQUEST: u64 = 2;
const RESPONSE: u64 = 4;

/// A component that is ready to be called.
pub struct Component {
    prepared: Arc<Prepared>,
    /// Of the tools, in their order.
    tools: Vec<Habit>,
    /// Of all else that a component may offer.
    other: Habit,
    lane: Lane,
    notes: Vec<String>,
}

/// What is known of a tool before it is called.
struct Habit {
    /// Bytes of values per byte of their JSON.
    arguments: u64,
    result: u64,
    pace: Arc<Pace>,
}

impl Component {
    /// Prepares `artifact` to be called under `policy`.
    ///
    /// # Errors
    /// Whatever is wrong with the component, its imports, its tools' names or its grants.
    pub async fn prepare(
        engine: &Engine,
        artifact: &Artifact,
        policy: Policy,
        options: PrepareOptions<'_>,
    ) -> Result<Self, LoadError> {
        let compiled = load::compile(engine, artifact, options.cache).await?;
        Self::of(engine, artifact, compiled, policy, options).await
    }

    /// The same of one that is compiled.
    pub(super) async fn of(
        engine: &Engine,
        artifact: &Artifact,
        compiled: load::Compiled,
        policy: Policy,
        options: PrepareOptions<'_>,
    ) -> Result<Self, LoadError> {
        let (shared, bytes, naming) = (engine.clone(), artifact.bytes.clone(), options.naming.clone());
        let egress = options.egress.unwrap_or_default();
        let linked = load::blocking(move || linked(&shared, &bytes, compiled, policy, &naming, egress));
        let Linked { ground, surface, description, notes } = linked.await??;
        let (lane, result) = (engine.lane(), ground.policy.limits.output.saturating_mul(RESULT));
        let observer = options.observer.unwrap_or_else(|| Arc::new(Ignore));
        // What it says of itself it says in a call, away from the threads that serve others.
        let asked = Box::pin(async move {
            let offers = Asker { ground: &ground, observer, result }.offers(&surface).await;
            (ground, surface, offers)
        });
        let ended = lane.run(Begin::There, &Arc::default(), asked).await;
        let (ground, mut surface, offers) =
            ended.map_err(|stopped| LoadError::Offers(stopped.to_string()))?;
        let description = match offers {
            None => description,
            Some(offers) => surface.described(offers::describe(offers?, &options.naming)?),
        };
        let tools = match &surface {
            Surface::Functions(functions) => functions.iter().map(Habit::of).collect(),
            Surface::World(_) | Surface::Handler(_) => {
                description.tools.iter().map(|_| Habit::spoken(&surface)).collect()
            }
        };
        let other = Habit::spoken(&surface);
        let prepared = Arc::new(Prepared { ground, surface, description });
        Ok(Self { prepared, tools, other, lane, notes })
    }

    /// What happened while preparing that the operator may want to know: why compiled code was
    /// not taken from the cache, or could not be kept.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Component {
    fn habit(&self, target: &Target) -> Option<&Habit> {
        match target {
            Target::Tool(tool) => self.tools.get(*tool),
            Target::Prompt(_) | Target::Resource(_) | Target::Completion(_) | Target::Subscription(_) => {
                Some(&self.other)
            }
        }
    }

    fn limits(&self) -> &Limits {
        &self.prepared.ground.policy.limits
    }
}

#[async_trait]
impl Sandbox for Component {
    fn describe(&self) -> &Description {
        &self.prepared.description
    }

    fn backend(&self) -> Backend {
        Backend::Wasm
    }

    fn footprint(&self, target: &Target, arguments: usize) -> u64 {
        let limits = self.limits();
        let Some(habit) = self.habit(target) else {
            return 0;
        };
        let most = wit::value::MAX_ARGUMENT_MEMORY as u64;
        let arguments = habit.arguments.saturating_mul(arguments as u64).min(most);
        let notices = if self.describe().speaks_mcp { notice::MAX_MEMORY } else { 0 };
        [limits.memory, arguments, habit.result(limits.output), limits.stdio, notices]
            .iter()
            .fold(OVERHEAD, |sum, n| sum.saturating_add(*n))
    }

    async fn call(&self, invocation: Invocation) -> Result<Outcome, CallError> {
        let prepared = Arc::clone(&self.prepared);
        let Some(habit) = self.habit(&invocation.target) else {
            // In a box: as a part of this future it would be moved with each call that goes well.
            return Box::pin(call::run(prepared, invocation, 0)).await;
        };
        let few = invocation.arguments.get().len() <= FEW_ARGUMENTS;
        let begin = if few { Begin::Here } else { Begin::There };
        let result = habit.result(self.limits().output);
        let work = Box::pin(call::run(prepared, invocation, result));
        let ended = self.lane.run(begin, &habit.pace, work).await;
        ended.unwrap_or_else(|stopped| Err(CallError::Unavailable(stopped.to_string())))
    }
}

impl Habit {
    fn of(function: &Function) -> Self {
        Self {
            arguments: wit::argument_density(function.params.types()),
            result: wit::density(function.returns.types()),
            pace: Arc::default(),
        }
    }

    /// Of what passes as text.
    fn spoken(surface: &Surface) -> Self {
        let (arguments, result) = match surface {
            Surface::Functions(_) | Surface::World(_) => (1, RESULT),
            Surface::Handler(_) => (REQUEST, RESPONSE),
        };
        Self { arguments, result, pace: Arc::default() }
    }

    /// Bytes of values that a result of so many bytes of JSON may take.
    fn result(&self, output: u64) -> u64 {
        self.result.saturating_mul(output)
    }
}

/// A component that was linked.
struct Linked {
    ground: Ground,
    surface: Surface,
    /// What its functions are; of one that speaks MCP nothing is known yet.
    description: Description,
    notes: Vec<String>,
}

/// Opens what is granted, and links the functions that there are.
fn linked(
    engine: &Engine,
    bytes: &[u8],
    compiled: load::Compiled,
    policy: Policy,
    naming: &Naming,
    egress: Arc<Egress>,
) -> Result<Linked, LoadError> {
    let load::Compiled { loaded, code, notes } = compiled;
    load::check_limits(&loaded.component, &policy.limits)?;
    secrets::prepare(&policy.grants)?;
    check_imports(&loaded.component)?;
    let component = &loaded.component;
    let (surface, description) = match Surface::spoken(component.engine(), component, policy.limits.output) {
        Some(surface) => (surface, Description::default()),
        None => {
            let found = wit::discover(component.engine(), component, bytes, &naming.rename)?;
            let (found, description) = chosen(found, naming);
            (Surface::Functions(found.functions), description)
        }
    };
    let descriptors = engine.descriptors();
    let grants = Grants {
        env: Env::prepare(policy.grants.env().clone()),
        files: Files::prepare(policy.grants.files(), engine.folders(), descriptors.clone())?,
        egress,
        descriptors,
    };
    let notes = notes.into_iter().chain(grants.files.notes()).collect();
    let ground = Ground {
        instances: Instances::new(engine, code, loaded, surface.exports())?,
        metering: engine.options().metering,
        policy: Arc::new(policy),
        grants,
    };
    Ok(Linked { ground, surface, description, notes })
}

fn check_imports(component: &wasmtime::component::Component) -> Result<(), LoadError> {
    let unknown = link::unknown(component);
    if unknown.is_empty() { Ok(()) } else { Err(LoadError::Imports(unknown)) }
}

/// The functions that are offered, and what is published of them.
fn chosen(mut found: Discovery, naming: &Naming) -> (Discovery, Description) {
    let absent = naming.absent(found.functions.iter().map(|function| &*function.name));
    found.functions.retain(|function| naming.offers(&function.name));
    let mut description = describe(&found);
    description.skipped.extend(absent);
    (found, description)
}

/// What is published of the functions that were found.
pub(super) fn describe(found: &Discovery) -> Description {
    let tool = |function: &Function| Tool {
        name: function.name.to_string(),
        function: function.path(),
        description: function.docs.as_deref().map(str::to_owned),
        input_schema: wit::schema::input(function),
        output_schema: wit::schema::output(function),
        published: None,
    };
    let skipped = |skipped: &wit::Skipped| Skipped {
        function: skipped.function.clone(),
        reason: skipped.reason.clone(),
    };
    Description {
        tools: found.functions.iter().map(tool).collect(),
        skipped: found.skipped.iter().map(skipped).collect(),
        ..Description::default()
    }
}
