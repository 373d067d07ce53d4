//! A server elsewhere, as a [`Sandbox`]: what it offers, and calls of it. What it does is out of our hands; what reaches
//! it and what comes back is not.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderMap;
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, broadcast, mpsc};
use tokio::time::{sleep, timeout};

use super::breaker::Breaker;
use super::error::{Fault, RemoteError};
use super::handshake::Established;
use super::line::{Line, Unsent};
use super::link::{AROUND, Link, MAX_BESIDES};
use super::place::Place;
use super::sessions::Sessions;
use crate::account::Account;
use crate::egress::{Egress, EgressError};
use crate::events::Backend;
use crate::held::{self, Held, Running, Step};
use crate::notice::{self, Level, Notices};
use crate::offers::{describe, listed, nothing_to_complete, outcome, wanted};
use crate::peer::client::{ClientError, Greeting};
use crate::peer::mirrored::{self, Mirrored};
use crate::peer::request::{quoted, trace};
use crate::peer::stateless::{Answered, Ask, Terms, answered, discovered, meta};
use crate::peer::{
    Asked, Besides, ClientCapabilities, Conversation as _, Ended, Listener, Listening, MAX_WAITING, News,
    Notification, Request, RequestError, Wanted, message,
};
use crate::policy::Policy;
use crate::sandbox::{
    CallError, Content, Description, Dialogue, Invocation, MAX_STATE, Naming, Outcome, Questions, Sandbox,
    Target,
};

/// What an operator says of a server elsewhere.
#[derive(Clone, Debug)]
pub struct RemoteOptions {
    /// Where it is.
    pub place: Place,
    /// Headers that each request has, for all to read; secrets come with the policy.
    pub headers: HeaderMap,
    /// How long it may take to answer what it is asked at the start.
    pub start: Duration,
}

impl RemoteOptions {
    /// A place with the defaults.
    #[must_use]
    pub fn of(place: Place) -> Self {
        Self { place, headers: HeaderMap::new(), start: Duration::from_secs(30) }
    }
}

/// All else that a server stands on.
pub struct Surroundings<'a> {
    /// Its secrets and limits.
    pub policy: Policy,
    /// By which it is reached.
    pub egress: &'a Egress,
    /// Which of its tools are offered, and as what.
    pub naming: &'a Naming,
}

/// A server elsewhere.
pub struct RemoteServer {
    description: Description,
    /// Parameters that are mirrored into headers, by tool.
    mirrored: HashMap<usize, Vec<Mirrored>>,
    own: Arc<Own>,
}

/// What a server has whatever its tools are at the moment.
struct Own {
    sessions: Sessions,
    /// Calls that wait for their clients.
    held: Held<Seat>,
    can: Greeting,
    naming: Naming,
    start: Duration,
    output: u64,
    news: Arc<News>,
}

/// Hears what the server tells unasked.
struct Heard(Arc<News>);

impl Listener for Heard {
    fn notified(&self, notification: &Notification) {
        self.0.tell(notification);
    }

    fn noise(&self, _: &[u8]) {}
}

/// Where a call runs: in a conversation, in the session that it had when it began.
struct Seat(Arc<Line>, Option<Arc<Established>>);

impl held::Place for Seat {
    fn answer(&self, asked: &Asked, answer: Result<&RawValue, &str>) {
        let Self(line, Some(session)) = self else { return };
        // Another session has questions of its own under the same ids.
        if line.current().is_some_and(|current| Arc::ptr_eq(&current, session)) {
            let message = match answer {
                Ok(result) => message::result(asked.id(), result),
                Err(why) => message::refusal(asked.id(), why),
            };
            line.link.post_beside(session.head.clone(), message);
        }
    }
}

