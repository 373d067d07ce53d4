//! A sandbox for tests that does nothing but what a test needs: answer, fail, wait, panic, flood.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::value::RawValue;
use toolgate_runtime::events::{Backend, Denial, Observer, Stdio, Usage};
use toolgate_runtime::limits::Limits;
use toolgate_runtime::notice::Level;
use toolgate_runtime::sandbox::{
    CallError, Content, Description, Invocation, Listed, Outcome, Published, Questions, Sandbox, Target, Tool,
};

use crate::admit::{Capacity, Gate};
use crate::catalog::{Catalog, CatalogSettings, ServerEntry, ServerState};
use crate::gateway::{Gateway, GatewaySettings};

/// What a fake tool does.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// Answers with its arguments.
    Echo,
    /// Answers with an error of its own.
    ToolError,
    /// Fails as a sandbox does.
    Fail(fn() -> CallError),
    /// Answers after a while.
    Sleep(Duration),
    /// Answers never, and overlooks its deadline.
    Hang,
    /// Panics.
    Panic,
    /// Answers with that many bytes.
    Flood(usize),
    /// Prints, and is denied something.
    Talk,
    /// Tells how far it is that many times, with a pause after each, and logs at the end.
    Tell(u32, Duration),
    /// Asks its client, a JSON object of requests, and answers with what came of it and with what it kept. With
    /// "endless" in it, it asks again and again.
    Ask(&'static str),
}

/// A sandbox of fake tools.
#[derive(Debug)]
pub(crate) struct Fake {
    description: Description,
    does: Vec<Does>,
    /// Bytes that a call takes, besides its arguments.
    pub(crate) footprint: u64,
    /// Calls begun, and calls that ended in any way.
    pub(crate) begun: AtomicU32,
    pub(crate) ended: AtomicU32,
}

pub(crate) fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

impl Fake {
    pub(crate) fn new(tools: &[(&str, Does)]) -> Arc<Self> {
        let tool = |name: &str| Tool {
            name: name.to_owned(),
            function: format!("test:fake/api#{name}"),
            description: Some(format!("does \"{name}\"")),
            input_schema: raw(r#"{"type":"object"}"#),
            output_schema: None,
            published: None,
        };
        Self::of(tools.iter().map(|(name, does)| (tool(name), does.clone())).collect())
    }

    /// A server of these tools.
    pub(crate) fn of(tools: Vec<(Tool, Does)>) -> Arc<Self> {
        let (tools, does) = tools.into_iter().unzip();
        Arc::new(Self {
            description: Description { tools, ..Description::default() },
            does,
            footprint: 0,
            begun: AtomicU32::new(0),
            ended: AtomicU32::new(0),
        })
    }

    /// A server that speaks MCP itself: a prompt, a resource of that URI, and a template of more.
    pub(crate) fn of_mcp(prompt: &str, uri: &str, template: &str) -> Arc<Self> {
        let listed = |key: &str, before: &str| {
            let json = format!("{{{before}\"{key}\",\"x\":1.50}}");
            let name = before.len() + 1..before.len() + key.len() + 3;
            Listed { key: key.to_owned(), published: Published { json: raw(&json), name } }
        };
        let mut fake = Self::new(&[]);
        Arc::get_mut(&mut fake).unwrap().description = Description {
            prompts: vec![listed(prompt, "\"name\":")],
            resources: vec![listed(uri, "\"name\":\"r\",\"uri\":")],
            templates: vec![listed(template, "\"name\":\"t\",\"uriTemplate\":")],
            ..Description::default()
        };
        fake
    }

    /// What such a server answers.
    fn offered(&self, target: &Target, arguments: &RawValue) -> Result<Outcome, CallError> {
        let message = match target {
            Target::Prompt(prompt) => {
                format!("{{\"messages\":[],\"y\":2.50,\"of\":[{prompt},{arguments}]}}")
            }
            Target::Resource(uri) if uri.ends_with("none") => {
                return Err(CallError::Refused { code: -32002, message: "nothing there".into(), data: None });
            }
            Target::Resource(uri) => format!("{{\"contents\":[{{\"uri\":\"{uri}\",\"text\":\"t\"}}]}}"),
            Target::Completion(of) => {
                format!("{{\"completion\":{{\"values\":[\"Ulm\"]}},\"of\":[\"{of:?}\",{arguments}]}}")
            }
            Target::Subscription(uri) if uri.ends_with("unwatched") => {
                return Err(CallError::Refused { code: -32601, message: "no".into(), data: None });
            }
            Target::Subscription(_) => "{}".to_owned(),
            Target::Tool(_) => return Err(CallError::Internal("there is no such tool".into())),
        };
        Ok(Outcome { is_error: false, content: Content::Message(raw(&message)) })
    }

    /// One of each kind.
    pub(crate) fn of_all_kinds() -> Arc<Self> {
        Self::new(&[
            ("echo", Does::Echo),
            ("tool-error", Does::ToolError),
            ("trap", Does::Fail(|| CallError::Trap("at 0x1234 in /host/path".into()))),
            ("bad-args", Does::Fail(|| CallError::Arguments("`x` must be a string".into()))),
            ("slow", Does::Sleep(Duration::from_millis(300))),
            ("hang", Does::Hang),
            ("panic", Does::Panic),
            ("flood", Does::Flood(3_000_000)),
            ("talk", Does::Talk),
        ])
    }
}

fn ask(requests: &str) -> Result<Outcome, CallError> {
    let questions = Questions { requests: raw(requests), state: Some(b"kept".to_vec()), waiting: None };
    Ok(Outcome { is_error: false, content: Content::Questions(questions) })
}

/// Tells the observer the end when the call ends in any way, as a sandbox must.
struct Running<'a> {
    fake: &'a Fake,
    observer: Arc<dyn Observer>,
    bytes_in: u64,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.fake.ended.fetch_add(1, Ordering::SeqCst);
        self.observer.finished(&Usage {
            fuel: Some(42),
            memory_peak: Some(65_536),
            wall: Duration::from_micros(7),
            bytes_in: self.bytes_in,
            bytes_out: 0,
            backend: Backend::Wasm,
        });
    }
}

