//! One client over a pair of streams: newline-delimited JSON, as desktop hosts speak it.
//!
//! Requests run side by side; whole lines go through one writer, so answers never mix. The end of
//! input lets requests in flight finish; the end of output ends everything, since nobody is left
//! to answer.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::auth::Principal;
use crate::catalog::View;
use crate::error::Error;
use crate::gateway::Gateway;
use crate::mcp::answer::{Answer, Asked, Context, Conversation, ask};
use crate::mcp::batch::Batch;
use crate::mcp::changes::Changes;
use crate::mcp::envelope::{self, Fault, Frame, Message, Notification, Request};
use crate::mcp::era::{self, Era};
use crate::mcp::flight::Flight;
use crate::mcp::id::Id;
use crate::mcp::initialize;
use crate::mcp::notices::Heard;
use crate::mcp::params::Params;
use crate::mcp::revision::Revision;
use crate::mcp::session::SessionId;
use crate::mcp::subscription::Filter;
use crate::mcp::trace::Trace;
use crate::respond;
use crate::transport::budget::{self, Budget, Share, UNIT};
use toolgate_runtime::peer::ClientCapabilities;

#[cfg(test)]
mod tests;

/// Bytes of a line. Against memory filled by a line that never ends.
const MAX_LINE: usize = 4 * 1024 * 1024;
/// Lines being answered at a time. Against memory filled by sending without reading answers; past
/// it the input waits.
const MAX_IN_FLIGHT: usize = 256;
/// Bytes of all lines being answered. Against the same with long lines; past it the input waits.
const MAX_LINES: usize = 64 * 1024 * 1024;
/// Subscriptions at a time. Each is a line that is being answered, and they must not be all of them.
const MAX_SUBSCRIPTIONS: usize = 32;
/// Answers that wait for the writer.
const MAX_UNWRITTEN: usize = 16;
/// The one session that there is: that of whoever holds the streams.
const SESSION: SessionId = [0; 16];
/// One line to write, with what it has taken of the memory for answers.
type Line = (Vec<u8>, Share);

/// Limits of the stdio side.
#[derive(Clone, Debug)]
pub struct StdioSettings {
    /// Bytes of all answers that the client has not read. Against one that asks much and reads
    /// little.
    pub answers: usize,
    /// Time for calls in flight to end when the gateway stops.
    pub drain: Duration,
    /// What the client sees.
    pub view: View,
}

impl StdioSettings {
    /// Takes no more for answers than the process can spare of its `memory`, of which the largest answer
    /// takes `answer`.
    #[must_use]
    pub fn within(mut self, memory: u64, answer: u64) -> Self {
        self.answers = budget::within(self.answers, memory, answer);
        self
    }
}

impl Default for StdioSettings {
    fn default() -> Self {
        Self { answers: 128 * 1024 * 1024, drain: Duration::from_secs(30), view: View::All }
    }
}

/// Serves one client over `input` and `output` until the input ends and all is answered, or the
/// client stops reading. When `stop` is ready no more is read, and calls in flight may end.
///
/// # Errors
/// Reading fails, or writing for another reason than that the client went away.
pub async fn serve(
    gateway: Arc<Gateway>,
    input: impl AsyncRead + Send + Unpin,
    output: impl AsyncWrite + Send + Unpin + 'static,
    settings: StdioSettings,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let (answers, unwritten) = mpsc::channel(MAX_UNWRITTEN);
    let client = Arc::new(Client {
        gateway,
        context: Context { principal: Principal::local(), view: settings.view },
        session: Mutex::new(None),
        flight: Flight::default(),
        subscriptions: Semaphore::new(MAX_SUBSCRIPTIONS),
        is_gone: watch::Sender::new(false),
        budget: Budget::new(settings.answers),
        answers,
    });
    let mut writer = tokio::spawn(write(output, unwritten));
    let mut running = JoinSet::new();
    let mut stop = pin!(stop);
    let is_stopping = tokio::select! {
        biased;
        () = &mut stop => true,
        ended = lines(&client, BufReader::new(input), &mut running) => ended.map(|()| false)?,
        // Ends with the gateway, as `stop` does.
        () = client.tell_changes() => true,
        written = &mut writer => return gone_is_fine(written?),
    };
    // Who asks for nothing more can't end them, and with the last request the last sender goes, and the writer ends.
    client.is_gone.send_replace(true);
    drop(client);
    let latest = async {
        if !is_stopping {
            stop.await;
        }
        sleep(settings.drain).await;
    };
    tokio::select! {
        written = &mut writer => gone_is_fine(written?),
        () = latest => {
            tracing::warn!(requests = running.len(), "calls still in flight were dropped");
            writer.abort();
            Ok(())
        }
    }
}

/// A client that closed its end has simply left.
fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

