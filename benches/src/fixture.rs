//! Guests, prepared as the gateway prepares them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use toolgate::auth::Principal;
use toolgate::catalog::{Catalog, CatalogSettings, ServerEntry, ServerState, View};
use toolgate::pipeline::{self, ToolCall};
use toolgate::{Gateway, GatewaySettings};
use toolgate_runtime::artifact::{Artifact, Artifacts, ArtifactsOptions, Reference};
use toolgate_runtime::events::{Backend, CallId, Ignore};
use toolgate_runtime::policy::Policy;
use toolgate_runtime::sandbox::{Invocation, Outcome, Sandbox};
use toolgate_runtime::wasm::{CompiledCache, Component, Engine, EngineOptions, PrepareOptions};

/// A guest to measure and the call that is made of it.
#[derive(Clone, Copy, Debug)]
pub struct Guest {
    /// Its file below `tests/guests`, without the extension.
    pub name: &'static str,
    /// The tool.
    pub tool: &'static str,
    /// Its arguments.
    pub arguments: &'static str,
}

/// The small Rust component.
pub const HELLO: Guest = Guest { name: "hello", tool: "greet", arguments: r#"{"name":"Ada"}"# };

/// A larger one: every WIT type, about 145 kB.
pub const TORTURE: Guest = Guest { name: "torture", tool: "echo-string", arguments: r#"{"value":"Ada"}"# };

impl Guest {
    /// The built component.
    ///
    /// # Panics
    /// When it is not built.
    pub fn path(&self) -> PathBuf {
        let path =
            root().join("tests/guests/target/wasm32-wasip2/release").join(format!("{}.wasm", self.name));
        assert!(path.is_file(), "{} is missing: run `cargo xtask bench`", path.display());
        path
    }

    /// Its size, as a table shows it: `54 kB`.
    pub fn size(&self) -> String {
        let bytes = std::fs::metadata(self.path()).expect("the component").len();
        format!("{} kB", bytes / 1000)
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
        let invocation = Invocation {
            id: CallId(1),
            tool,
            arguments: raw(self.arguments),
            deadline: Instant::now() + Duration::from_secs(30),
            observer: Arc::new(Ignore),
        };
        sandbox.call(invocation).await.expect("an outcome")
    }

    /// The index of its tool.
    pub fn index(&self, sandbox: &dyn Sandbox) -> usize {
        let tools = &sandbox.describe().tools;
        tools.iter().position(|tool| tool.name == self.tool).expect("the tool")
    }
}

/// The engine as `serve` makes it.
pub fn engine() -> Engine {
    Engine::new(EngineOptions::default()).expect("an engine")
}

/// A gateway with this one server, named as its guest.
pub fn gateway(guest: &Guest, component: Component) -> Gateway {
    let entry = ServerEntry {
        name: guest.name.to_owned(),
        state: ServerState::Ready(Arc::new(component)),
        limits: Policy::default().limits,
        backend: Backend::Wasm,
        source: "bench".to_owned(),
    };
    let catalog = Catalog::build(vec![entry], &CatalogSettings::default()).expect("a catalog");
    Gateway::new(catalog, GatewaySettings::default())
}

/// One call through all stages of the pipeline.
pub async fn through_pipeline(gateway: &Gateway, guest: &Guest) {
    let call = ToolCall {
        view: View::All,
        name: format!("{}__{}", guest.name, guest.tool),
        arguments: raw(guest.arguments),
    };
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
