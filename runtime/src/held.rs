//! Calls of servers that ask their client before they go on, and wait for that.
//!
//! A server asks in the middle of a call, which goes on with the answer. Our client may hear of the question by the
//! result of its request, and answer with the next; so meanwhile the call is held here, with its place at the
//! server and the memory that was set aside for it. Whoever knows its id goes on with it, and the gateway sees to it that
//! this is who began it. A call that nobody comes back for is given up.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::peer::{Asked, ClientCapabilities, MAX_WAITING};
use crate::sandbox::{CallError, Lease, Questions, Waiting};

/// How long a client may take to come back.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// How long after a question others of the same moment are waited for.
const TOGETHER: Duration = Duration::from_millis(10);

/// Calls of one server that are held. Against containers and memory held by clients that never come back.
const MAX_HELD: usize = 64;

type Id = [u8; 16];
type Answer = Result<Box<RawValue>, CallError>;

/// Where a call runs.
pub(crate) trait Place: Send + 'static {
    /// Answers what the server asked.
    fn answer(&self, asked: &Asked, answer: Result<&RawValue, &str>);
}

/// A call under way.
pub(crate) struct Running<P> {
    /// Goes first: it tells the server that nobody waits.
    pub(crate) answer: Pin<Box<dyn Future<Output = Answer> + Send>>,
    pub(crate) questions: mpsc::Receiver<Asked>,
    /// Without an answer so far.
    pub(crate) asked: Vec<Asked>,
    pub(crate) place: P,
    pub(crate) _lease: Lease,
}

/// How far a call has come.
pub(crate) enum Step {
    /// It is over.
    Done(Answer),
    /// It waits for answers.
    Asks,
}

impl<P: Place> Running<P> {
    /// Goes on until it is over, or until its client has to be asked. What that can't be asked is refused here.
    pub(crate) async fn go_on(&mut self, able: ClientCapabilities) -> Step {
        loop {
            let asked = tokio::select! {
                biased;
                answer = &mut self.answer => return Step::Done(answer),
                Some(asked) = self.questions.recv() => asked,
            };
            self.take(asked, able);
            // What is asked at once need not come in one piece.
            while self.asked.len() < MAX_WAITING
                && let Ok(Some(asked)) = timeout(TOGETHER, self.questions.recv()).await
            {
                self.take(asked, able);
            }
            if !self.asked.is_empty() {
                return Step::Asks;
            }
        }
    }

    fn take(&mut self, asked: Asked, able: ClientCapabilities) {
        let missing = asked.needed().without(able);
        match missing.is_empty() {
            true => self.asked.push(asked),
            false => self.place.answer(&asked, Err(&format!("the client lacks {}", missing.json()))),
        }
    }

    /// Gives the server what its client answered, a JSON object by the names that [`questions`](Self::questions)
    /// gave; what is not in it is refused.
    pub(crate) fn answered(&mut self, responses: Option<&RawValue>) {
        let responses = responses.and_then(|responses| serde_json::from_str(responses.get()).ok());
        let responses: HashMap<String, &RawValue> = responses.unwrap_or_default();
        for (name, asked) in self.asked.drain(..).enumerate() {
            let answer = responses.get(&name.to_string()).copied();
            self.place.answer(&asked, answer.ok_or("the client did not answer"));
        }
    }

    /// What it asks: a JSON object of requests by name.
    fn questions(&self) -> Result<Box<RawValue>, CallError> {
        let one = |(name, asked): (usize, &Asked)| {
            let params =
                asked.params.as_ref().map_or_else(String::new, |params| format!(",\"params\":{params}"));
            format!("\"{name}\":{{\"method\":\"{}\"{params}}}", asked.method)
        };
        let requests: Vec<_> = self.asked.iter().enumerate().map(one).collect();
        let requests = RawValue::from_string(format!("{{{}}}", requests.join(",")));
        requests.map_err(|error| CallError::Internal(error.to_string()))
    }
}

/// The calls of a server that are held.
pub(crate) struct Held<P>(Arc<All<P>>);

type All<P> = Mutex<HashMap<Id, Kept<P>>>;

/// A call that is held, and what gives it up in time.
struct Kept<P> {
    running: Running<P>,
    timer: AbortHandle,
}

impl<P> Default for Held<P> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<P: Place> Held<P> {
    /// Holds a call until its client has answered.
    ///
    /// # Errors
    /// [`CallError::Unavailable`] where as many are held as may be.
    pub(crate) fn keep(&self, running: Running<P>) -> Result<Questions, CallError> {
        let requests = running.questions()?;
        let mut id = Id::default();
        getrandom::fill(&mut id).map_err(|error| CallError::Internal(error.to_string()))?;
        {
            let mut held = lock(&self.0);
            if held.len() >= MAX_HELD {
                return Err(CallError::Unavailable(format!("{MAX_HELD} calls wait for their clients")));
            }
            let timer = tokio::spawn(give_up_late(Arc::downgrade(&self.0), id)).abort_handle();
            held.insert(id, Kept { running, timer });
        }
        let held = Arc::downgrade(&self.0);
        let waiting = Some(Waiting::new(move || give_up(&held, id)));
        Ok(Questions { requests, state: Some(id.to_vec()), waiting })
    }

    /// The call of that id, to go on with it.
    ///
    /// # Errors
    /// [`CallError::Refused`] where it is held no more, or by another replica.
    pub(crate) fn take(&self, id: &[u8]) -> Result<Running<P>, CallError> {
        let kept = Id::try_from(id).ok().and_then(|id| lock(&self.0).remove(&id));
        let running = kept.map(|Kept { running, timer }| {
            timer.abort();
            running
        });
        running.ok_or_else(|| {
            let message =
                "the call that asked is not held here: it has ended, or is of another replica; call again";
            CallError::Refused { code: -32602, message: message.to_owned(), data: None }
        })
    }
}

async fn give_up_late<P: Place>(held: Weak<All<P>>, id: Id) {
    sleep(PATIENCE).await;
    give_up(&held, id);
}

fn give_up<P: Place>(held: &Weak<All<P>>, id: Id) {
    let kept = held.upgrade().and_then(|held| lock(&held).remove(&id));
    // Not under the lock, as it tells the container. The timer may be what runs this, so it is ended last.
    if let Some(Kept { running, timer }) = kept {
        drop(running);
        timer.abort();
    }
}

fn lock<P>(held: &All<P>) -> MutexGuard<'_, HashMap<Id, Kept<P>>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
