//! POST and DELETE of an MCP endpoint: a body to messages, their era, their answers.

use http::{HeaderMap, Request, StatusCode};
use hyper::body::Incoming;

use super::accept::{self, Format};
use super::body;
use super::listen::Shared;
use super::reply::{self, Reply};
use super::stream::Phase;
use crate::auth::Principal;
use crate::catalog::View;
use crate::error::Error;
use crate::mcp::answer::{Context, answer};
use crate::mcp::envelope::{self, Fault, Frame, Message, Notification, Request as Call};
use crate::mcp::era::{self, Era};
use crate::mcp::headers::{self, PROTOCOL_VERSION, SESSION_ID};
use crate::mcp::id::Id;
use crate::mcp::initialize;
use crate::mcp::params::Params;
use crate::mcp::revision::Revision;
use crate::mcp::session::Session;
use crate::respond;

/// What one POST brings along.
struct Post<'a> {
    shared: &'a Shared,
    headers: &'a HeaderMap,
    context: Context,
    format: Format,
    /// The version header, and its revision if it is one.
    version: Option<&'a str>,
    revision: Option<Revision>,
}

/// Answers a POST.
pub(super) async fn post(shared: &Shared, phase: &Phase, view: View, request: Request<Incoming>) -> Reply {
    let (head, incoming) = request.into_parts();
    let context = Context { principal: Principal::local(), view };
    let post = match Post::new(shared, &head.headers, context) {
        Ok(post) => post,
        Err(error) => {
            phase.refuse_body();
            return reply::error(Format::Json, None, None, &error);
        }
    };
    let settings = &shared.settings;
    match body::read(incoming, settings.body, settings.body_timeout, &shared.bodies).await {
        Ok(whole) => post.answer(&whole.bytes).await,
        Err(error) => {
            phase.refuse_body();
            post.refuse(None, &error)
        }
    }
}