impl RemoteServer {
    /// Asks the server which revision it speaks, and for what it offers.
    ///
    /// # Errors
    /// See [`RemoteError`].
    pub async fn prepare(options: RemoteOptions, around: Surroundings<'_>) -> Result<Self, RemoteError> {
        let Surroundings { policy, egress, naming } = around;
        let RemoteOptions { place, headers, start } = options;
        let output = policy.limits.output;
        let link = Arc::new(Link {
            kept: egress.keep(place.target().clone(), place.url(), place.networks().clone())?,
            grants: policy.grants,
            headers,
            breaker: Breaker::default(),
            besides: Arc::new(Semaphore::new(MAX_BESIDES)),
            output,
        });
        let news = Arc::<News>::default();
        let listener: Arc<dyn Listener> = Arc::new(Heard(Arc::clone(&news)));
        let prepared = async {
            let (line, can) = begin(link, &listener).await?;
            let offers = listed(&line, &can, &for_nobody(&line)).await?;
            Ok::<_, RemoteError>((Arc::new(line), can, describe(offers, naming)?))
        };
        let (line, can, description) =
            timeout(start, prepared).await.map_err(|_| RemoteError::Silent { after: start })??;
        let along = for_nobody(&line);
        let sessions = Sessions::new(line, listener, along);
        let (naming, held) = (naming.clone(), Held::default());
        let own = Own { sessions, held, can, naming, start, output, news };
        Ok(Self::of(description, Arc::new(own)))
    }

    fn of(description: Description, own: Arc<Own>) -> Self {
        let mirrored = description.tools.iter().map(|tool| mirrored::of(&tool.input_schema)).enumerate();
        let mirrored = mirrored.filter(|(_, mirrored)| !mirrored.is_empty()).collect();
        Self { description, mirrored, own }
    }

    /// The revision in which it is spoken to.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.own.can.revision
    }

    /// What a request without a session says again in its headers.
    fn head(&self, wanted: &Wanted, invocation: &Invocation) -> Result<HeaderMap, CallError> {
        let mirrored = match invocation.target {
            Target::Tool(tool) => self.mirrored.get(&tool).map_or(&[][..], Vec::as_slice),
            _ => &[],
        };
        let ask = match wanted {
            Wanted::Tool(name) => Ask::Tool(name, &invocation.arguments, mirrored),
            Wanted::Prompt(name) => Ask::Prompt(name, &invocation.arguments),
            Wanted::Resource(uri) => Ask::Resource(uri),
            Wanted::Subscription(_) | Wanted::Completion(_) => return Ok(HeaderMap::new()),
        };
        let repeated = ask.repeated().map_err(|error| CallError::Arguments(error.to_string()))?;
        Ok(repeated.into_iter().collect())
    }

    async fn run(&self, wanted: Wanted, invocation: &mut Invocation) -> Result<Outcome, CallError> {
        let own = &self.own;
        if own.sessions.common.is_stateless() {
            return self.at_once(wanted, invocation).await;
        }
        let mut running = match invocation.dialogue.state.take() {
            Some(state) => {
                let mut running = own.held.take(&state)?;
                running.answered(invocation.dialogue.responses.as_deref());
                running
            }
            None => own.begin(wanted, invocation).await,
        };
        let able = invocation.dialogue.capabilities.as_deref().map(ClientCapabilities::of);
        match running.go_on(able.unwrap_or_default()).await {
            Step::Done(answer) => outcome(answer?, own.output),
            Step::Asks => {
                let questions = own.held.keep(running)?;
                Ok(Outcome { is_error: false, content: Content::Questions(questions) })
            }
        }
    }

    /// One round of a call without a session: what it asks, its result says.
    async fn at_once(&self, wanted: Wanted, invocation: &Invocation) -> Result<Outcome, CallError> {
        let line = &self.own.sessions.common;
        if let Wanted::Subscription(uri) = &wanted {
            self.own.sessions.watched.add(uri)?;
            return outcome(empty()?, self.own.output);
        }
        let level = invocation.notices.as_ref().and_then(Notices::level);
        let headers = self.head(&wanted, invocation)?;
        let along = Besides { headers, ..besides(line, &invocation.dialogue, level) };
        let listening = Listening { notices: invocation.notices.clone(), questions: None };
        let answer = self.own.ask(line, &wanted, &invocation.arguments, along, listening).await?;
        let limit = self.own.output;
        if answer.get().len() as u64 > limit {
            return Err(CallError::Output { limit });
        }
        let nonsense = |why: String| CallError::Trap(format!("the server's result makes no sense: {why}"));
        match answered(answer).map_err(nonsense)? {
            Answered::Complete { result, is_error } => {
                Ok(Outcome { is_error, content: Content::Message(result) })
            }
            Answered::InputRequired { requests, state } => {
                let state = state.map(String::into_bytes);
                if state.as_ref().is_some_and(|state| state.len() > MAX_STATE) {
                    return Err(nonsense(format!("its state has more than {MAX_STATE} bytes")));
                }
                let content = Content::Questions(Questions { requests, state, waiting: None });
                Ok(Outcome { is_error: false, content })
            }
        }
    }
}

