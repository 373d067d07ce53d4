//! `tools/call` of the two tools of a surface for search: `find_tools` is answered here, `call_tool` becomes the call
//! that it stands for.
//!
//! From there on that call is as any other: it is authorized, admitted, recorded and answered under the name of its tool.
//! One that can't be read is recorded under the name that it came by.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use toolgate_runtime::sandbox::{CallError, Content, Outcome, Tool};

use super::answer::{Answer, Conversation};
use super::params::{Params, empty_object, is_object};
use super::revision::Revision;
use super::shape::Shape;
use super::tools_call;
use crate::auth::Principal;
use crate::catalog::{CALL, Catalog, FIND, FOUND, MAX_FOUND, MAX_QUERY, Surface, View, Wanted};
use crate::error::Error;
use crate::gateway::Gateway;
use crate::json::{raw, string};
use crate::observe::{CallRecord, Ending};
use crate::pipeline::{Call, Completed};

/// Bytes of what was found, in JSON, beyond the first of it. Against answers as large as many schemas.
const MAX_BYTES: usize = 256 * 1024;

/// Characters of what is wrong with arguments. Against errors as long as the names that they repeat.
const MAX_REASON: usize = 200;

/// In place of tools.
const NONE: &str = "no tool fits; try other words";

/// What a call at an endpoint is of.
#[derive(Debug)]
pub enum Meant {
    /// A tool of a server.
    Tool(Call),
    /// One of the two, to be answered here.
    Own(Box<Finding>),
}

/// A call that is answered without a server.
#[derive(Debug)]
pub struct Finding {
    call: Call,
    revision: Revision,
    /// What is looked for, or what is wrong with the arguments.
    query: Result<Query, String>,
}

/// The arguments of `find_tools`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    query: String,
    #[serde(default = "found")]
    limit: usize,
}

/// The arguments of `call_tool`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Called {
    name: String,
    arguments: Option<Box<RawValue>>,
}

fn found() -> usize {
    FOUND
}

/// What a call is of where its endpoint may be a surface for search. There, the names of the two are theirs; all other
/// tools can be called by their names as well.
pub fn meant(gateway: &Gateway, conversation: Conversation<'_>, call: Call, params: &Params<'_>) -> Meant {
    let of_ours = matches!(call.wanted.name(), FIND | CALL)
        && gateway.catalog().is_some_and(|catalog| catalog.surface(&call.view) == Surface::Search);
    if !of_ours {
        return Meant::Tool(call);
    }
    let query = match call.wanted.name() {
        FIND => query(&call.arguments),
        _ => match called(&call) {
            Ok(call) => return Meant::Tool(call),
            Err(reason) => Err(reason),
        },
    };
    let Conversation { revision, trace, .. } = conversation;
    let call = Call { trace: trace.id(params), ..call };
    Meant::Own(Box::new(Finding { call, revision, query }))
}

/// The call that `call_tool` stands for.
fn called(call: &Call) -> Result<Call, String> {
    let Called { name, arguments } =
        serde_json::from_str(call.arguments.get()).map_err(|error| unreadable(&error))?;
    let arguments = match arguments {
        None => empty_object(),
        Some(arguments) if is_object(&arguments) => arguments,
        Some(_) => return Err("at /arguments: expected an object".to_owned()),
    };
    Ok(Call::new(call.view.clone(), Wanted::Tool(tools_call::kept(&name)), arguments))
}

fn query(arguments: &RawValue) -> Result<Query, String> {
    let query: Query = serde_json::from_str(arguments.get()).map_err(|error| unreadable(&error))?;
    if query.query.trim().is_empty() || query.query.chars().count() > MAX_QUERY {
        return Err(format!("at /query: expected 1 to {MAX_QUERY} characters"));
    }
    if !(1..=MAX_FOUND).contains(&query.limit) {
        return Err(format!("at /limit: expected an integer from 1 to {MAX_FOUND}, got {}", query.limit));
    }
    Ok(query)
}

fn unreadable(error: &serde_json::Error) -> String {
    error.to_string().chars().take(MAX_REASON).collect()
}

impl Finding {
    /// Bytes of its arguments.
    #[must_use]
    pub fn size(&self) -> usize {
        self.call.arguments.get().len()
    }

    /// Answers it; one record is written.
    ///
    /// # Errors
    /// [`Error::Starting`] before there is a catalog.
    pub async fn answer(self, gateway: &Gateway, principal: &Principal) -> Result<Answer, Error> {
        let Self { call, revision, query } = self;
        let catalog = gateway.require_catalog()?;
        let record = CallRecord::begin(principal, &call);
        let result = match query {
            Ok(query) => find(catalog, call.view, principal.clone(), query).await,
            Err(reason) => Err(CallError::Arguments(reason)),
        };
        record.end(Ending::of(&result));
        Ok(Answer::Called(Completed { result, usage: None }, Shape::of(revision)))
    }
}

/// Searches at a time, whoever still waits for them. Against clients that search and go away.
static TURNS: Semaphore = Semaphore::const_new(4);

async fn find(
    catalog: Arc<Catalog>,
    view: View,
    principal: Principal,
    Query { query, limit }: Query,
) -> Result<Outcome, CallError> {
    if let View::One(name) = &view
        && !catalog.server(name).is_some_and(|server| server.is_ready())
    {
        return Err(CallError::Unavailable(format!("server {name:?} is not ready")));
    }
    // Among thousands of tools it takes longer than the event loop is to be kept from others.
    let turn = TURNS.acquire().await.map_err(|error| CallError::Internal(error.to_string()))?;
    let found = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        written(&catalog.find(&view, principal.servers(), &query, limit))
    });
    let (json, count) = found.await.map_err(|error| CallError::Internal(error.to_string()))?;
    let structured = RawValue::from_string(json).map_err(|error| CallError::Internal(error.to_string()))?;
    let text = if count == 0 { NONE.into() } else { structured.get().into() };
    Ok(Outcome { is_error: false, content: Content::Value { structured: Some(structured.into()), text } })
}

/// JSON of tools under their names, and how many of them it has room for.
fn written(found: &[(String, &Tool)]) -> (String, usize) {
    let (mut out, mut count) = (br#"{"tools":["#.to_vec(), 0);
    for (name, tool) in found {
        let mut entry = br#"{"name":"#.to_vec();
        string(&mut entry, name);
        if let Some(description) = &tool.description {
            raw(&mut entry, r#","description":"#);
            string(&mut entry, description);
        }
        raw(&mut entry, r#","inputSchema":"#);
        raw(&mut entry, tool.input_schema.get());
        entry.push(b'}');
        if count > 0 && out.len() + entry.len() > MAX_BYTES {
            break;
        }
        raw(&mut out, if count > 0 { "," } else { "" });
        out.extend_from_slice(&entry);
        count += 1;
    }
    raw(&mut out, "]}");
    // Each part is text.
    (String::from_utf8(out).unwrap_or_default(), count)
}
