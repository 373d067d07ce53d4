//! Batches, which only revision 2025-03-26 has: one body of several messages, answered together.

use http::StatusCode;

use super::post::Post;
use super::reply::{self, Reply};
use crate::error::Error;
use crate::mcp::batch::Batch;
use crate::mcp::envelope::{Fault, Message, Request};
use crate::mcp::params::Params;
use crate::mcp::revision::Revision;
use crate::mcp::session::Session;
use crate::respond;
use crate::transport::budget::{Share, UNIT};

impl Post<'_> {
    /// The session that a batch belongs to.
    pub(super) fn batch_session(&self) -> Result<Session, Error> {
        let no_batches = || {
            let reason = format!("only revision {} has batches", Revision::V2025_03_26.as_str());
            Err(Error::InvalidRequest(reason))
        };
        if self.is_stateless()? || self.revision.is_some_and(|r| !r.has_batches()) {
            return no_batches();
        }
        let session = self.session()?;
        if session.revision.has_batches() { Ok(session) } else { no_batches() }
    }

    /// Answers a batch, one message after the other.
    pub(super) async fn batch(&self, session: Session, messages: Vec<Result<Message<'_>, Fault>>) -> Reply {
        let mut batch = Batch::default();
        let mut share = self.shared.answers.share();
        for message in messages {
            let (id, outcome) = match message {
                Ok(Message::Request(request)) => {
                    let outcome = self.batched(session, &request, &mut batch, &mut share).await;
                    (Some(request.id), outcome)
                }
                Ok(Message::Notification(notification)) => {
                    if let Err(error) = self.notify(session, &notification) {
                        tracing::debug!(%error, "ignored a notification");
                    }
                    continue;
                }
                Ok(Message::Response(response)) => {
                    if let Err(error) = self.response(&response) {
                        tracing::debug!(%error, "ignored an answer");
                    }
                    continue;
                }
                Err(fault) => (fault.id, Err(fault.error)),
            };
            match outcome {
                Ok(()) | Err(Error::Cancelled) => {}
                Err(error) => {
                    let text = self.error(id.as_ref(), &error);
                    batch.push(text.len(), |out| out.extend_from_slice(&text));
                }
            }
        }
        match batch.finish() {
            None => reply::empty(StatusCode::ACCEPTED),
            Some(answers) => reply::written(self.accepted.format, share, answers),
        }
    }

    /// Runs one request of a batch and adds its answer.
    async fn batched(
        &self,
        session: Session,
        request: &Request<'_>,
        batch: &mut Batch,
        share: &mut Share,
    ) -> Result<(), Error> {
        share.answer(batch.room_for(UNIT)?)?;
        let run = self.in_session(session, request, &Params::parse(request.params)?)?;
        let answer = self.answered(run).await?;
        let size = respond::success_size(&request.id, &answer);
        share.answer(batch.room_for(size)?)?;
        batch.push(size, |out| respond::success(out, &request.id, &answer));
        Ok(())
    }
}
