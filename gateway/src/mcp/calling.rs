//! A request that goes to a server: what its client wants to hear meanwhile, and how what the server asks reaches it.
//!
//! A server may answer with questions (spec: multi round-trip requests). A client without a session gets them as a
//! result, asks its user, and comes again with the answers. One with a session is asked on the stream of its
//! request, and the server is called again here. Each round is a call of its own, with its own record and limits.

use std::sync::Arc;

use serde_json::value::RawValue;
use toolgate_runtime::sandbox::{CallError, Content, Dialogue, Outcome, Questions, SessionId, Waiting};

use super::answer::{Answer, Conversation};
use super::inquiries::{Inquirer, Inquiries};
use super::notices::{Heard, Wish};
use super::params::{Params, is_object, text};
use super::questions::{self, Question};
use super::revision::Revision;
use super::round::{self, Binding};
use super::shape::Shape;
use super::tasks::{self, EXTENSION, Rounds};
use super::tools_call;
use crate::auth::Principal;
use crate::catalog::Wanted;
use crate::error::Error;
use crate::gateway::Gateway;
use crate::pipeline::{self, Call, Completed};
use toolgate_runtime::peer::ClientCapabilities;

/// Rounds of one request of a session. Against a server that asks for ever.
const MAX_ROUNDS: usize = 16;

/// A request that goes to a server, read.
#[derive(Debug)]
pub struct Calling {
    call: Call,
    revision: Revision,
    wish: Wish,
    /// What may be asked of its client; `None` where no server asks anything.
    asking: Option<Asking>,
}

#[derive(Debug)]
struct Asking {
    capabilities: ClientCapabilities,
    binding: Binding,
    /// By which the client of a session can be asked, once it is known that it can.
    channel: Channel,
}

#[derive(Debug)]
enum Channel {
    /// By results.
    None,
    Session(Arc<Inquiries>, SessionId),
    Open(Inquirer),
}

/// Of what a request is, as far as its answer depends on it.
enum Kind {
    Tool,
    Resource,
    Subscription(String),
    Other,
}

impl Kind {
    fn of(wanted: &Wanted) -> Self {
        match wanted {
            Wanted::Tool(_) => Self::Tool,
            Wanted::Resource(_) => Self::Resource,
            Wanted::Subscription(uri) => Self::Subscription(uri.clone()),
            Wanted::Prompt(_) | Wanted::Completion(_) => Self::Other,
        }
    }
}

impl Calling {
    /// Reads what there is of a request besides what is called.
    ///
    /// # Errors
    /// [`Error::InvalidParams`] for what is not as it should be, a state that was not given for this request among
    /// it.
    pub fn of(
        gateway: &Gateway,
        conversation: Conversation<'_>,
        mut call: Call,
        params: &Params<'_>,
    ) -> Result<Self, Error> {
        let Conversation { revision, session, trace, .. } = conversation;
        let level = session.and_then(|session| gateway.sessions().levels().get(session));
        let wish = Wish::of(params, revision, level)?;
        call.session = session;
        call.trace = trace.id(params);
        let asking = match gateway.has_servers_of_mcp() || gateway.has_tasks() {
            true => Some(Asking::of(gateway, conversation, &mut call, params)?),
            false => None,
        };
        Ok(Self { call, revision, wish, asking })
    }

    /// Lets its client hear what is told and asked until it is answered; `None` where that is nothing.
    pub fn listen(&mut self) -> Option<Heard> {
        let heard = std::mem::take(&mut self.wish).open(&mut self.call);
        let asked = self.asking.as_mut().and_then(Asking::open);
        match (heard, asked) {
            (heard, None) => heard,
            (heard, Some(questions)) => Some(heard.unwrap_or_default().and_questions(questions)),
        }
    }

    /// Bytes of its arguments.
    #[must_use]
    pub fn size(&self) -> usize {
        self.call.arguments.get().len()
    }