impl Own {
    /// Sends a call in a session.
    async fn begin(self: &Arc<Self>, wanted: Wanted, invocation: &Invocation) -> Running<Seat> {
        let line = match wanted {
            // What is told of a resource comes by the stream of this one.
            Wanted::Subscription(ref uri) => {
                // One that is too long, its server may refuse.
                drop(self.sessions.watched.add(uri));
                self.sessions.line(None)
            }
            _ => self.sessions.line(invocation.session),
        };
        if let Some(notices) = &invocation.notices {
            line.log_for(notices).await;
        }
        let (asks, questions) = mpsc::channel(MAX_WAITING);
        let listening = Listening { notices: invocation.notices.clone(), questions: Some(asks) };
        let along = besides(&line, &invocation.dialogue, None);
        let (own, arguments) = (Arc::clone(self), invocation.arguments.clone());
        // One that can't begin is told by the request.
        let session = line.established().await.ok().flatten();
        let seat = Seat(Arc::clone(&line), session);
        let answer = Box::pin(async move { own.ask(&line, &wanted, &arguments, along, listening).await });
        let _lease = Arc::clone(&invocation.lease);
        Running { place: seat, answer, questions, asked: Vec::new(), _lease }
    }

    async fn ask(
        &self,
        line: &Line,
        wanted: &Wanted,
        arguments: &RawValue,
        along: Besides,
        listening: Listening,
    ) -> Result<Box<RawValue>, CallError> {
        if matches!(wanted, Wanted::Completion(_)) && !self.can.completions {
            return nothing_to_complete();
        }
        let answer = line.ask(wanted.request(arguments, along), listening).await;
        answer.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: RequestError) -> CallError {
        match error {
            RequestError::Refused(refusal) => {
                CallError::Refused { code: refusal.code, message: refusal.message, data: refusal.data }
            }
            RequestError::Ended(Ended::TooLong { .. }) => CallError::Output { limit: self.output },
            error @ (RequestError::Ended(Ended::Gone(_)) | RequestError::Full) => {
                CallError::Unavailable(error.to_string())
            }
        }
    }

    /// What is offered now.
    async fn described(&self) -> Result<Description, RemoteError> {
        let line = &self.sessions.common;
        let along = for_nobody(line);
        let offers = timeout(self.start, listed(&**line, &self.can, &along)).await;
        Ok(describe(offers.map_err(|_| RemoteError::Silent { after: self.start })??, &self.naming)?)
    }
}

