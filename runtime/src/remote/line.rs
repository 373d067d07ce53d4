//! A conversation with a server elsewhere: without a session, where each request says all (2026-07-28), or in one that
//! begins with the first request, and again where the server has ended it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde_json::value::RawValue;
use tokio::sync::{Mutex as Turn, watch};
use tokio::time::timeout;

use super::error::Fault;
use super::exchange::{Answer, Exchange};
use super::handshake::{Established, shake_hands};
use super::link::Link;
use crate::notice::{Level, Notices};
use crate::peer::client::{self, ClientError};
use crate::peer::single::{Calls, Single};
use crate::peer::stateless::REVISION;
use crate::peer::{
    Conversation, Ended, Listener, Listening, Notification, Request, RequestError, header, message,
};

pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
pub(super) const VERSION: HeaderName = HeaderName::from_static(header::PROTOCOL_VERSION);
const METHOD: HeaderName = HeaderName::from_static(header::METHOD);

/// How long a call waits for that stream. Most servers have it at once, or say that they have none.
const HEARD: Duration = Duration::from_secs(1);

/// How long a session may take to begin. Against a server that takes connections and says nothing, behind which all calls
/// would wait.
const BEGINS: Duration = Duration::from_secs(20);

/// A conversation.
pub(super) struct Line {
    pub(super) link: Arc<Link>,
    listener: Arc<dyn Listener>,
    ids: AtomicU64,
    /// Those under way, for what is told and asked besides their own streams.
    calls: Calls,
    /// Whether it is of several callers.
    pub(super) is_shared: bool,
    /// Whether it was seen if the server has a stream for what it tells besides.
    pub(super) listens: watch::Sender<bool>,
    /// `None` without sessions.
    session: Option<Session>,
}

#[derive(Default)]
struct Session {
    established: Mutex<Option<Arc<Established>>>,
    /// Of who begins one.
    turn: Turn<()>,
    /// From which level on the server logs.
    level: Mutex<Option<Level>>,
    /// Whether there was one before.
    began: AtomicBool,
}

impl Line {
    /// One without sessions.
    pub(super) fn stateless(link: Arc<Link>, listener: Arc<dyn Listener>) -> Self {
        Self::of(link, listener, None)
    }

    /// One in a session, which is yet to begin; of one caller's session, or of all who have none.
    pub(super) fn in_session(link: Arc<Link>, listener: Arc<dyn Listener>, is_shared: bool) -> Self {
        let mut line = Self::of(link, listener, Some(Session::default()));
        line.is_shared = is_shared;
        line
    }

    fn of(link: Arc<Link>, listener: Arc<dyn Listener>, session: Option<Session>) -> Self {
        Self {
            link,
            listener,
            ids: AtomicU64::new(1),
            calls: Calls::default(),
            is_shared: true,
            listens: watch::Sender::new(false),
            session,
        }
    }

    pub(super) fn is_stateless(&self) -> bool {
        self.session.is_none()
    }

    /// The session, which begins if there is none.
    ///
    /// # Errors
    /// Where it can't begin.
    pub(super) async fn established(&self) -> Result<Option<Arc<Established>>, ClientError> {
        let Some(session) = &self.session else { return Ok(None) };
        if let Some(established) = lock(&session.established).clone() {
            return Ok(Some(established));
        }
        let _turn = session.turn.lock().await;
        if let Some(established) = lock(&session.established).clone() {
            return Ok(Some(established));
        }
        let begun = timeout(BEGINS, shake_hands(&self.link, &self.listener)).await;
        let established = Arc::new(begun.map_err(|_| silent())??);
        if session.began.swap(true, Ordering::Relaxed) {
            self.missed();
        }
        *lock(&session.level) = None;
        *lock(&session.established) = Some(Arc::clone(&established));
        Ok(Some(established))
    }

    /// Forgets a session that the server has ended, unless another has begun.
    pub(super) fn forget(&self, ended: &Arc<Established>) {
        let Some(session) = &self.session else { return };
        let mut established = lock(&session.established);
        if established.as_ref().is_some_and(|current| Arc::ptr_eq(current, ended)) {
            *established = None;
        }
    }

    /// A stream that brings what is told and asked besides. Where several callers share the session nobody could tell
    /// whose call that is about, and whose user is to be asked.
    pub(super) fn beside(&self) -> Single {
        let calls = if self.is_shared { Calls::default() } else { self.calls.clone() };
        Single::beside(calls, Arc::clone(&self.listener))
    }