    /// Answers it; what goes wrong in a tool is an answer.
    ///
    /// # Errors
    /// Whatever keeps a call from its tool.
    pub async fn answer(self, gateway: &Arc<Gateway>, principal: &Principal) -> Result<Answer, Error> {
        let Self { mut call, revision, asking, .. } = self;
        let able = asking.as_ref().map(|asking| asking.capabilities).unwrap_or_default();
        match as_task(gateway, principal, &call, able).filter(|_| revision.is_stateless()) {
            Some(AsTask::Begin { output, is_required }) => {
                let rounds = Rounds { call, capabilities: able, revision, output };
                match tasks::begin(gateway, principal, rounds) {
                    Ok(begun) => return Ok(Answer::Written(begun)),
                    Err((error, _)) if is_required => return Err(error),
                    // There is no room for it, so its client waits.
                    Err((_, rounds)) => call = rounds.call,
                }
            }
            Some(AsTask::Missing) => return Err(Error::MissingCapability(ClientCapabilities::tasks())),
            None => {}
        }
        let (kind, session) = (Kind::of(&call.wanted), call.session);
        if !asking.as_ref().is_some_and(|asking| asking.can_ask(revision)) {
            // Who can't be reached can do nothing.
            call.dialogue.capabilities = None;
        }
        for _ in 0..MAX_ROUNDS {
            let next = asking.as_ref().and_then(|asking| asking.next(&call));
            let completed = pipeline::call(gateway, principal, call).await?;
            let Completed { result: Ok(Outcome { content: Content::Questions(asked), .. }), usage } =
                completed
            else {
                let missing = completed.result.as_ref().err().and_then(questions::missing);
                if let Some(missing) =
                    missing.map(|missing| missing.without(able)).filter(|_| revision.is_stateless())
                    && !missing.is_empty()
                {
                    return Err(Error::MissingCapability(missing));
                }
                if let (Kind::Subscription(uri), Some(session), Ok(_)) = (&kind, session, &completed.result) {
                    gateway.sessions().watched().add(session, uri)?;
                }
                return answer(&kind, principal, revision, completed);
            };
            let failed = |error| {
                let completed = Completed { result: Err(error), usage: usage.clone() };
                answer(&kind, principal, revision, completed)
            };
            let questions = match questions::read(&asked.requests) {
                Ok(questions) => questions,
                Err(error) => return failed(error),
            };
            let Some(asking) = &asking else { return failed(unable("be asked")) };
            let missing = questions::needed(&questions).without(asking.capabilities);
            if !missing.is_empty() {
                return match revision.is_stateless() {
                    true => Err(Error::MissingCapability(missing)),
                    // Revisions with sessions have no such error, so a model is told.
                    false => failed(unable(&format!("answer that: it lacks {}", missing.json()))),
                };
            }
            if revision.is_stateless() {
                asked.waiting.iter().for_each(Waiting::keep);
                let state = asked.state.as_deref();
                let state = state.map(|state| round::seal(gateway.sessions().key(), asking.binding, state));
                let result = tools_call::questions(&asked.requests, state.as_deref(), usage.as_ref());
                return Ok(Answer::Written(result));
            }
            let (Some(next), Channel::Open(inquirer)) = (next, &asking.channel) else {
                return failed(unable("be asked on this request: it takes no stream of events"));
            };
            match asking.round(inquirer, next, &questions, &asked).await {
                Ok(next) => call = next,
                Err(error) => return failed(error),
            }
        }
        let endless = CallError::Trap(format!("the server asked more than {MAX_ROUNDS} times"));
        answer(&kind, principal, revision, Completed { result: Err(endless), usage: None })
    }
}

fn unable(what: &str) -> CallError {
    let message = format!("the tool asks its client, which can't {what}");
    CallError::Refused { code: -32603, message, data: None }
}

fn answer(
    kind: &Kind,
    principal: &Principal,
    revision: Revision,
    completed: Completed,
) -> Result<Answer, Error> {
    let shape = match kind {
        Kind::Resource => Shape::of(revision).cacheable(principal.is_local()),
        Kind::Tool | Kind::Subscription(_) | Kind::Other => Shape::of(revision),
    };
    let is_tool = matches!(kind, Kind::Tool);
    match completed {
        // A model hears of its tool's trouble in a result; other results have no place for it.
        Completed { result: Err(error), .. } if !is_tool => Err(Error::Failed(error)),
        completed => Ok(Answer::Called(completed, shape)),
    }
}

