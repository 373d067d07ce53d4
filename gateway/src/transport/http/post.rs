//! POST and DELETE of an MCP endpoint: a body to messages, their era, their answers.
//!
//! What a body asks is read first; then the body is let go of, and the request runs.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, Request, StatusCode};
use hyper::body::Incoming;

use super::accept::{self, Accepted, Format};
use super::body::{self, Whole};
use super::listen::Shared;
use super::listening;
use super::reply::{self, Reply};
use super::run::Run;
use super::stream::Phase;
use super::turn;
use crate::auth::Principal;
use crate::error::Error;
use crate::mcp::answer::{Answer, Asked, Context, Conversation, ask};
use crate::mcp::changes::Changes;
use crate::mcp::envelope::{self, Frame, Message, Notification, Request as Call, Response};
use crate::mcp::era::{self, Era};
use crate::mcp::headers::{self, PROTOCOL_VERSION, SESSION_ID};
use crate::mcp::id::Id;
use crate::mcp::initialize;
use crate::mcp::params::{Params, text};
use crate::mcp::revision::Revision;
use crate::mcp::session::Session;
use crate::mcp::subscription::Filter;
use crate::mcp::trace::Trace;
use crate::respond;
use toolgate_runtime::peer::ClientCapabilities;

/// What one POST brings along.
pub(super) struct Post<'a> {
    pub(super) shared: &'a Shared,
    pub(super) headers: &'a HeaderMap,
    pub(super) context: Context,
    pub(super) accepted: Accepted,
    /// The version header, and its revision if it is one.
    version: Option<&'a str>,
    pub(super) revision: Option<Revision>,
}

/// Answers a POST.
pub(super) async fn post(
    shared: &Shared,
    phase: &Phase,
    context: Context,
    request: Request<Incoming>,
) -> Reply {
    let (head, incoming) = request.into_parts();
    let post = match Post::new(shared, &head.headers, context) {
        Ok(post) => post,
        Err(error) => {
            phase.refuse_body();
            return reply::error(Format::Json, None, None, &error);
        }
    };
    let settings = &shared.settings;
    match body::read(incoming, settings.body, settings.body_timeout, &shared.bodies).await {
        Ok(whole) => post.answer(whole).await,
        Err(error) => {
            phase.refuse_body();
            post.refuse(None, &error)
        }
    }
}

/// What a message wants.
enum Step {
    /// Nothing more.
    Reply(Reply),
    /// To be run.
    Run(Run),
}