/// Ends a session.
pub(super) fn delete(shared: &Shared, request: &Request<Incoming>) -> Result<Reply, Error> {
    let session = session(shared, request.headers())?;
    shared.gateway.sessions().end(session);
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

fn session(shared: &Shared, headers: &HeaderMap) -> Result<Session, Error> {
    let token = headers::single(headers, SESSION_ID, "Mcp-Session-Id")?.ok_or(Error::SessionMissing)?;
    shared.gateway.sessions().verify(token)
}

impl<'a> Post<'a> {
    fn new(shared: &'a Shared, headers: &'a HeaderMap, context: Context) -> Result<Self, Error> {
        accept::check_content_type(headers)?;
        let format = accept::format(headers)?;
        let version = headers::single(headers, PROTOCOL_VERSION, "MCP-Protocol-Version")?;
        let revision = version.and_then(Revision::parse);
        Ok(Self { shared, headers, context, format, version, revision })
    }

    async fn answer(&self, body: &[u8]) -> Reply {
        match envelope::parse(body) {
            Ok(Frame::One(Message::Request(request))) => self.request(&request).await,
            Ok(Frame::One(Message::Notification(notification))) => {
                self.accepted(self.notification(&notification))
            }
            Ok(Frame::One(Message::Response)) => self.accepted(self.response()),
            Ok(Frame::Batch(messages)) => match self.batch_session() {
                Ok(session) => self.batch(session, messages).await,
                Err(error) => self.refuse(None, &error),
            },
            Err(fault) => self.refuse(fault.id.as_ref(), &fault.error),
        }
    }

    async fn request(&self, request: &Call<'_>) -> Reply {
        match self.try_request(request).await {
            Ok(reply) => reply,
            Err(error) => self.refuse(Some(&request.id), &error),
        }
    }

    async fn try_request(&self, request: &Call<'_>) -> Result<Reply, Error> {
        let params = Params::parse(request.params)?;
        match era::over_http(self.version, &params.meta()?)? {
            Era::Stateless(revision) => {
                headers::check(self.headers, &request.method, &params)?;
                let gateway = &self.shared.gateway;
                let result = answer(gateway, &self.context, revision, request, &params).await?;
                Ok(reply::message(self.format, respond::success(&request.id, &result)))
            }
            Era::Session(_) if request.method == "initialize" => {
                let (revision, result) = initialize::result(&params)?;
                let token = self.shared.gateway.sessions().open(revision);
                let message = respond::success(&request.id, &result);
                Ok(reply::with_session(reply::message(self.format, message), &token))
            }
            Era::Session(_) => {
                let session = session(self.shared, self.headers)?;
                let message = self.in_session(session, request, &params).await?;
                Ok(reply::message(self.format, message))
            }
        }
    }

    /// Answers a request of a session; its client may cancel it meanwhile.
    async fn in_session(
        &self,
        session: Session,
        request: &Call<'_>,
        params: &Params<'_>,
    ) -> Result<Vec<u8>, Error> {
        let gateway = &self.shared.gateway;
        let key = (session.id, request.id.clone());
        let answer = answer(gateway, &self.context, session.revision, request, params);
        let result = gateway.sessions().flight().run(key, answer).await?;
        Ok(respond::success(&request.id, &result))
    }

    fn notification(&self, notification: &Notification<'_>) -> Result<(), Error> {
        if self.is_stateless()? {
            // None means anything over HTTP: a client cancels by closing the connection.
            return Ok(());
        }
        self.notify(session(self.shared, self.headers)?, notification)
    }

    fn notify(&self, session: Session, notification: &Notification<'_>) -> Result<(), Error> {
        if notification.method == "notifications/cancelled" {
            let params = Params::parse(notification.params)?;
            if let Some(Ok(id)) = params.request_id.map(Id::parse) {
                self.shared.gateway.sessions().flight().cancel(&(session.id, id));
            }
        }
        Ok(())
    }

    fn response(&self) -> Result<(), Error> {
        if self.is_stateless()? {
            return Err(Error::InvalidRequest("no request was sent to answer to".to_owned()));
        }
        session(self.shared, self.headers).map(drop)
    }

    /// Whether the header names a stateless revision.
    fn is_stateless(&self) -> Result<bool, Error> {
        match (self.version, self.revision) {
            (None, _) => Ok(false),
            (Some(_), Some(revision)) => Ok(revision.is_stateless()),
            (Some(version), None) => Err(era::unsupported(version)),
        }
    }

    fn batch_session(&self) -> Result<Session, Error> {
        let no_batches = || {
            let reason = format!("only revision {} has batches", Revision::V2025_03_26.as_str());
            Err(Error::InvalidRequest(reason))
        };
        if self.is_stateless()? || self.revision.is_some_and(|r| !r.has_batches()) {
            return no_batches();
        }
        let session = session(self.shared, self.headers)?;
        if session.revision.has_batches() { Ok(session) } else { no_batches() }
    }

    async fn batch(&self, session: Session, messages: Vec<Result<Message<'_>, Fault>>) -> Reply {
        let mut answers = Vec::new();
        for message in messages {
            match message {
                Ok(Message::Request(request)) => {
                    answers.extend(self.batched(session, &request).await);
                }
                Ok(Message::Notification(notification)) => {
                    if let Err(error) = self.notify(session, &notification) {
                        tracing::debug!(%error, "ignored a notification");
                    }
                }
                Ok(Message::Response) => {}
                Err(fault) => answers.push(self.error(fault.id.as_ref(), &fault.error)),
            }
        }
        if answers.is_empty() {
            return reply::empty(StatusCode::ACCEPTED);
        }
        let joined = [b"[", &answers.join(&b',')[..], b"]"].concat();
        reply::message(self.format, joined)
    }

    async fn batched(&self, session: Session, request: &Call<'_>) -> Option<Vec<u8>> {
        let answered = match Params::parse(request.params) {
            Ok(params) => self.in_session(session, request, &params).await,
            Err(error) => Err(error),
        };
        match answered {
            Ok(message) => Some(message),
            Err(Error::Cancelled) => None,
            Err(error) => Some(self.error(Some(&request.id), &error)),
        }
    }

    fn accepted(&self, outcome: Result<(), Error>) -> Reply {
        match outcome {
            Ok(()) => reply::empty(StatusCode::ACCEPTED),
            Err(error) => self.refuse(None, &error),
        }
    }

    fn error(&self, id: Option<&Id>, error: &Error) -> Vec<u8> {
        respond::error(id, error, respond::wire(error, self.revision).code)
    }

    fn refuse(&self, id: Option<&Id>, error: &Error) -> Reply {
        tracing::debug!(%error, code = error.code(), "refused a message");
        reply::error(self.format, self.revision, id, error)
    }
}