#[async_trait]
impl Sandbox for Fake {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn backend(&self) -> Backend {
        Backend::Wasm
    }

    fn footprint(&self, _: &Target, arguments: usize) -> u64 {
        self.footprint + arguments as u64
    }

    async fn call(&self, invocation: Invocation) -> Result<Outcome, CallError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let _running = Running {
            fake: self,
            observer: Arc::clone(&invocation.observer),
            bytes_in: invocation.arguments.get().len() as u64,
        };
        let value = |is_error, structured, text: &str| {
            Ok(Outcome { is_error, content: Content::Value { structured, text: text.into() } })
        };
        let text = |text: &str| value(false, None, text);
        let Target::Tool(tool) = invocation.target else {
            return self.offered(&invocation.target, &invocation.arguments);
        };
        match &self.does[tool] {
            Does::Echo => {
                let structured = Some(invocation.arguments.clone().into());
                value(false, structured, invocation.arguments.get())
            }
            Does::ToolError => value(true, None, "no such city"),
            Does::Fail(error) => Err(error()),
            Does::Sleep(time) => {
                tokio::time::sleep(*time).await;
                text("slept")
            }
            Does::Hang => std::future::pending().await,
            Does::Panic => panic!("a fake tool panics"),
            Does::Flood(bytes) => text(&"x".repeat(*bytes)),
            Does::Talk => {
                invocation.observer.stdio(Stdio::Out, b"hello\x1b[2J \xff");
                invocation.observer.stdio_dropped(9);
                invocation.observer.denied(&Denial {
                    capability: "http",
                    attempt: "GET https://api.example.com/v1/x".into(),
                    reason: "no http grant".into(),
                    allow: Some(r#"http = ["GET https://api.example.com/v1/x"]"#.into()),
                });
                text("talked")
            }
            Does::Ask(requests) => match &invocation.dialogue.responses {
                None => ask(requests),
                Some(_) if requests.contains("endless") => ask(requests),
                Some(responses) => {
                    let state = invocation.dialogue.state.as_deref().map(String::from_utf8_lossy);
                    text(&format!("{responses} {state:?}"))
                }
            },
            Does::Tell(times, pause) => {
                for i in 1..=*times {
                    let progress = format!("{{\"progressToken\":7, \"progress\":{i}.50}}");
                    invocation.notices.iter().for_each(|notices| notices.tell_progress(raw(&progress)));
                    tokio::time::sleep(*pause).await;
                }
                let log = raw("{\"level\":\"info\",\"data\":\"done\"}");
                invocation.notices.iter().for_each(|n| n.tell_log(Level::Info, log.clone()));
                text("told")
            }
        }
    }
}

pub(crate) fn entry(name: &str, sandbox: Arc<dyn Sandbox>) -> ServerEntry {
    entry_with(name, ServerState::Ready(sandbox), Limits::default())
}

pub(crate) fn entry_with(name: &str, state: ServerState, limits: Limits) -> ServerEntry {
    ServerEntry {
        name: name.to_owned(),
        state,
        gate: Arc::new(Gate::new(&limits, Arc::new(Capacity::new(64, 1 << 30)))),
        backend: Backend::Wasm,
        source: "file:fake.wasm".to_owned(),
    }
}

/// A gateway of one server, which speaks MCP, with these tools.
pub(crate) fn gateway_of(tools: &[(&str, Does)]) -> (Arc<Gateway>, Arc<Fake>) {
    let fake = Fake::new(tools);
    let catalog = catalog(vec![entry("fake", Arc::clone(&fake) as _)]);
    let settings = GatewaySettings { servers_of_mcp: true, ..GatewaySettings::default() };
    (Arc::new(Gateway::new(catalog, settings)), fake)
}

/// A catalog of one server with one tool of that name.
pub(crate) fn with_tool(server: &str, tool: &str) -> Catalog {
    catalog(vec![entry(server, Fake::new(&[(tool, Does::Echo)]) as _)])
}

pub(crate) fn catalog(entries: Vec<ServerEntry>) -> Catalog {
    Catalog::build(entries, &CatalogSettings::default()).unwrap()
}

/// A gateway of two servers: `fake`, which has one tool of each kind, and `broken`.
pub(crate) fn gateway() -> (Arc<Gateway>, Arc<Fake>) {
    let fake = Fake::of_all_kinds();
    let broken = ServerState::Unavailable("no route to /secret/registry".into());
    let entries = vec![
        entry("fake", Arc::clone(&fake) as Arc<dyn Sandbox>),
        entry_with("broken", broken, Limits::default()),
    ];
    (Arc::new(Gateway::new(catalog(entries), GatewaySettings::default())), fake)
}