/// Ends a session.
pub(super) fn delete(
    shared: &Shared,
    principal: &Principal,
    request: &Request<Incoming>,
) -> Result<Reply, Error> {
    let session = session(shared, principal, request.headers())?;
    shared.gateway.sessions().end(session);
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

fn session(shared: &Shared, principal: &Principal, headers: &HeaderMap) -> Result<Session, Error> {
    let token = headers::single(headers, SESSION_ID, "Mcp-Session-Id")?.ok_or(Error::SessionMissing)?;
    shared.gateway.sessions().verify(principal, token)
}

impl<'a> Post<'a> {
    fn new(shared: &'a Shared, headers: &'a HeaderMap, context: Context) -> Result<Self, Error> {
        accept::check_content_type(headers)?;
        let accepted = accept::accepted(headers)?;
        let version = headers::single(headers, PROTOCOL_VERSION, "MCP-Protocol-Version")?;
        let revision = version.and_then(Revision::parse);
        Ok(Self { shared, headers, context, accepted, version, revision })
    }

    async fn answer(&self, whole: Whole) -> Reply {
        let run = match envelope::parse(&whole.bytes) {
            Ok(Frame::Batch(messages)) => {
                return match self.batch_session() {
                    Ok(session) => self.batch(session, messages).await,
                    Err(error) => self.refuse(None, &error),
                };
            }
            Ok(Frame::One(message)) => match self.one(&message) {
                Step::Reply(reply) => return reply,
                Step::Run(run) => run,
            },
            Err(fault) => return self.refuse(fault.id.as_ref(), &fault.error),
        };
        let _share = whole.release(run.asked.size());
        let id = run.id.clone();
        let began = Instant::now();
        let answered = self.run(run).await;
        turn::end(began).await;
        match answered {
            Ok(reply) => reply,
            Err(error) => self.refuse(Some(&id), &error),
        }
    }

    fn one(&self, message: &Message<'_>) -> Step {
        match message {
            Message::Request(request) => match self.request(request) {
                Ok(step) => step,
                Err(error) => Step::Reply(self.refuse(Some(&request.id), &error)),
            },
            Message::Notification(notification) => {
                Step::Reply(self.accepted(self.notification(notification)))
            }
            Message::Response(response) => Step::Reply(self.accepted(self.response(response))),
        }
    }

    fn request(&self, request: &Call<'_>) -> Result<Step, Error> {
        let params = Params::parse(request.params)?;
        match era::over_http(self.version, params.meta()?)? {
            Era::Stateless(revision) => {
                headers::check(self.headers, &request.method, &params)?;
                self.check_mirrored(&request.method, &params)?;
                let asked = ask(&self.shared.gateway, self.stateless(revision), request, &params)?;
                let id = request.id.clone();
                match asked {
                    Asked::Listen(filter) => self.subscribed(id, filter).map(Step::Reply),
                    asked => Ok(Step::Run(Run { id, asked, session: None })),
                }
            }
            Era::Session(_) if request.method == "initialize" => {
                let (revision, capabilities, result) = initialize::result(&self.shared.gateway, &params)?;
                let sessions = self.shared.gateway.sessions();
                let token = sessions.open(&self.context.principal, revision, capabilities);
                let answer = Answer::Written(result);
                let size = respond::success_size(&request.id, &answer);
                let write = |out: &mut _| respond::success(out, &request.id, &answer);
                let reply = reply::message(self.accepted.format, None, size, write);
                Ok(Step::Reply(reply::with_session(reply, &token)))
            }
            Era::Session(_) => self.in_session(self.session()?, request, &params).map(Step::Run),
        }
    }

    /// Of a tool, the headers that repeat some of its arguments.
    fn check_mirrored(&self, method: &str, params: &Params<'_>) -> Result<(), Error> {
        if method != "tools/call" {
            return Ok(());
        }
        let Context { principal, view } = &self.context;
        let tool = || params.name.and_then(text).map(Cow::into_owned);
        match &self.shared.gateway.mirrored(view, tool, principal.servers())[..] {
            [] => Ok(()),
            mirrored => headers::check_mirrored(self.headers, mirrored, &params.arguments()?),
        }
    }

    pub(super) fn in_session(
        &self,
        session: Session,
        request: &Call<'_>,
        params: &Params<'_>,
    ) -> Result<Run, Error> {
        let conversation = Conversation {
            context: &self.context,
            revision: session.revision,
            session: Some(session.id),
            capabilities: session.capabilities,
            trace: Trace::of(self.headers),
        };
        let asked = ask(&self.shared.gateway, conversation, request, params)?;
        Ok(Run { id: request.id.clone(), asked, session: Some(session) })
    }

    fn subscribed(&self, id: Id, filter: Filter) -> Result<Reply, Error> {
        if !self.accepted.events {
            return Err(Error::NotAcceptable);
        }
        let (gateway, context) = (Arc::clone(&self.shared.gateway), self.context.clone());
        Ok(listening::subscribed(Changes::subscribed(gateway, context, id, filter)))
    }

    /// A conversation of one request, which says itself what its client can do.
    fn stateless(&self, revision: Revision) -> Conversation<'_> {
        let capabilities = ClientCapabilities::default();
        let trace = Trace::of(self.headers);
        Conversation { context: &self.context, revision, session: None, capabilities, trace }
    }

    fn notification(&self, notification: &Notification<'_>) -> Result<(), Error> {
        if self.is_stateless()? {
            // None means anything over HTTP: a client cancels by closing the connection. But a proxy
            // may have let it pass for its headers.
            let params = Params::parse(notification.params)?;
            return headers::check(self.headers, &notification.method, &params);
        }
        self.notify(self.session()?, notification)
    }

    pub(super) fn notify(&self, session: Session, notification: &Notification<'_>) -> Result<(), Error> {
        if notification.method == "notifications/cancelled" {
            let params = Params::parse(notification.params)?;
            if let Some(Ok(id)) = params.request_id.map(Id::parse) {
                self.shared.gateway.sessions().flight().cancel(&(session.id, id));
            }
        }
        Ok(())
    }

    pub(super) fn response(&self, response: &Response<'_>) -> Result<(), Error> {
        if self.is_stateless()? {
            return Err(Error::InvalidRequest("no request was sent to answer to".to_owned()));
        }
        self.shared.gateway.sessions().inquiries().answered(self.session()?.id, response)
    }

    /// The session that the headers name, in the revision that they name.
    pub(super) fn session(&self) -> Result<Session, Error> {
        let session = session(self.shared, &self.context.principal, self.headers)?;
        match self.revision {
            Some(revision) if revision != session.revision => Err(Error::InvalidRequest(format!(
                "MCP-Protocol-Version is {}, but the session speaks {}",
                revision.as_str(),
                session.revision.as_str()
            ))),
            _ => Ok(session),
        }
    }

    /// Whether the header names a stateless revision.
    pub(super) fn is_stateless(&self) -> Result<bool, Error> {
        match (self.version, self.revision) {
            (None, _) => Ok(false),
            (Some(_), Some(revision)) => Ok(revision.is_stateless()),
            (Some(version), None) => Err(era::unsupported(version)),
        }
    }

    fn accepted(&self, outcome: Result<(), Error>) -> Reply {
        match outcome {
            Ok(()) => reply::empty(StatusCode::ACCEPTED),
            Err(error) => self.refuse(None, &error),
        }
    }

    pub(super) fn error(&self, id: Option<&Id>, error: &Error) -> Vec<u8> {
        respond::error(id, error, respond::wire(error, self.revision).code)
    }

    pub(super) fn refuse(&self, id: Option<&Id>, error: &Error) -> Reply {
        tracing::debug!(%error, code = error.code(), "refused a message");
        reply::error(self.accepted.format, self.revision, id, error)
    }
}