    /// Has the server log what a caller wants to hear, if it does not yet.
    pub(super) async fn log_for(&self, notices: &Notices) {
        let (Some(session), Some(wanted)) = (&self.session, notices.level()) else { return };
        let Ok(Some(established)) = self.established().await else { return };
        let is_told = lock(&session.level).is_some_and(|level| level <= wanted);
        if established.can.logging && !is_told {
            // Whatever it answers: it may log all the same.
            drop(client::set_level(self, wanted).await);
            *lock(&session.level) = Some(wanted);
            // What is logged before there is a stream for it is lost.
            let mut listens = self.listens.subscribe();
            drop(timeout(HEARD, listens.wait_for(|listens| *listens)).await);
        }
    }

    /// What was told may have been told to nobody: lists may be others now.
    pub(super) fn missed(&self) {
        const CHANGED: &str = "notifications/tools/list_changed";
        // Of the others each would have all asked for again.
        if !self.is_shared {
            return;
        }
        self.listener.notified(&Notification { method: CHANGED.to_owned(), params: None });
    }

    /// Its session, where it has one that began.
    pub(super) fn current(&self) -> Option<Arc<Established>> {
        self.session.as_ref().and_then(|session| lock(&session.established).clone())
    }

    /// Sends a request and waits for its answer; begins another session where the server has ended this one.
    ///
    /// # Errors
    /// See [`Fault`].
    pub(super) async fn send(&self, request: Request, listening: Listening) -> Result<Answer, Unsent> {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let progress = listening.notices.as_ref().is_some_and(Notices::progress);
        self.calls.add(id, listening.clone());
        let mut waiting = Waiting { line: self, id, established: None, is_sent: false };
        let mut single = Single::new(id, listening, Arc::clone(&self.listener));
        let (method, mut own) = (request.method, request.besides.headers.clone());
        if self.is_stateless() {
            own.insert(VERSION, HeaderValue::from_static(REVISION));
            own.insert(METHOD, HeaderValue::from_static(method));
        }
        let params = request.into_params(progress.then_some(id));
        let message = Bytes::from(message::request(id, method, &params));
        let mut again = true;
        loop {
            let established = self.established().await?;
            waiting.established.clone_from(&established);
            let mut head = established.as_ref().map(|known| known.head.clone()).unwrap_or_default();
            head.extend(own.clone());
            let limit = self.link.limit_of(method);
            let is_session = established.is_some();
            let mut exchange = Exchange { link: &self.link, head, single, is_session, limit };
            waiting.is_sent = established.is_some();
            let answer = exchange.run(message.clone()).await;
            // Where it is still at work, it is told.
            waiting.is_sent = matches!(answer, Err(Fault::TooLong { .. } | Fault::Nonsense(_)));
            match (answer, established) {
                (Err(Fault::Expired), Some(ended)) if again => {
                    self.forget(&ended);
                    again = false;
                    single = exchange.single;
                }
                (Ok((_, answer)), _) => return Ok(answer),
                (Err(fault), _) => return Err(fault.into()),
            }
        }
    }
}

fn silent() -> ClientError {
    let why = format!("it did not answer within {} s", BEGINS.as_secs());
    ClientError::Request { method: "initialize", cause: Ended::Gone(why).into() }
}

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum Unsent {
    /// It did not come through.
    Fault(Fault),
    /// There is no session for it.
    Session(ClientError),
}

impl From<Fault> for Unsent {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<ClientError> for Unsent {
    fn from(error: ClientError) -> Self {
        Self::Session(error)
    }
}

impl From<Unsent> for RequestError {
    fn from(unsent: Unsent) -> Self {
        match unsent {
            Unsent::Fault(fault) => fault.into(),
            Unsent::Session(other) => Self::Ended(Ended::Gone(other.to_string())),
        }
    }
}

impl Conversation for Line {
    async fn ask(&self, request: Request, listening: Listening) -> Result<Box<RawValue>, RequestError> {
        Ok(self.send(request, listening).await.map_err(RequestError::from)??)
    }

    async fn tell(&self, method: &'static str, params: &'static str) {
        let head = self.current().map(|known| known.head.clone()).unwrap_or_default();
        self.link.post_beside(head, message::notification(method, params));
    }
}

/// A request without an answer. Dropped while it is sent, it is withdrawn: in a session the end of its connection says
/// nothing.
struct Waiting<'a> {
    line: &'a Line,
    id: u64,
    established: Option<Arc<Established>>,
    is_sent: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.line.calls.remove(self.id);
        if let Some(established) = self.established.as_ref().filter(|_| self.is_sent) {
            let params = format!("{{\"requestId\":{}}}", self.id);
            let withdrawn = message::notification("notifications/cancelled", &params);
            self.line.link.post_beside(established.head.clone(), withdrawn);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let established = self.session.as_ref().and_then(|session| lock(&session.established).take());
        let Some(established) = established.filter(|known| known.head.contains_key(&SESSION)) else { return };
        self.link.delete(established.head.clone());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
