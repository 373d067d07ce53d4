//! Runs a request that was read: to one answer, or to a stream of events that ends with it.
//!
//! It is a stream once there is something to tell before the answer, where its client reads streams. In a session
//! such a stream outlasts its connection, see [`resumable`](super::resumable); and there, in a revision whose streams
//! may begin with nothing, what takes its time is one, too, so that no answer is lost with a connection.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use tokio::time::timeout;

use super::events::{Answered, Events};
use super::post::Post;
use super::reply::{self, Reply, Stream};
use super::resumable::{Owner, Reading, Running};
use crate::error::Error;
use crate::mcp::answer::{Answer, Asked};
use crate::mcp::id::Id;
use crate::mcp::notices::Heard;
use crate::mcp::revision::Revision;
use crate::mcp::session::Session;
use crate::respond;
use crate::transport::budget::{Share, UNIT};

/// A request that was read.
pub(super) struct Run {
    pub(super) id: Id,
    pub(super) asked: Asked,
    /// The session in which its client may cancel it.
    pub(super) session: Option<Session>,
}

/// The answer, as it is made.
type Making = Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send>>;

/// What comes first of a request.
enum Come {
    /// A notification or a request to its client, and perhaps the answer too.
    Told(Vec<u8>, Option<Result<Answer, Error>>),
    /// The answer alone.
    Answered(Result<Answer, Error>),
}

async fn first(heard: &mut Heard, making: &mut Making) -> Come {
    tokio::select! {
        biased;
        first = poll_fn(|turn| heard.poll_next(turn)) => Come::Told(first, None),
        answer = making => match heard.told() {
            Some(first) => Come::Told(first, Some(answer)),
            None => Come::Answered(answer),
        },
    }
}

impl Post<'_> {
    pub(super) async fn run(&self, mut run: Run) -> Result<Reply, Error> {
        let mut share = self.shared.answers.share();
        // Before the tool runs, so that none runs in vain while clients read nothing.
        share.answer(UNIT)?;
        let heard = if self.accepted.events { run.asked.listen() } else { None };
        let (id, owner) = (run.id.clone(), self.owner(&run));
        let is_primed = owner.as_ref().is_some_and(|owner| owner.is_primed);
        if heard.is_none() && !is_primed {
            let answer = self.answered(run).await?;
            return self.reply(&id, &answer, share);
        }
        let mut heard = heard.unwrap_or_default();
        let mut making: Making = Box::pin(self.answered(run));
        let come = match is_primed {
            false => first(&mut heard, &mut making).await,
            true => match timeout(self.shared.settings.primed_after, first(&mut heard, &mut making)).await {
                Ok(come) => come,
                Err(_) => match self.open(owner.clone()) {
                    Some(reading) => {
                        let answered = last(id, self.revision, None, making, share);
                        return Ok(self.kept(reading, None, heard, answered));
                    }
                    None => first(&mut heard, &mut making).await,
                },
            },
        };
        let (first, answer) = match come {
            Come::Answered(answer) => return self.reply(&id, &answer?, share),
            Come::Told(first, answer) => (first, answer),
        };
        let answered = last(id, self.revision, answer, making, share);
        Ok(match self.open(owner) {
            Some(reading) => self.kept(reading, Some(&first), heard, answered),
            None => reply::stream(Stream::Events(Events::new(first, heard, answered))),
        })
    }

    /// Whose the stream of a request would be, if its client could come back to it.
    fn owner(&self, run: &Run) -> Option<Owner> {
        let Session { id, revision, .. } = run.session?;
        (self.accepted.events && matches!(run.asked, Asked::Call(_))).then(|| Owner {
            session: id,
            is_primed: revision.has_primed_streams(),
            context: self.context.clone(),
        })
    }

    fn open(&self, owner: Option<Owner>) -> Option<Reading> {
        self.shared.streams.open(owner?, self.shared.answers.share())
    }

    fn kept(&self, reading: Reading, first: Option<&[u8]>, heard: Heard, answered: Answered) -> Reply {
        self.shared.streams.run(Running::new(&reading, first, heard, answered));
        reply::stream(Stream::Reading(reading))
    }

    fn reply(&self, id: &Id, answer: &Answer, mut share: Share) -> Result<Reply, Error> {
        let size = respond::success_size(id, answer);
        share.answer(size)?;
        let write = |out: &mut _| respond::success(out, id, answer);
        Ok(reply::message(self.accepted.format, Some(share), size, write))
    }

    /// Runs a request; the client of a session may cancel it meanwhile.
    pub(super) fn answered(&self, run: Run) -> impl Future<Output = Result<Answer, Error>> + Send + use<> {
        let (gateway, principal) = (Arc::clone(&self.shared.gateway), self.context.principal.clone());
        async move {
            // It is large, and would be moved with each future that it is a part of.
            let answer = Box::pin(run.asked.answer(&gateway, &principal));
            match run.session {
                Some(session) => gateway.sessions().flight().run((session.id, run.id), answer).await,
                None => answer.await,
            }
        }
    }
}

/// The last message of a stream, of an answer that is made already or is being made.
fn last(
    id: Id,
    revision: Option<Revision>,
    answer: Option<Result<Answer, Error>>,
    making: Making,
    share: Share,
) -> Answered {
    Box::pin(async move {
        let answer = match answer {
            Some(answer) => answer,
            None => making.await,
        };
        written(&id, revision, answer, share)
    })
}

fn written(
    id: &Id,
    revision: Option<Revision>,
    outcome: Result<Answer, Error>,
    mut share: Share,
) -> Option<(Vec<u8>, Share)> {
    let written = outcome.and_then(|answer| {
        let size = respond::success_size(id, &answer);
        share.answer(size)?;
        let mut out = Vec::with_capacity(size);
        respond::success(&mut out, id, &answer);
        Ok(out)
    });
    match written {
        Ok(message) => Some((message, share)),
        Err(Error::Cancelled) => None,
        Err(error) => {
            let code = respond::wire(&error, revision).code;
            Some((respond::error(Some(id), &error, code), share))
        }
    }
}
