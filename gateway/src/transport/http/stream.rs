//! A connection with time limits on everything a client could draw out.
//!
//! Between requests it may idle for a while; once a request's first byte is here, the rest of its
//! head must follow soon; a write must make progress, and on the whole at some speed. While a request is served, reading has no
//! limit here, since its body has its own.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::HttpSettings;
use super::listen::Connection;

/// How long, and how much, is read and thrown away after a body was refused, so that the client
/// can read the refusal before the connection is reset.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 8 * 1024 * 1024;

/// Bytes that a client must take per second, on the whole, once an answer waits for it. Against one
/// that takes a byte now and then, and holds the memory of its answer all the while.
const MIN_RATE: u64 = 64 * 1024;

/// Where a connection is between two requests. Told by the service, read by the stream.
#[derive(Debug, Default)]
pub(super) struct Phase {
    /// Requests begun; twice that, plus one while one is served.
    turn: AtomicU64,
    refused_body: AtomicBool,
}

impl Phase {
    /// Marks a request as being served, until the value is dropped.
    pub(super) fn busy(connection: &Arc<Connection>) -> Busy {
        connection.phase.turn.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(connection))
    }

    /// Notes that a body was left unread.
    pub(super) fn refuse_body(&self) {
        self.refused_body.store(true, Ordering::Relaxed);
    }

    fn turn(&self) -> u64 {
        self.turn.load(Ordering::Relaxed)
    }
}

/// A request being served.
#[derive(Debug)]
pub(super) struct Busy(Arc<Connection>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.phase.turn.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the read timer is waiting for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Nothing,
    /// The first byte of the request after this turn.
    Request(u64),
    /// The rest of its head.
    Head(u64),
}

/// How an answer is being taken.
#[derive(Default)]
struct Taking {
    /// The turn that it is of.
    turn: u64,
    /// When it first had to wait, and bytes taken since.
    since: Option<Instant>,
    bytes: u64,
    waits: bool,
}

/// The stream of one connection.
pub(super) struct Guarded<S> {
    stream: S,
    connection: Arc<Connection>,
    idle: Duration,
    header: Duration,
    write: Duration,
    waiting: Waiting,
    read_timer: Pin<Box<Sleep>>,
    taking: Taking,
    write_timer: Pin<Box<Sleep>>,
    lingered: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guarded<S> {
    pub(super) fn new(stream: S, connection: Arc<Connection>, settings: &HttpSettings) -> Self {
        let timer = || Box::pin(tokio::time::sleep(Duration::MAX));
        Self {
            stream,
            connection,
            idle: settings.idle_timeout,
            header: settings.header_timeout,
            write: settings.write_timeout,
            waiting: Waiting::Nothing,
            read_timer: timer(),
            taking: Taking::default(),
            write_timer: timer(),
            lingered: 0,
        }
    }

    /// Shortens how long the connection waits for a request, and for its client to take the answer.
    pub(super) fn hurry(&mut self, limit: Duration) {
        self.idle = self.idle.min(limit);
        self.header = self.header.min(limit);
        self.write = self.write.min(limit);
    }

    /// Called when bytes have come.
    fn arrived(&mut self) {
        let turn = self.connection.phase.turn();
        let served = !turn.is_multiple_of(2);
        if !served && self.waiting != Waiting::Head(turn) {
            self.wait(Waiting::Head(turn), self.header);
        }
    }

    /// Called when no bytes are there: an error once they are overdue.
    fn overdue(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let turn = self.connection.phase.turn();
        if !turn.is_multiple_of(2) {
            return Poll::Pending;
        }
        if self.waiting != Waiting::Request(turn) && self.waiting != Waiting::Head(turn) {
            // A new connection has to send; an old one may rest.
            let limit = if turn == 0 { self.header } else { self.idle };
            self.wait(Waiting::Request(turn), limit);
        }
        ready!(self.read_timer.as_mut().poll(cx));
        Poll::Ready(timed_out("no request arrived in time"))
    }

    fn wait(&mut self, waiting: Waiting, limit: Duration) {
        self.waiting = waiting;
        self.read_timer.as_mut().reset(Instant::now() + limit);
    }

    /// Bounds the time between two steps of writing, and that of all steps of one answer.
    fn watched<T>(&mut self, cx: &mut Context<'_>, step: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if step.is_ready() {
            self.taking.waits = false;
            return step;
        }
        if !self.taking.waits {
            let until = self.taking.wait(self.connection.phase.turn(), self.write);
            self.write_timer.as_mut().reset(until);
        }
        ready!(self.write_timer.as_mut().poll(cx));
        Poll::Ready(Err(timed_out("the client stopped reading")))
    }

