//! Questions to clients of sessions: requests that the gateway itself sends, and the answers to them.
//!
//! A question goes out on the stream of the call that it is for; its answer comes as a message of the same session,
//! to the process that asked. What asks is kept here until it is answered, or nobody waits any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use toolgate_runtime::sandbox::CallError;

use super::envelope::Response;
use super::id::Id;
use super::params::is_object;
use super::questions::Question;
use super::session::SessionId;
use crate::error::Error;
use crate::json::{raw, string};

/// How long a client may take to answer a question.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Questions without an answer, of all sessions and of one. Against memory filled by clients that answer none.
const MAX_PENDING: usize = 16_384;
const MAX_OF_SESSION: usize = 64;

/// Bytes of an answer. Against what is kept until the call goes on.
const MAX_ANSWER: usize = 1024 * 1024;

/// Bytes of a client's own words that are kept.
const MAX_WORDS: usize = 1024;

/// The questions of this process.
#[derive(Debug)]
pub struct Inquiries {
    /// What tells this process's questions from those of other replicas.
    prefix: String,
    pending: Mutex<Pending>,
}

#[derive(Debug, Default)]
struct Pending {
    last: u64,
    waiting: HashMap<(SessionId, Id), oneshot::Sender<Answered>>,
}

/// A result, or an error in words.
type Answered = Result<Box<RawValue>, String>;

/// Asks the client of one call.
#[derive(Debug)]
pub struct Inquirer {
    inquiries: Arc<Inquiries>,
    session: SessionId,
    stream: mpsc::Sender<Vec<u8>>,
}

impl Default for Inquiries {
    fn default() -> Self {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("the system has random bytes");
        Self { prefix: format!("toolgate-{:016x}-", u64::from_be_bytes(bytes)), pending: Mutex::default() }
    }
}

impl Inquiries {
    /// Who asks the client of a call in that session, and where its questions come out.
    #[must_use]
    pub fn inquirer(self: &Arc<Self>, session: SessionId) -> (Inquirer, mpsc::Receiver<Vec<u8>>) {
        let (stream, questions) = mpsc::channel(1);
        (Inquirer { inquiries: Arc::clone(self), session, stream }, questions)
    }

    /// Takes an answer of a client.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for an answer to no question of this process.
    pub fn answered(&self, session: SessionId, response: &Response<'_>) -> Result<(), Error> {
        let unknown = || {
            let reason = "no request of that id waits for an answer here: it was answered, was withdrawn, or is of another replica";
            Error::InvalidRequest(reason.to_owned())
        };
        let id = response.id.clone().ok_or_else(unknown)?;
        let waiting = self.pending().waiting.remove(&(session, id)).ok_or_else(unknown)?;
        // Fails where nobody waits any more.
        let _ = waiting.send(answer(response));
        Ok(())
    }

    fn ask(&self, session: SessionId) -> Result<(Id, oneshot::Receiver<Answered>), Error> {
        let mut pending = self.pending();
        let of_session = pending.waiting.keys().filter(|(own, _)| *own == session);
        // Counting is for those who have many alone.
        if pending.waiting.len() >= MAX_PENDING || of_session.take(MAX_OF_SESSION).count() == MAX_OF_SESSION {
            return Err(Error::InvalidRequest(
                "too many questions to this client wait for an answer".to_owned(),
            ));
        }
        pending.last += 1;
        let id = Id::of_text(&format!("{}{}", self.prefix, pending.last));
        let (sender, receiver) = oneshot::channel();
        pending.waiting.insert((session, id.clone()), sender);
        Ok((id, receiver))
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(response: &Response<'_>) -> Answered {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(default)]
        message: String,
    }
    match (response.result, response.error) {
        (Some(result), _) if result.get().len() > MAX_ANSWER => {
            Err(format!("its answer has more than {MAX_ANSWER} bytes"))
        }
        (Some(result), _) if is_object(result) => Ok(result.to_owned()),
        (Some(_), _) => Err("its answer is no object".to_owned()),
        (None, error) => {
            let refusal = error.and_then(|error| serde_json::from_str(error.get()).ok());
            let mut words = refusal.map_or_else(String::new, |Refusal { message }| message);
            words.truncate(words.floor_char_boundary(MAX_WORDS));
            Err(words)
        }
    }
}

impl Inquirer {
    /// Asks the questions of one round, all at once, and gives the answers by their names: a JSON object.
    ///
    /// # Errors
    /// [`CallError::Refused`] where the client does not answer one of them.
    pub async fn ask(&self, questions: &[Question<'_>]) -> Result<Box<RawValue>, CallError> {
        let mut waiting = Vec::new();
        for question in questions {
            let (id, receiver) =
                self.inquiries.ask(self.session).map_err(|error| refused(&error.to_string()))?;
            let asked = Asked { inquirer: self, id };
            // Fails where nobody reads any more, and then the call is dropped too.
            let _ = self.stream.send(request(&asked.id, question)).await;
            waiting.push((question, asked, receiver));
        }
        let mut answers = b"{".to_vec();
        for (question, asked, receiver) in waiting {
            let answer = match timeout(PATIENCE, receiver).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err("its session has ended".to_owned()),
                Err(_) => Err(format!("it did not answer within {} s", PATIENCE.as_secs())),
            };
            drop(asked);
            let answer = answer.map_err(|why| refused(&format!("{}: {why}", question.method)))?;
            if answers.len() > 1 {
                answers.push(b',');
            }
            string(&mut answers, &question.name);
            answers.push(b':');
            raw(&mut answers, answer.get());
        }
        answers.push(b'}');
        let answers = String::from_utf8(answers).map_err(|error| CallError::Internal(error.to_string()))?;
        RawValue::from_string(answers).map_err(|error| CallError::Internal(error.to_string()))
    }
}

fn refused(why: &str) -> CallError {
    let message = format!("the client did not answer what the tool asked: {why}");
    CallError::Refused { code: -32603, message, data: None }
}

/// A question that is asked; dropped, nobody waits for its answer any more.
struct Asked<'a> {
    inquirer: &'a Inquirer,
    id: Id,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let Inquirer { inquiries, session, .. } = self.inquirer;
        inquiries.pending().waiting.remove(&(*session, self.id.clone()));
    }
}

fn request(id: &Id, question: &Question<'_>) -> Vec<u8> {
    let mut out = br#"{"jsonrpc":"2.0","id":"#.to_vec();
    raw(&mut out, id.json());
    raw(&mut out, r#","method":"#);
    string(&mut out, &question.method);
    if let Some(params) = question.params {
        raw(&mut out, r#","params":"#);
        raw(&mut out, params.get());
    }
    out.push(b'}');
    out
}
