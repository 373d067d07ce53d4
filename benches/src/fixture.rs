//! Guests, prepared as the gateway prepares them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use toolgate::admit::Gate;
use toolgate::auth::Principal;
use toolgate::catalog::{Catalog, CatalogSettings, ServerEntry, ServerState, View, Wanted};
use toolgate::pipeline::{self, Call};
use toolgate::{Gateway, GatewaySettings};
use toolgate_runtime::artifact::{Artifact, Artifacts, ArtifactsOptions, Reference};
use toolgate_runtime::events::{Backend, CallId, Ignore};
use toolgate_runtime::host::Host;
use toolgate_runtime::limits::Limits;
use toolgate_runtime::policy::Policy;
use toolgate_runtime::sandbox::{Dialogue, Invocation, Outcome, Sandbox, Target};
use toolgate_runtime::wasm::{CompiledCache, Component, Engine, EngineOptions, Metering, PrepareOptions};

/// A guest to measure and the call that is made of it.
#[derive(Clone, Copy, Debug)]
pub struct Guest {
    /// Its file, without the extension.
    pub name: &'static str,
    /// The tool.
    pub tool: &'static str,
    /// Its arguments.
    pub arguments: &'static str,
    /// Where its file is.
    pub origin: Origin,
}

/// What built a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Cargo, in `tests/guests`.
    Rust,
    /// The tools of another language, in `target/bench-guests`. They may be missing on a machine.
    Language,
}

const GREETING: &str = r#"{"name":"Ada"}"#;

/// The small Rust component.
pub const HELLO: Guest = Guest { name: "hello", tool: "greet", arguments: GREETING, origin: Origin::Rust };

/// One of the size that a useful tool has, about 90 kB.
pub const WORDS: Guest =
    Guest { name: "workload", tool: "words", arguments: r#"{"text":"Ada"}"#, origin: Origin::Rust };

/// It, waiting in a host call.
pub const PAUSE: Guest = Guest { tool: "pause", arguments: r#"{"milliseconds":3000}"#, ..WORDS };

/// It, calling functions and little else, for milliseconds.
pub const RECURSE: Guest = Guest { tool: "recurse", arguments: r#"{"n":27}"#, ..WORDS };

/// It, going over a MiB of memory and little else, for milliseconds.
pub const SWEEP: Guest = Guest { tool: "sweep", arguments: r#"{"kibibytes":1024,"times":20}"#, ..WORDS };

/// `hello` in JavaScript: an engine and its heap, 11 MB.
pub const HELLO_JS: Guest = Guest { name: "hello-js", origin: Origin::Language, ..HELLO };

/// `hello` in Python: an interpreter and its heap, 18 MB.
pub const HELLO_PY: Guest = Guest { name: "hello-py", origin: Origin::Language, ..HELLO };

/// Loops until its fuel is gone.
pub const SPIN: Guest = Guest { name: "misbehave", tool: "spin", arguments: "{}", origin: Origin::Rust };

impl Guest {
    /// Why it can't be measured on this machine; `None` when it can.
    pub fn missing(&self) -> Option<String> {
        let file = self.file();
        if file.is_file() || self.origin == Origin::Rust {
            return None;
        }
        let why = std::fs::read_to_string(file.with_extension("missing"));
        Some(why.unwrap_or_else(|_| "not built: run `cargo xtask bench`".to_owned()).trim().to_owned())
    }

    /// The built component.
    ///
    /// # Panics
    /// When it is not built.
    pub fn path(&self) -> PathBuf {
        let path = self.file();
        assert!(path.is_file(), "{} is missing: run `cargo xtask bench`", path.display());
        path
    }

    fn file(&self) -> PathBuf {
        let folder = match self.origin {
            Origin::Rust => "tests/guests/target/wasm32-wasip2/release",
            Origin::Language => "target/bench-guests",
        };
        root().join(folder).join(format!("{}.wasm", self.name))
    }

    /// The name that the gateway gives its tool.
    pub fn public_tool(&self) -> String {
        format!("{}__{}", self.name, self.tool)
    }

    /// Its size, as a table shows it: `54 kB`.
    pub fn size(&self) -> String {
        let bytes = std::fs::metadata(self.path()).expect("the component").len();
        if bytes < 1_000_000 { format!("{} kB", bytes / 1000) } else { format!("{} MB", bytes / 1_000_000) }
    }

    /// Reads and verifies the component.
    pub async fn artifact(&self, state: &Path) -> Artifact {
        let artifacts = Artifacts::open(ArtifactsOptions {
            state_dir: Some(state.to_owned()),
            ..ArtifactsOptions::default()
        })
        .expect("a state directory");
        let reference: Reference = format!("file:{}", self.path().display()).parse().expect("a reference");
        artifacts.fetch(&reference).await.expect("the component")
    }

    /// Prepares it without any grant.
    pub async fn prepare(
        &self,
        engine: &Engine,
        artifact: &Artifact,
        cache: Option<&CompiledCache>,
    ) -> Component {
        let options = PrepareOptions { cache, ..PrepareOptions::default() };
        Component::prepare(engine, artifact, Policy::default(), options)
            .await
            .expect("a component that loads")
    }

    /// One call, straight to the sandbox.
    pub async fn call(&self, sandbox: &dyn Sandbox, tool: usize) -> Outcome {
        sandbox.call(invocation(tool, self.arguments)).await.expect("an outcome")
    }

    /// The index of its tool.
    pub fn index(&self, sandbox: &dyn Sandbox) -> usize {
        let tools = &sandbox.describe().tools;
        tools.iter().position(|tool| tool.name == self.tool).expect("the tool")
    }
}

/// A call of the tool at that index, with its arguments as JSON.
pub fn invocation(tool: usize, arguments: &str) -> Invocation {
    Invocation {
        dialogue: Dialogue::default(),
        id: CallId(1),
        target: Target::Tool(tool),
        arguments: raw(arguments),
        session: None,
        deadline: Instant::now() + Duration::from_secs(30),
        observer: Arc::new(Ignore),
        notices: None,
        lease: Arc::new(()),
    }
}

/// The engine as `serve` makes it for one server with the default limits.
pub fn engine() -> Engine {
    metered(Metering::default())
}

/// The same with that meter.
pub fn metered(metering: Metering) -> Engine {
    let options = EngineOptions::for_host(&Host::read(), Limits::default().concurrency.into());
    Engine::new(EngineOptions { metering, ..options }).expect("an engine")
}

/// A gateway with this one server, named as its guest.
pub fn gateway(guest: &Guest, component: Component) -> Gateway {
    let entry = ServerEntry {
        name: guest.name.to_owned(),
        state: ServerState::Ready(Arc::new(component)),
        gate: Arc::new(Gate::new(&Policy::default().limits, Arc::default())),
        backend: Backend::Wasm,
        source: "bench".to_owned(),
    };
    let catalog = Catalog::build(vec![entry], &CatalogSettings::default()).expect("a catalog");
    Gateway::new(catalog, GatewaySettings::default())
}

/// One call through all stages of the pipeline.
pub async fn through_pipeline(gateway: &Gateway, guest: &Guest) {
    let call = Call::new(View::All, Wanted::Tool(guest.public_tool()), raw(guest.arguments));
    let completed = pipeline::call(gateway, &Principal::local(), call).await.expect("a completed call");
    assert!(completed.result.is_ok(), "{completed:?}");
}

/// The top of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).expect("JSON")
}
