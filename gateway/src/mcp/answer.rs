//! From a method's name to its answer: the one list of methods, per era.
//!
//! In steps, so that a request's bytes need not be held while its tool runs: what is asked is
//! read first, and then answered. An answer knows its size before it is written, so that whoever
//! writes it can ask for the memory.

use std::sync::Arc;

use super::calling::Calling;
use super::envelope::Request;
use super::finding::{self, Finding, Meant};
use super::lists::{self, Listed};
use super::notices::{self, Heard};
use super::params::Params;
use super::revision::Revision;
use super::session::SessionId;
use super::shape::Shape;
use super::subscription::Filter;
use super::trace::Trace;
use super::{discover, offered, tasks, tools_call};
use crate::auth::Principal;
use crate::catalog::{List, View};
use crate::error::Error;
use crate::gateway::Gateway;
use crate::pipeline::{Call, Completed};
use toolgate_runtime::peer::ClientCapabilities;

/// Who asks, and where.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who.
    pub principal: Principal,
    /// At which endpoint.
    pub view: View,
}

/// The conversation that a request is a part of.
#[derive(Clone, Copy, Debug)]
pub struct Conversation<'a> {
    /// Who asks, and where.
    pub context: &'a Context,
    /// What is spoken.
    pub revision: Revision,
    /// Where that revision has sessions.
    pub session: Option<SessionId>,
    /// What the session's client can be asked for.
    pub capabilities: ClientCapabilities,
    /// Which trace it is a part of, where its transport says so.
    pub trace: Trace<'a>,
}

/// A request that was read; it borrows nothing of its bytes.
#[derive(Debug)]
pub enum Asked {
    /// It is answered already.
    Answered(Answer),
    /// A server is to be called.
    Call(Box<Calling>),
    /// Tools are to be found.
    Find(Box<Finding>),
    /// Changes are to be told until the client has enough of them, see [`Changes`](super::changes::Changes).
    Listen(Filter),
}

/// The result of a request, to be written as JSON text.
#[derive(Debug)]
pub enum Answer {
    /// Written already.
    Written(Vec<u8>),
    /// A list of tools.
    Listed(Listed),
    /// What came of a call.
    Called(Completed, Shape),
}

/// Reads a request. `initialize` is the transport's to answer, since a session comes of it.
///
/// # Errors
/// Any [`Error`] that is known without running a tool.
pub fn ask(
    gateway: &Gateway,
    conversation: Conversation<'_>,
    request: &Request<'_>,
    params: &Params<'_>,
) -> Result<Asked, Error> {
    let Conversation { context, revision, session, .. } = conversation;
    let stateless = revision.is_stateless();
    let list = |list| lists::result(gateway, context, revision, list, params).map(Answer::Listed);
    let answer = match &*request.method {
        "tools/call" => {
            let asked = tools_call::call(&context.view, params)?;
            return match finding::meant(gateway, conversation, asked, params) {
                Meant::Tool(asked) => call(gateway, conversation, asked, params),
                Meant::Own(finding) => Ok(Asked::Find(finding)),
            };
        }
        "tools/list" => list(List::Tools)?,
        "server/discover" if stateless => Answer::Written(discover::result(gateway)),
        "subscriptions/listen" if stateless => return Ok(Asked::Listen(Filter::of(params)?)),
        "tasks/get" if stateless => Answer::Written(tasks::get(gateway, &context.principal, params)?),
        "tasks/update" if stateless => Answer::Written(tasks::update(gateway, &context.principal, params)?),
        "tasks/cancel" if stateless => Answer::Written(tasks::cancel(gateway, &context.principal, params)?),
        "ping" if !stateless => Answer::Written(b"{}".to_vec()),
        method if gateway.has_servers_of_mcp() => match method {
            "prompts/get" => {
                return call(gateway, conversation, offered::prompt(&context.view, params)?, params);
            }
            "resources/read" => {
                return call(gateway, conversation, offered::resource(&context.view, params)?, params);
            }
            "completion/complete" => {
                return call(gateway, conversation, offered::completion(&context.view, params)?, params);
            }
            "prompts/list" => list(List::Prompts)?,
            "resources/list" => list(List::Resources)?,
            "resources/templates/list" => list(List::Templates)?,
            "resources/subscribe" if !stateless => {
                return call(gateway, conversation, offered::subscription(&context.view, params)?, params);
            }
            "resources/unsubscribe" if !stateless => {
                let uri = offered::uri("resources/unsubscribe", params)?;
                session.inspect(|session| gateway.sessions().watched().remove(*session, &uri));
                Answer::Written(b"{}".to_vec())
            }
            "logging/setLevel" if !stateless => set_level(gateway, session, params)?,
            method => return Err(Error::MethodNotFound(method.to_owned())),
        },
        method => return Err(Error::MethodNotFound(method.to_owned())),
    };
    Ok(Asked::Answered(answer))
}

fn call(
    gateway: &Gateway,
    conversation: Conversation<'_>,
    call: Call,
    params: &Params<'_>,
) -> Result<Asked, Error> {
    Calling::of(gateway, conversation, call, params).map(|calling| Asked::Call(Box::new(calling)))
}

fn set_level(gateway: &Gateway, session: Option<SessionId>, params: &Params<'_>) -> Result<Answer, Error> {
    let level = params.level.ok_or_else(|| Error::InvalidParams("there is no `level`".to_owned()));
    let level = notices::level(level?)?;
    if let Some(session) = session {
        gateway.sessions().levels().set(session, level);
    }
    Ok(Answer::Written(b"{}".to_vec()))
}

impl Asked {
    /// What its client wants to hear until it is answered. Asked for once, before it is.
    pub fn listen(&mut self) -> Option<Heard> {
        match self {
            Self::Answered(_) | Self::Find(_) | Self::Listen(_) => None,
            Self::Call(calling) => calling.listen(),
        }
    }

    /// Bytes that it holds on to until it is answered.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Answered(_) | Self::Listen(_) => 0,
            Self::Find(finding) => finding.size(),
            Self::Call(calling) => calling.size(),
        }
    }

    /// Answers it; what goes wrong in a tool is an answer.
    ///
    /// # Errors
    /// Whatever keeps a call from its tool.
    pub async fn answer(self, gateway: &Arc<Gateway>, principal: &Principal) -> Result<Answer, Error> {
        match self {
            Self::Answered(answer) => Ok(answer),
            Self::Find(finding) => finding.answer(gateway, principal).await,
            // It has none until nothing more is told, and who can't be told has no use of it.
            Self::Listen(_) => Err(Error::NotAcceptable),
            Self::Call(calling) => calling.answer(gateway, principal).await,
        }
    }
}

impl Answer {
    /// Bytes that [`write`](Self::write) writes at most.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Written(bytes) => bytes.len(),
            Self::Listed(listed) => listed.size(),
            Self::Called(completed, _) => tools_call::size(completed),
        }
    }

    /// Writes the result.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Written(bytes) => out.extend_from_slice(bytes),
            Self::Listed(listed) => listed.write(out),
            Self::Called(completed, shape) => tools_call::write(out, completed, *shape),
        }
    }
}