impl Asking {
    fn of(
        gateway: &Gateway,
        conversation: Conversation<'_>,
        call: &mut Call,
        params: &Params<'_>,
    ) -> Result<Self, Error> {
        let Conversation { context, revision, session, capabilities, trace } = conversation;
        let binding = Binding::of(&context.principal, &call.view, &call.wanted, call.arguments.get());
        let mut dialogue = Dialogue { meta: trace.meta(params), ..Dialogue::default() };
        let Some(session) = session.filter(|_| !revision.is_stateless()) else {
            let declared = params.meta()?.client_capabilities;
            dialogue.capabilities = declared.map(without_tasks);
            dialogue.responses = responses(params)?;
            dialogue.state = state(gateway, binding, params)?;
            call.dialogue = dialogue;
            let capabilities = declared.map(ClientCapabilities::of).unwrap_or_default();
            return Ok(Self { capabilities, binding, channel: Channel::None });
        };
        dialogue.capabilities = RawValue::from_string(capabilities.for_servers().json()).ok();
        call.dialogue = dialogue;
        let channel = match capabilities.is_empty() {
            true => Channel::None,
            false => Channel::Session(Arc::clone(gateway.sessions().inquiries()), session),
        };
        Ok(Self { capabilities, binding, channel })
    }

    /// Where its questions come out.
    fn open(&mut self) -> Option<tokio::sync::mpsc::Receiver<Vec<u8>>> {
        let Channel::Session(inquiries, session) = &self.channel else { return None };
        let (inquirer, questions) = inquiries.inquirer(*session);
        self.channel = Channel::Open(inquirer);
        Some(questions)
    }

    /// Whether its client can be asked at all.
    fn can_ask(&self, revision: Revision) -> bool {
        revision.is_stateless() || matches!(self.channel, Channel::Open(_))
    }

    /// The call of a next round, where there may be one here.
    fn next(&self, call: &Call) -> Option<Call> {
        matches!(self.channel, Channel::Open(_)).then(|| call.again())
    }

    /// Asks the questions of a round; what comes is the call of the next.
    async fn round(
        &self,
        inquirer: &Inquirer,
        mut next: Call,
        questions: &[Question<'_>],
        asked: &Questions,
    ) -> Result<Call, CallError> {
        next.dialogue.responses = Some(inquirer.ask(questions).await?);
        next.dialogue.state.clone_from(&asked.state);
        asked.waiting.iter().for_each(Waiting::keep);
        Ok(next)
    }
}

/// What becomes of a call whose tool is for tasks.
enum AsTask {
    /// It goes on as one, with a result of so many bytes.
    Begin { output: u64, is_required: bool },
    /// Its client knows nothing of such, and it can't be anything else.
    Missing,
}

/// Whether a call is to go on as a task.
fn as_task(
    gateway: &Gateway,
    principal: &Principal,
    call: &Call,
    able: ClientCapabilities,
) -> Option<AsTask> {
    let (support, output) = gateway.task_support(&call.view, &call.wanted, principal.servers())?;
    if !ClientCapabilities::tasks().without(able).is_empty() {
        return support.is_required.then_some(AsTask::Missing);
    }
    // Some ask first what they need, while their client waits.
    let is_asking = support.asks_first && call.dialogue.responses.is_none();
    let is_required = support.is_required;
    (!is_asking).then_some(AsTask::Begin { output, is_required })
}

/// What a client can do, without what the gateway does for its servers.
fn without_tasks(declared: &RawValue) -> Box<RawValue> {
    let strip = || {
        let mut declared: serde_json::Value = serde_json::from_str(declared.get()).ok()?;
        declared.get_mut("extensions")?.as_object_mut()?.remove(EXTENSION)?;
        serde_json::value::to_raw_value(&declared).ok()
    };
    // Most say nothing of them, and stay the text that they are.
    let stripped = declared.get().contains(EXTENSION).then(strip).flatten();
    stripped.unwrap_or_else(|| declared.to_owned())
}

fn responses(params: &Params<'_>) -> Result<Option<Box<RawValue>>, Error> {
    match params.input_responses {
        None => Ok(None),
        Some(responses) if is_object(responses) => Ok(Some(responses.to_owned())),
        Some(_) => Err(Error::InvalidParams("`inputResponses` must be an object".to_owned())),
    }
}

fn state(gateway: &Gateway, binding: Binding, params: &Params<'_>) -> Result<Option<Vec<u8>>, Error> {
    let Some(state) = params.request_state else { return Ok(None) };
    let no_text = || Error::InvalidParams("`requestState` must be a string".to_owned());
    let state = text(state).ok_or_else(no_text)?;
    round::open(gateway.sessions().key(), binding, &state).map(Some)
}
