//! A prepared component: one server. Everything that can be done before a call is done here.
//!
//! Preparing compiles, finds the tools, links, and opens what is granted, so that what is wrong
//! with a component or its grants fails at load. A call makes a fresh store and instance, runs one
//! function, and drops both.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use tokio::time::timeout_at;
use wasmtime::Store;
use wasmtime::component::Val;

use super::capability::env::Env;
use super::capability::files::Files;
use super::capability::secrets;
use super::compiled::CompiledCache;
use super::engine::{Engine, Metering};
use super::instances::{Instances, Linked, Loaded};
use super::load::{self, LoadError};
use super::meter::Account;
use super::state::{self, Given, Grants, State};
use super::{link, trap};
use crate::artifact::Artifact;
use crate::egress::Egress;
use crate::policy::Policy;
use crate::sandbox::{CallError, Description, Invocation, Outcome, Sandbox, Skipped, Tool};
use crate::secret::Secret;
use crate::wit::{self, Discovery, Function};

/// What may differ between two servers of the same component, besides the policy.
#[derive(Clone, Debug, Default)]
pub struct PrepareOptions<'a> {
    /// Tool names by function, see [`wit::discover`].
    pub rename: BTreeMap<String, String>,
    /// Where compiled code is kept; without it, the component is compiled.
    pub cache: Option<&'a CompiledCache>,
    /// The way out, whose limits all servers share and whose lookups are the server's own; without
    /// it, one with the default limits.
    pub egress: Option<Arc<Egress>>,
}

/// Bytes that a call takes besides: its stack, its store, its tables of handles.
const OVERHEAD: u64 = 128 * 1024;

/// A component that is ready to be called.
pub struct Component {
    metering: Metering,
    instances: Instances,
    description: Description,
    /// In the order of the tools.
    functions: Vec<Function>,
    /// Of the functions, in their order.
    weights: Vec<Weight>,
    policy: Arc<Policy>,
    grants: Grants,
    notes: Vec<String>,
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
        let (engine, bytes) = (engine.clone(), artifact.bytes.clone());
        load::blocking(move || {
            let load::Compiled { loaded, code, notes } = compiled;
            load::check_limits(&loaded.component, &policy.limits)?;
            secrets::prepare(&policy.grants)?;
            let found = discover(&loaded, &bytes, &options.rename)?;
            let grants = Grants {
                env: Env::prepare(policy.grants.env().clone()),
                files: Files::prepare(policy.grants.files())?,
                egress: options.egress.unwrap_or_default(),
            };
            Ok(Self {
                instances: Instances::new(&engine, code, loaded, &found.functions)?,
                metering: engine.options().metering,
                description: describe(&found),
                weights: found.functions.iter().map(Weight::of).collect(),
                functions: found.functions,
                policy: Arc::new(policy),
                grants,
                notes,
            })
        })
        .await?
    }

    /// What happened while preparing that the operator may want to know: why compiled code was
    /// not taken from the cache, or could not be kept.
    pub fn notes(&self) -> &[String] {
        &self.notes
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
        let structured = rendered.structured.as_ref().map_or(0, |s| s.get().len());
        account.answered(structured.max(rendered.text.len()));
        Ok(Outcome { is_error: rendered.is_error, structured: rendered.structured, text: rendered.text })
    }
}

#[async_trait]
impl Sandbox for Component {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn footprint(&self, tool: usize, arguments: usize) -> u64 {
        let limits = &self.policy.limits;
        let Some(weight) = self.weights.get(tool) else {
            return 0;
        };
        let most = wit::value::MAX_ARGUMENT_MEMORY as u64;
        let arguments = weight.arguments.saturating_mul(arguments as u64).min(most);
        let result = weight.result.saturating_mul(limits.output);
        [limits.memory, arguments, result, limits.stdio]
            .iter()
            .fold(OVERHEAD, |sum, n| sum.saturating_add(*n))
    }

    async fn call(&self, invocation: Invocation) -> Result<Outcome, CallError> {
        let limits = &self.policy.limits;
        let observer = invocation.observer.clone();
        // Declared before the account, which holds the store: a store goes before its room does.
        let room;
        let mut account = Account::open(observer, self.metering.budget(limits), invocation.arguments.get());
        let tool = invocation.tool;
        let function = self
            .functions
            .get(tool)
            .ok_or_else(|| CallError::Internal(format!("there is no tool at index {tool}")))?;
        let result = self.weights[tool].result.saturating_mul(limits.output);
        let arguments = wit::value::parse_arguments(function, &invocation.arguments)
            .map_err(|error| CallError::Arguments(error.to_string()))?;
        let given = Given {
            observer: invocation.observer,
            secrets: self.secrets(invocation.deadline).await?,
            result,
        };
        room = self.instances.room().await?;
        let engine = room.linked.pre.engine();
        let store = state::store(self.metering, engine, &self.grants, &self.policy, given)
            .map_err(|error| CallError::Internal(load::reason(&error)))?;
        let run = run(room.linked, account.run_in(store), tool, &arguments);
        match timeout_at(invocation.deadline.into(), run).await {
            Ok(Ok(results)) => self.answer(&mut account, function, &results),
            Ok(Err(error)) => Err(trap::call_error(&error, account.refused(), limits)),
            Err(_) => Err(CallError::Deadline { after: account.started().elapsed() }),
        }
    }
}

/// Bytes of values per byte of their JSON.
struct Weight {
    arguments: u64,
    result: u64,
}

impl Weight {
    fn of(function: &Function) -> Self {
        Self {
            arguments: wit::argument_density(function.params.types()),
            result: wit::density(function.returns.types()),
        }
    }
}

async fn run(
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

/// The tools of a component that can be linked.
fn discover(
    loaded: &Loaded,
    bytes: &[u8],
    rename: &BTreeMap<String, String>,
) -> Result<Discovery, LoadError> {
    let component = &loaded.component;
    let unknown = link::unknown(component);
    if !unknown.is_empty() {
        return Err(LoadError::Imports(unknown));
    }
    Ok(wit::discover(component.engine(), component, bytes, rename)?)
}

/// What is published of the functions that were found.
pub(super) fn describe(found: &Discovery) -> Description {
    let tool = |function: &Function| Tool {
        name: function.name.to_string(),
        function: function.path(),
        description: function.docs.as_deref().map(str::to_owned),
        input_schema: wit::schema::input(function),
        output_schema: wit::schema::output(function),
    };
    let skipped = |skipped: &wit::Skipped| Skipped {
        function: skipped.function.clone(),
        reason: skipped.reason.clone(),
    };
    Description {
        tools: found.functions.iter().map(tool).collect(),
        skipped: found.skipped.iter().map(skipped).collect(),
    }
}
