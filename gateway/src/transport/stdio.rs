//! One client over a pair of streams: newline-delimited JSON, as desktop hosts speak it.
//!
//! Requests run side by side; whole lines go through one writer, so answers never mix. The end of
//! input lets requests in flight finish; the end of output ends everything, since nobody is left
//! to answer.

use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::auth::Principal;
use crate::catalog::View;
use crate::error::Error;
use crate::gateway::Gateway;
use crate::mcp::answer::{Context, answer};
use crate::mcp::envelope::{self, Fault, Frame, Message, Notification, Request};
use crate::mcp::era::{self, Era};
use crate::mcp::flight::Flight;
use crate::mcp::id::Id;
use crate::mcp::initialize;
use crate::mcp::params::Params;
use crate::mcp::revision::Revision;
use crate::respond;

#[cfg(test)]
mod tests;

/// Bytes of a line. Against memory filled by a line that never ends.
const MAX_LINE: usize = 4 * 1024 * 1024;
/// Lines being answered at a time. Against memory filled by sending without reading answers; past
/// it the input waits.
const MAX_IN_FLIGHT: usize = 256;
/// Answers that wait for the writer.
const MAX_UNWRITTEN: usize = 16;

/// Serves one client over `input` and `output` until the input ends and all is answered, or the
/// client stops reading.
///
/// # Errors
/// Reading fails, or writing for another reason than that the client went away.
pub async fn serve(
    gateway: Arc<Gateway>,
    input: impl AsyncRead + Send + Unpin,
    output: impl AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    let (answers, unwritten) = mpsc::channel(MAX_UNWRITTEN);
    let client = Arc::new(Client {
        gateway,
        context: Context { principal: Principal::local(), view: View::All },
        session: Mutex::new(None),
        flight: Flight::default(),
        answers,
    });
    let mut writer = tokio::spawn(write(output, unwritten));
    let reading = read(client, BufReader::new(input));
    tokio::select! {
        read = reading => {
            read?;
            // All senders are gone, so the writer ends with the last answer.
            gone_is_fine(writer.await?)
        }
        written = &mut writer => gone_is_fine(written?),
    }
}

/// A client that closed its end has simply left.
fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

async fn write(
    mut output: impl AsyncWrite + Unpin,
    mut unwritten: mpsc::Receiver<Vec<u8>>,
) -> io::Result<()> {
    while let Some(mut line) = unwritten.recv().await {
        respond::one_line(&mut line);
        line.push(b'\n');
        output.write_all(&line).await?;
        output.flush().await?;
    }
    Ok(())
}

async fn read(client: Arc<Client>, mut input: impl AsyncBufRead + Unpin) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    let mut running = JoinSet::new();
    loop {
        while running.try_join_next().is_some() {}
        let line = match next_line(&mut input).await? {
            Line::End => break,
            Line::TooLong => Err(Error::TooLarge { limit: MAX_LINE }),
            Line::Whole(line) if line.trim_ascii().is_empty() => continue,
            Line::Whole(line) => Ok(line),
        };
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let client = Arc::clone(&client);
        let mut task = Box::pin(async move {
            let answer = match line {
                Ok(line) => client.answer(&line).await,
                Err(error) => Some(error_message(None, &error)),
            };
            if let Some(answer) = answer {
                // Fails only when the writer has ended, and then all of this is dropped.
                let _ = client.answers.send(answer).await;
            }
            drop(place);
        });
        // Begun here, so that what a line changes (the session, what is in flight) is changed
        // before the next line; most are done at once.
        let done = poll_fn(|cx| Poll::Ready(task.as_mut().poll(cx).is_ready())).await;
        if !done {
            running.spawn(task);
        }
    }
    while running.join_next().await.is_some() {}
    Ok(())
}

enum Line {
    Whole(Vec<u8>),
    /// Longer than [`MAX_LINE`]; skipped to its end.
    TooLong,
    End,
}

async fn next_line(input: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Line> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let available = input.fill_buf().await?;
        if available.is_empty() {
            return Ok(match (line.is_empty(), too_long) {
                (_, true) => Line::TooLong,
                (true, false) => Line::End,
                (false, false) => Line::Whole(line),
            });
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        too_long |= line.len() + part.len() > MAX_LINE;
        if too_long {
            line = Vec::new();
        } else {
            line.extend_from_slice(part);
        }
        let consumed = part.len() + usize::from(end.is_some());
        input.consume(consumed);
        if end.is_some() {
            return Ok(if too_long { Line::TooLong } else { Line::Whole(line) });
        }
    }
}

/// The client at the other end.
struct Client {
    gateway: Arc<Gateway>,
    context: Context,
    /// What `initialize` agreed on; it holds for the process.
    session: Mutex<Option<Revision>>,
    flight: Flight<Id>,
    answers: mpsc::Sender<Vec<u8>>,
}

impl Client {
    fn session(&self) -> Option<Revision> {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, line: &[u8]) -> Option<Vec<u8>> {
        match envelope::parse(line) {
            Ok(Frame::One(message)) => self.one(Ok(message)).await,
            Ok(Frame::Batch(messages)) => self.batch(messages).await,
            Err(fault) => self.one(Err(fault)).await,
        }
    }

    async fn one(&self, message: Result<Message<'_>, Fault>) -> Option<Vec<u8>> {
        match message {
            Ok(Message::Request(request)) => match self.request(&request).await {
                Ok(result) => Some(respond::success(&request.id, &result)),
                Err(Error::Cancelled) => None,
                Err(error) => Some(error_message(Some(&request.id), &error)),
            },
            Ok(Message::Notification(notification)) => {
                self.notify(&notification);
                None
            }
            Ok(Message::Response) => None,
            Err(fault) => Some(error_message(fault.id.as_ref(), &fault.error)),
        }
    }

    async fn batch(&self, messages: Vec<Result<Message<'_>, Fault>>) -> Option<Vec<u8>> {
        if !self.session().is_some_and(Revision::has_batches) {
            let reason = format!("only revision {} has batches", Revision::V2025_03_26.as_str());
            return Some(error_message(None, &Error::InvalidRequest(reason)));
        }
        let mut answers = Vec::new();
        for message in messages {
            answers.extend(self.one(message).await);
        }
        (!answers.is_empty()).then(|| [b"[", &answers.join(&b',')[..], b"]"].concat())
    }

    async fn request(&self, request: &Request<'_>) -> Result<Vec<u8>, Error> {
        let params = Params::parse(request.params)?;
        let revision = match era::over_stdio(&params.meta()?)? {
            Era::Stateless(revision) => revision,
            Era::Session(_) if request.method == "initialize" => {
                let (revision, result) = initialize::result(&params)?;
                *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(revision);
                return Ok(result);
            }
            Era::Session(_) => match self.session() {
                Some(revision) => revision,
                // The one request that may come before.
                None if request.method == "ping" => Revision::NEWEST_WITH_SESSIONS,
                None => return Err(era::version_missing()),
            },
        };
        let answer = answer(&self.gateway, &self.context, revision, request, &params);
        self.flight.run(request.id.clone(), answer).await
    }

    fn notify(&self, notification: &Notification<'_>) {
        if notification.method != "notifications/cancelled" {
            return;
        }
        let Ok(params) = Params::parse(notification.params) else { return };
        if let Some(Ok(id)) = params.request_id.map(Id::parse) {
            self.flight.cancel(&id);
        }
    }
}

fn error_message(id: Option<&Id>, error: &Error) -> Vec<u8> {
    tracing::debug!(%error, code = error.code(), "refused a message");
    respond::error(id, error, respond::wire(error, None).code)
}