async fn write(mut output: impl AsyncWrite + Unpin, mut unwritten: mpsc::Receiver<Line>) -> io::Result<()> {
    while let Some((mut line, _share)) = unwritten.recv().await {
        respond::one_line(&mut line);
        line.push(b'\n');
        output.write_all(&line).await?;
        output.flush().await?;
    }
    Ok(())
}

/// Reads lines to the end of input; what can't be answered at once goes on in `running`.
async fn lines(
    client: &Arc<Client>,
    mut input: impl AsyncBufRead + Unpin,
    running: &mut JoinSet<()>,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    let memory = Arc::new(Semaphore::new(MAX_LINES));
    loop {
        while running.try_join_next().is_some() {}
        let line = match next_line(&mut input).await? {
            Input::End => break,
            Input::TooLong => Err(Error::TooLarge { limit: MAX_LINE }),
            Input::Whole(line) if line.trim_ascii().is_empty() => continue,
            Input::Whole(line) => Ok(line),
        };
        let bytes = line.as_ref().map_or(0, Vec::len) as u32;
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let Ok(held) = Arc::clone(&memory).acquire_many_owned(bytes).await else { break };
        let client = Arc::clone(client);
        let mut task = Box::pin(async move {
            let answer = match line {
                Ok(line) => client.answer(&line).await,
                Err(error) => Some(client.error(None, &error)),
            };
            if let Some(answer) = answer {
                // Fails only when the writer has ended, and then all of this is dropped.
                let _ = client.answers.send(answer).await;
            }
            drop((place, held));
        });
        // Begun here, so that what a line changes (the session, what is in flight) is changed
        // before the next line; most are done at once.
        let done = poll_fn(|cx| Poll::Ready(task.as_mut().poll(cx).is_ready())).await;
        if !done {
            running.spawn(task);
        }
    }
    Ok(())
}

enum Input {
    Whole(Vec<u8>),
    /// Longer than [`MAX_LINE`]; skipped to its end.
    TooLong,
    End,
}

