//! From a method's name to its answer: the one list of methods, per era.
//!
//! In two steps, so that a request's bytes need not be held while its tool runs: what is asked is
//! read first, and then answered. An answer knows its size before it is written, so that whoever
//! writes it can ask for the memory.

use super::envelope::Request;
use super::params::Params;
use super::revision::Revision;
use super::session::SessionId;
use super::tools_list::Listed;
use super::{discover, tools_call, tools_list};
use crate::auth::Principal;
use crate::catalog::View;
use crate::error::Error;
use crate::gateway::Gateway;
use crate::pipeline::{self, Completed, ToolCall};

/// Who asks, and where.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who.
    pub principal: Principal,
    /// At which endpoint.
    pub view: View,
}

/// A request that was read; it borrows nothing of its bytes.
#[derive(Debug)]
pub enum Asked {
    /// It is answered already.
    Answered(Answer),
    /// A tool is to run.
    Call(ToolCall, Revision),
}

/// The result of a request, to be written as JSON text.
#[derive(Debug)]
pub enum Answer {
    /// Written already; small.
    Written(Vec<u8>),
    /// A list of tools.
    Listed(Listed),
    /// What came of a call.
    Called(Completed, Revision),
}

/// Reads a request. `initialize` is the transport's to answer, since a session comes of it.
///
/// # Errors
/// Any [`Error`] that is known without running a tool.
pub fn ask(
    gateway: &Gateway,
    context: &Context,
    revision: Revision,
    request: &Request<'_>,
    params: &Params<'_>,
) -> Result<Asked, Error> {
    let answer = match (&*request.method, revision.is_stateless()) {
        ("tools/call", _) => return Ok(Asked::Call(tools_call::call(&context.view, params)?, revision)),
        ("tools/list", _) => Answer::Listed(tools_list::result(gateway, context, revision, params)?),
        ("server/discover", true) => Answer::Written(discover::result(gateway)),
        ("ping", false) => Answer::Written(b"{}".to_vec()),
        (method, _) => return Err(Error::MethodNotFound(method.to_owned())),
    };
    Ok(Asked::Answered(answer))
}

impl Asked {
    /// The same, in a session.
    #[must_use]
    pub fn within(self, session: SessionId) -> Self {
        match self {
            Self::Call(call, revision) => Self::Call(ToolCall { session: Some(session), ..call }, revision),
            answered @ Self::Answered(_) => answered,
        }
    }

    /// Bytes that it holds on to until it is answered.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Answered(_) => 0,
            Self::Call(call, _) => call.arguments.get().len(),
        }
    }

    /// Answers it; what goes wrong in a tool is an answer.
    ///
    /// # Errors
    /// Whatever keeps a call from its tool.
    pub async fn answer(self, gateway: &Gateway, principal: &Principal) -> Result<Answer, Error> {
        match self {
            Self::Answered(answer) => Ok(answer),
            Self::Call(call, revision) => {
                let completed = pipeline::call(gateway, principal, call).await?;
                Ok(Answer::Called(completed, revision))
            }
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
            Self::Called(completed, revision) => tools_call::write(out, completed, *revision),
        }
    }
}
