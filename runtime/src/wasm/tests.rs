//! What the wasm backend promises, tried with small components written as text.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod calls;
mod host;
mod limits;
mod load;
mod pool;
mod room;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{Component, Engine, EngineOptions, LoadError, Metering, PoolPlan, PrepareOptions};
use crate::artifact::{Artifact, Digest, Reference};
use crate::events::{CallId, Denial, Observer, Stdio, Usage};
use crate::limits::Limits;
use crate::policy::{FilesGrant, Grants, Policy};
use crate::sandbox::{CallError, Content, Invocation, Outcome, Sandbox, Target};

/// What an observer was told.
#[derive(Default)]
struct Heard {
    lines: Mutex<Vec<(Stdio, String)>>,
    denials: Mutex<Vec<Denial>>,
    usage: Mutex<Vec<Usage>>,
}

impl Observer for Heard {
    fn stdio(&self, stream: Stdio, line: &[u8]) {
        let line = String::from_utf8_lossy(line).into_owned();
        self.lines.lock().unwrap().push((stream, line));
    }
    fn stdio_dropped(&self, _: u64) {}
    fn denied(&self, denial: &Denial) {
        self.denials.lock().unwrap().push(denial.clone());
    }
    fn finished(&self, usage: &Usage) {
        self.usage.lock().unwrap().push(usage.clone());
    }
}

impl Heard {
    /// Waits until the end of the call was told: one that nobody waits for ends at its next turn.
    async fn told(&self) {
        let told = async {
            while self.usage.lock().unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), told).await.unwrap();
    }

    /// The usage, which must have been told exactly once.
    fn usage(&self) -> Usage {
        let usage = self.usage.lock().unwrap();
        assert_eq!(usage.len(), 1, "the end of a call is told once");
        usage[0].clone()
    }
}

fn engine() -> Engine {
    Engine::new(EngineOptions::default()).unwrap()
}

fn artifact(bytes: impl Into<Bytes>) -> Artifact {
    let bytes = bytes.into();
    Artifact {
        reference: "file:/test.wasm".parse::<Reference>().unwrap(),
        digest: Digest::of(&bytes),
        manifest_digest: None,
        bytes,
        notes: Vec::new(),
    }
}

fn wat(text: &str) -> Artifact {
    artifact(wat::parse_str(text).unwrap())
}

fn limits(limits: Limits) -> Policy {
    Policy { grants: Grants::default(), limits }
}

fn grants(files: Vec<FilesGrant>, env: &[(&str, &str)]) -> Policy {
    let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Policy { grants: Grants::new(vec![], vec![], files, env.collect()).unwrap(), limits: Limits::default() }
}

async fn prepare(text: &str, policy: Policy) -> Result<Component, LoadError> {
    Component::prepare(&engine(), &wat(text), policy, PrepareOptions::default()).await
}

fn invocation(component: &Component, tool: &str, arguments: &str) -> (Invocation, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let tools = &component.describe().tools;
    let found = tools.iter().position(|t| t.name == tool);
    let invocation = Invocation {
        dialogue: crate::sandbox::Dialogue::default(),
        id: CallId(7),
        target: Target::Tool(found.unwrap_or_else(|| panic!("no tool `{tool}` in {tools:?}"))),
        arguments: RawValue::from_string(arguments.to_owned()).unwrap(),
        session: None,
        deadline: Instant::now() + Duration::from_secs(20),
        observer: heard.clone(),
        notices: None,
        lease: Arc::new(()),
    };
    (invocation, heard)
}

async fn call(component: &Component, tool: &str, arguments: &str) -> (Result<Outcome, CallError>, Usage) {
    let (invocation, heard) = invocation(component, tool, arguments);
    let outcome = component.call(invocation).await;
    (outcome, heard.usage())
}