/// The conversation of a server, in the revision without sessions if it speaks that, else in one with.
async fn begin(link: Arc<Link>, listener: &Arc<dyn Listener>) -> Result<(Line, Greeting), RemoteError> {
    const METHOD: &str = "server/discover";
    let line = Line::stateless(Arc::clone(&link), Arc::clone(listener));
    let request = Request::new(METHOD, "{}".to_owned()).with(for_nobody(&line));
    match line.send(request, Listening::default()).await {
        Ok(Ok(answer)) => {
            if let Ok(can) = discovered(&answer) {
                return Ok((line, can));
            }
        }
        Err(Unsent::Fault(Fault::Network(EgressError::Address { host, ip }))) => {
            return Err(RemoteError::Address { host, ip });
        }
        // It can't be reached, whatever it speaks.
        Err(Unsent::Fault(fault @ (Fault::Network(_) | Fault::Secret(_) | Fault::Open(_)))) => {
            return Err(ClientError::Request { method: METHOD, cause: fault.into() }.into());
        }
        // Who speaks an older revision refuses in one way or another.
        Ok(Err(_)) | Err(_) => {}
    }
    let line = Line::in_session(link, Arc::clone(listener), true);
    let can = line.established().await?.map(|known| known.can.clone()).unwrap_or_default();
    Ok((line, can))
}

/// What goes along with a request. Without a session that is all that a server knows of who asks.
fn besides(line: &Line, dialogue: &Dialogue, level: Option<Level>) -> Besides {
    if !line.is_stateless() {
        let meta = dialogue.meta.as_deref().map(trace).unwrap_or_default();
        return Besides { meta, ..Besides::default() };
    }
    let trace = dialogue.meta.as_deref().map(trace).unwrap_or_default();
    let trace = RawValue::from_string(format!("{{{trace}}}")).ok();
    let capabilities = dialogue.capabilities.as_deref();
    let meta = meta(&Terms { meta: trace.as_deref(), capabilities, level, ..Terms::default() });
    let responses = dialogue.responses.as_ref().map(|answers| format!("\"inputResponses\":{answers}"));
    let state = dialogue.state.as_ref().map(|state| {
        let state = String::from_utf8_lossy(state);
        format!("\"requestState\":{}", quoted(&state))
    });
    let params = [responses, state].into_iter().flatten().collect::<Vec<_>>().join(",");
    Besides { meta, params, headers: HeaderMap::new() }
}

/// What goes along with what is asked for nobody.
fn for_nobody(line: &Line) -> Besides {
    besides(line, &Dialogue::default(), None)
}

fn empty() -> Result<Box<RawValue>, CallError> {
    RawValue::from_string("{}".to_owned()).map_err(|error| CallError::Internal(error.to_string()))
}

#[async_trait]
impl Sandbox for RemoteServer {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn backend(&self) -> Backend {
        Backend::Remote
    }

    /// The call is elsewhere; here are its arguments on their way, and its result, received and kept.
    fn footprint(&self, _: &Target, arguments: usize) -> u64 {
        2 * arguments as u64 + 2 * self.own.output + AROUND as u64 + notice::MAX_MEMORY
    }

    async fn call(&self, mut invocation: Invocation) -> Result<Outcome, CallError> {
        let wanted = wanted(&self.description, &invocation.target);
        let wanted =
            wanted.ok_or_else(|| CallError::Internal("there is no such tool or prompt".to_owned()))?;
        let (account, deadline) = (Account::open(&invocation, Backend::Remote), invocation.deadline);
        account.until(deadline, self.run(wanted, &mut invocation)).await
    }

    fn is_fixed(&self) -> bool {
        false
    }

    fn updates(&self) -> Option<broadcast::Receiver<Arc<str>>> {
        Some(self.own.news.updated.subscribe())
    }

    async fn changed(&self) -> Result<Arc<dyn Sandbox>, String> {
        loop {
            tokio::select! {
                why = self.own.sessions.common.link.breaker.opened() => return Err(why),
                () = self.own.news.changed.notified() => {}
            }
            sleep(News::CALM).await;
            match self.own.described().await {
                Ok(description) if description != self.description => {
                    return Ok(Arc::new(Self::of(description, Arc::clone(&self.own))));
                }
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}