async fn next_line(input: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Input> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let available = input.fill_buf().await?;
        if available.is_empty() {
            return Ok(match (line.is_empty(), too_long) {
                (_, true) => Input::TooLong,
                (true, false) => Input::End,
                (false, false) => Input::Whole(line),
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
            return Ok(if too_long { Input::TooLong } else { Input::Whole(line) });
        }
    }
}

/// The client at the other end.
struct Client {
    gateway: Arc<Gateway>,
    context: Context,
    /// What `initialize` agreed on; it holds for the process.
    session: Mutex<Option<(Revision, ClientCapabilities)>>,
    flight: Flight<Id>,
    subscriptions: Semaphore,
    /// Whether it has said its last.
    is_gone: watch::Sender<bool>,
    budget: Budget,
    answers: mpsc::Sender<Line>,
}

impl Client {
    fn session(&self) -> Option<(Revision, ClientCapabilities)> {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, line: &[u8]) -> Option<Line> {
        match envelope::parse(line) {
            Ok(Frame::One(message)) => self.one(message).await,
            Ok(Frame::Batch(messages)) => self.batch(messages).await,
            Err(fault) => Some(self.error(fault.id.as_ref(), &fault.error)),
        }
    }

    async fn one(&self, message: Message<'_>) -> Option<Line> {
        let request = match message {
            Message::Request(request) => request,
            Message::Notification(notification) => {
                self.notify(&notification);
                return None;
            }
            Message::Response(response) => {
                if let Err(error) = self.gateway.sessions().inquiries().answered(SESSION, &response) {
                    tracing::debug!(%error, "ignored an answer");
                }
                return None;
            }
        };
        match self.answered(&request).await {
            Ok(line) => Some(line),
            Err(Error::Cancelled) => None,
            Err(error) => Some(self.error(Some(&request.id), &error)),
        }
    }

    async fn answered(&self, request: &Request<'_>) -> Result<Line, Error> {
        let mut share = self.budget.share();
        // Before the tool runs, so that none runs in vain while the client reads nothing.
        share.answer(UNIT)?;
        let answer = self.request(request).await?;
        let size = respond::success_size(&request.id, &answer);
        share.answer(size)?;
        let mut line = Vec::with_capacity(size);
        respond::success(&mut line, &request.id, &answer);
        Ok((line, share))
    }

    async fn batch(&self, messages: Vec<Result<Message<'_>, Fault>>) -> Option<Line> {
        if !self.session().is_some_and(|(revision, _)| revision.has_batches()) {
            let reason = format!("only revision {} has batches", Revision::V2025_03_26.as_str());
            return Some(self.error(None, &Error::InvalidRequest(reason)));
        }
        let mut batch = Batch::default();
        let mut share = self.budget.share();
        for message in messages {
            let (id, outcome) = match message {
                Ok(Message::Request(request)) => {
                    let outcome = self.batched(&request, &mut batch, &mut share).await;
                    (Some(request.id), outcome)
                }
                Ok(message) => {
                    self.one(message).await;
                    continue;
                }
                Err(fault) => (fault.id, Err(fault.error)),
            };
            match outcome {
                Ok(()) | Err(Error::Cancelled) => {}
                Err(error) => {
                    let (text, _) = self.error(id.as_ref(), &error);
                    batch.push(text.len(), |out| out.extend_from_slice(&text));
                }
            }
        }
        batch.finish().map(|answers| (answers, share))
    }

    /// Runs one request of a batch and adds its answer.
    async fn batched(
        &self,
        request: &Request<'_>,
        batch: &mut Batch,
        share: &mut Share,
    ) -> Result<(), Error> {
        share.answer(batch.room_for(UNIT)?)?;
        let answer = self.request(request).await?;
        let size = respond::success_size(&request.id, &answer);
        share.answer(batch.room_for(size)?)?;
        batch.push(size, |out| respond::success(out, &request.id, &answer));
        Ok(())
    }

    async fn request(&self, request: &Request<'_>) -> Result<Answer, Error> {
        let params = Params::parse(request.params)?;
        let (revision, capabilities) = match era::over_stdio(params.meta()?)? {
            Era::Stateless(revision) => (revision, ClientCapabilities::default()),
            Era::Session(_) if request.method == "initialize" => {
                let (revision, capabilities, result) = initialize::result(&self.gateway, &params)?;
                *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some((revision, capabilities));
                return Ok(Answer::Written(result));
            }
            Era::Session(_) => match self.session() {
                Some(session) => session,
                // The one request that may come before.
                None if request.method == "ping" => {
                    (Revision::NEWEST_WITH_SESSIONS, ClientCapabilities::default())
                }
                None => return Err(era::version_missing()),
            },
        };
        let conversation = Conversation {
            context: &self.context,
            revision,
            session: Some(SESSION),
            capabilities,
            trace: Trace::default(),
        };
        let mut asked = ask(&self.gateway, conversation, request, &params)?;
        if let Asked::Listen(filter) = asked {
            let told = self.subscribed(request.id.clone(), filter);
            return self.flight.run(request.id.clone(), told).await;
        }
        let heard = asked.listen();
        let answer = asked.answer(&self.gateway, &self.context.principal);
        let answer = self.flight.run(request.id.clone(), answer);
        match heard {
            None => answer.await,
            Some(heard) => self.telling(heard, answer).await,
        }
    }

    /// Writes what is told until the answer is there.
    async fn telling(
        &self,
        mut heard: Heard,
        answer: impl Future<Output = Result<Answer, Error>>,
    ) -> Result<Answer, Error> {
        let mut answer = pin!(answer);
        loop {
            let message = tokio::select! {
                biased;
                message = poll_fn(|cx| heard.poll_next(cx)) => message,
                answer = &mut answer => {
                    while let Some(message) = heard.told() {
                        self.tell(message).await;
                    }
                    return answer;
                }
            };
            self.tell(message).await;
        }
    }

    /// Tells of the changes that a subscription asks for, until they end.
    async fn subscribed(&self, id: Id, filter: Filter) -> Result<Answer, Error> {
        let _one = self.subscriptions.try_acquire().map_err(|_| {
            let reason =
                format!("{MAX_SUBSCRIPTIONS} subscriptions are open; end one by notifications/cancelled");
            Error::InvalidRequest(reason)
        })?;
        let mut changes = Changes::subscribed(Arc::clone(&self.gateway), self.context.clone(), id, filter);
        let mut is_gone = self.is_gone.subscribe();
        loop {
            let message = tokio::select! {
                biased;
                message = changes.next() => message,
                _ = is_gone.wait_for(|is_gone| *is_gone) => None,
            };
            match message {
                Some(message) => self.tell(message).await,
                None => break,
            }
        }
        changes.result().map(|(_, answer)| answer).ok_or(Error::Cancelled)
    }

    /// Tells of lists that change, once there is a session.
    async fn tell_changes(&self) {
        let mut changes = Changes::since_now(Arc::clone(&self.gateway), self.context.clone(), SESSION);
        while let Some(message) = changes.next().await {
            if self.session().is_some() {
                self.tell(message).await;
            }
        }
    }

    async fn tell(&self, message: Vec<u8>) {
        // Fails only when the writer has ended, and then all of this is dropped.
        let _ = self.answers.send((message, self.budget.share())).await;
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

    /// An error message; small, so it needs no share.
    fn error(&self, id: Option<&Id>, error: &Error) -> Line {
        tracing::debug!(%error, code = error.code(), "refused a message");
        (respond::error(id, error, respond::wire(error, None).code), self.budget.share())
    }
}
