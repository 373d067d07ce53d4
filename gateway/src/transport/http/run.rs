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

/// A request that runs, and whose answer may be a stream.
struct Begun {
    id: Id,
    owner: Option<Owner>,
    heard: Heard,
    making: Making,
    share: Share,
}

/// What comes first of it.
enum Come {
    /// A notification or a request to its client, and perhaps the answer too.
    Told(Vec<u8>, Option<Result<Answer, Error>>),
    /// The answer alone.
    Answered(Result<Answer, Error>),
}

impl Begun {
    /// Waits for it; may be dropped and asked again.
    async fn first(&mut self) -> Come {
        let Self { heard, making, .. } = self;
        tokio::select! {
            biased;
            first = poll_fn(|turn| heard.poll_next(turn)) => Come::Told(first, None),
            answer = making => match heard.told() {
                Some(first) => Come::Told(first, Some(answer)),
                None => Come::Answered(answer),
            },
        }
    }

    /// What comes after that, the last message of an answer that is made already or is being made.
    fn rest(self, revision: Option<Revision>, answer: Option<Result<Answer, Error>>) -> (Heard, Answered) {
        let Self { id, heard, making, share, .. } = self;
        let answered = async move {
            let answer = match answer {
                Some(answer) => answer,
                None => making.await,
            };
            last(&id, revision, answer, share)
        };
        (heard, Box::pin(answered))
    }
}

fn is_primed(owner: Option<&Owner>) -> bool {
    owner.is_some_and(|owner| owner.is_primed)
}

impl Post<'_> {
    pub(super) async fn run(&self, mut run: Run) -> Result<Reply, Error> {
        let mut share = self.shared.answers.share();
        // Before the tool runs, so that none runs in vain while clients read nothing.
        share.answer(UNIT)?;
        let heard = if self.accepted.events { run.asked.listen() } else { None };
        let (id, owner) = (run.id.clone(), self.owner(&run));
        if heard.is_none() && !is_primed(owner.as_ref()) {
            let answer = self.answered(run).await?;
            return self.reply(&id, &answer, share);
        }
        let making = Box::pin(self.answered(run));
        self.follow(Begun { id, owner, heard: heard.unwrap_or_default(), making, share }).await
    }

    async fn follow(&self, mut begun: Begun) -> Result<Reply, Error> {
        let mut come = None;
        if is_primed(begun.owner.as_ref()) {
            come = timeout(self.shared.settings.primed_after, begun.first()).await.ok();
            if come.is_none()
                && let Some(reading) = self.open(begun.owner.as_ref())
            {
                return Ok(self.kept(reading, begun, None, None));
            }
        }
        let come = match come {
            Some(come) => come,
            None => begun.first().await,
        };
        Ok(match come {
            Come::Answered(answer) => self.reply(&begun.id, &answer?, begun.share)?,
            Come::Told(first, answer) => match self.open(begun.owner.as_ref()) {
                Some(reading) => self.kept(reading, begun, Some(&first), answer),
                None => {
                    let (heard, answered) = begun.rest(self.revision, answer);
                    reply::stream(Stream::Events(Events::new(first, heard, answered)))
                }
            },
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

    fn open(&self, owner: Option<&Owner>) -> Option<Reading> {
        self.shared.streams.open(owner?.clone(), self.shared.answers.share())
    }

    fn kept(
        &self,
        reading: Reading,
        begun: Begun,
        first: Option<&[u8]>,
        answer: Option<Result<Answer, Error>>,
    ) -> Reply {
        let (heard, answered) = begun.rest(self.revision, answer);
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

/// The last message of a stream.
fn last(
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