    /// Called when bytes were taken: a client that still reads an answer does not idle.
    fn progressed(&mut self, step: &Poll<io::Result<usize>>) {
        let Poll::Ready(Ok(bytes)) = step else { return };
        self.taking.bytes += *bytes as u64;
        if matches!(self.waiting, Waiting::Request(_)) {
            self.waiting = Waiting::Nothing;
        }
    }

    fn linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; 16 * 1024];
        while self.lingered < LINGER_BYTES {
            let mut buf = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    self.lingered += buf.filled().len();
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return self.write_timer.as_mut().poll(cx),
            }
        }
        Poll::Ready(())
    }
}

impl Taking {
    /// Begins to wait for the client; the result is until when.
    fn wait(&mut self, turn: u64, patience: Duration) -> Instant {
        if self.turn != turn {
            *self = Self { turn, ..Self::default() };
        }
        let now = Instant::now();
        self.waits = true;
        let since = *self.since.get_or_insert_with(|| {
            self.bytes = 0;
            now
        });
        let fair = Duration::from_millis(self.bytes.saturating_mul(1000) / MIN_RATE);
        (now + patience).min(since + patience + fair)
    }
}

fn timed_out(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, reason)
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Ready(result) => {
                if buf.filled().len() > before {
                    self.arrived();
                }
                Poll::Ready(result)
            }
            Poll::Pending => self.overdue(cx).map(Err),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let step = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.progressed(&step);
        self.watched(cx, step)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let step = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.progressed(&step);
        self.watched(cx, step)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let step = Pin::new(&mut self.stream).poll_flush(cx);
        if step.is_ready() {
            // All that there was is with the client; of a stream, more may come much later.
            self.taking.since = None;
        }
        self.watched(cx, step)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.connection.phase.refused_body.load(Ordering::Relaxed) {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            if self.lingered == 0 {
                self.lingered = 1;
                self.write_timer.as_mut().reset(Instant::now() + LINGER);
            }
            ready!(self.linger(cx));
            return Poll::Ready(Ok(()));
        }
        let step = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watched(cx, step)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Writes an answer to a client that takes that many bytes, again and again after a pause.
    async fn write_to(client_takes: usize, answer: usize) -> io::Result<()> {
        let (server, mut client) = tokio::io::duplex(client_takes);
        let settings = HttpSettings { write_timeout: Duration::from_millis(400), ..HttpSettings::default() };
        let connection = Connection { phase: Phase::default(), local: None, is_spare: false };
        let mut guarded = Guarded::new(server, Arc::new(connection), &settings);
        let reading = tokio::spawn(async move {
            let mut taken = vec![0; client_takes];
            while client.read_exact(&mut taken).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let written = guarded.write_all(&vec![b'x'; answer]).await;
        reading.abort();
        written
    }

    #[tokio::test]
    async fn a_client_that_reads_a_little_at_a_time_is_cut_off() {
        let since = Instant::now();
        let error = write_to(64, 1024 * 1024).await.unwrap_err();
        assert_eq!(error.to_string(), "the client stopped reading");
        assert!(since.elapsed() < Duration::from_secs(10), "reading all of it takes 5 minutes");
    }

    #[tokio::test]
    async fn a_client_that_takes_its_time_but_reads_gets_all() {
        let since = Instant::now();
        write_to(64 * 1024, 2 * 1024 * 1024).await.unwrap();
        assert!(since.elapsed() > Duration::from_millis(400), "it took longer than one step may");
    }
}
