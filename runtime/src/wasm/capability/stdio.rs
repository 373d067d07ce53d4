//! Guest output: captured, split into lines, bounded, and told to the observer.
//!
//! It never reaches the output of this process, which may be a protocol pipe that a guest could
//! forge replies on. A guest that writes more than allowed does not fail for it: the excess is
//! dropped and counted. Standard input is empty, as wasmtime-wasi has it by default.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::events::{Observer, Stdio};

/// Bytes of a line before it is told in pieces. Against output without newlines.
const MAX_LINE: usize = 4096;

/// Bytes that a guest may write at a time. Against one huge copy out of guest memory.
const MAX_WRITE: usize = 64 * 1024;

/// Both output streams of one call. Cheap to clone.
#[derive(Clone)]
pub(in crate::wasm) struct Capture(Arc<Inner>);

struct Inner {
    observer: Arc<dyn Observer>,
    state: Mutex<State>,
}

struct State {
    /// Bytes that may still be kept.
    left: u64,
    dropped: u64,
    out: Vec<u8>,
    err: Vec<u8>,
}

impl Capture {
    pub(in crate::wasm) fn new(observer: Arc<dyn Observer>, limit: u64) -> Self {
        let state = State { left: limit, dropped: 0, out: Vec::new(), err: Vec::new() };
        Self(Arc::new(Inner { observer, state: Mutex::new(state) }))
    }

    /// The stream to give to the guest.
    pub(in crate::wasm) fn stream(&self, stdio: Stdio) -> Stream {
        Stream { capture: self.clone(), stdio }
    }

    /// Tells what has no newline yet, and what was dropped. For the end of the call.
    pub(in crate::wasm) fn finish(&self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        for stdio in [Stdio::Out, Stdio::Err] {
            let line = std::mem::take(state.line(stdio));
            if !line.is_empty() {
                self.0.observer.stdio(stdio, &line);
            }
        }
        let dropped = std::mem::take(&mut state.dropped);
        if dropped > 0 {
            self.0.observer.stdio_dropped(dropped);
        }
    }

    fn write(&self, stdio: Stdio, bytes: &[u8]) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = state.keep(bytes);
        for piece in kept.split_inclusive(|&byte| byte == b'\n') {
            self.add(stdio, state.line(stdio), piece);
        }
    }

    fn add(&self, stdio: Stdio, line: &mut Vec<u8>, piece: &[u8]) {
        let (text, ends) = match piece.split_last() {
            Some((b'\n', text)) => (text, true),
            _ => (piece, false),
        };
        for part in text.chunks(MAX_LINE) {
            if line.len() + part.len() > MAX_LINE {
                self.0.observer.stdio(stdio, line);
                line.clear();
            }
            line.extend_from_slice(part);
        }
        if ends {
            self.0.observer.stdio(stdio, line);
            line.clear();
        }
    }
}

impl State {
    /// The part of `bytes` that still fits; the rest is counted as dropped.
    fn keep<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let (kept, dropped) = bytes.split_at(left.min(bytes.len()));
        self.left -= kept.len() as u64;
        self.dropped += dropped.len() as u64;
        kept
    }

    fn line(&mut self, stdio: Stdio) -> &mut Vec<u8> {
        match stdio {
            Stdio::Out => &mut self.out,
            Stdio::Err => &mut self.err,
        }
    }
}

/// One of the two streams, as the guest holds it.
#[derive(Clone)]
pub(in crate::wasm) struct Stream {
    capture: Capture,
    stdio: Stdio,
}

impl IsTerminal for Stream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Stream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.capture.write(self.stdio, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_WRITE)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.capture.write(self.stdio, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::events::{Denial, Usage};

    #[derive(Default)]
    struct Heard {
        lines: Mutex<Vec<(Stdio, Vec<u8>)>>,
        dropped: Mutex<Vec<u64>>,
    }

    impl Observer for Heard {
        fn stdio(&self, stream: Stdio, line: &[u8]) {
            self.lines.lock().unwrap().push((stream, line.to_vec()));
        }
        fn stdio_dropped(&self, bytes: u64) {
            self.dropped.lock().unwrap().push(bytes);
        }
        fn denied(&self, _: &Denial) {}
        fn finished(&self, _: &Usage) {}
    }

    fn lines(heard: &Heard) -> Vec<(Stdio, String)> {
        let lines = heard.lines.lock().unwrap();
        let text = |(s, l): &(Stdio, Vec<u8>)| (*s, String::from_utf8(l.clone()).unwrap());
        lines.iter().map(text).collect()
    }

    #[test]
    fn output_is_told_line_by_line_and_the_last_one_at_the_end() {
        let heard = Arc::new(Heard::default());
        let capture = Capture::new(heard.clone(), 1000);
        capture.write(Stdio::Out, b"one\ntw");
        capture.write(Stdio::Err, b"warn\n\n");
        capture.write(Stdio::Out, b"o\nthree");
        capture.finish();
        let expected = [
            (Stdio::Out, "one"),
            (Stdio::Err, "warn"),
            (Stdio::Err, ""),
            (Stdio::Out, "two"),
            (Stdio::Out, "three"),
        ];
        assert_eq!(lines(&heard), expected.map(|(s, l)| (s, l.to_owned())));
        assert!(heard.dropped.lock().unwrap().is_empty());
    }

    #[test]
    fn output_beyond_the_limit_is_dropped_and_counted_once_over_both_streams() {
        let heard = Arc::new(Heard::default());
        let capture = Capture::new(heard.clone(), 6);
        capture.write(Stdio::Out, b"abcd");
        capture.write(Stdio::Err, b"efgh\n");
        capture.write(Stdio::Out, &vec![b'x'; 1000]);
        capture.finish();
        capture.finish();
        let expected = [(Stdio::Out, "abcd"), (Stdio::Err, "ef")];
        assert_eq!(lines(&heard), expected.map(|(s, l)| (s, l.to_owned())));
        assert_eq!(*heard.dropped.lock().unwrap(), [1003]);
    }

    #[test]
    fn output_without_newlines_is_told_in_pieces() {
        let heard = Arc::new(Heard::default());
        let capture = Capture::new(heard.clone(), 1 << 20);
        for _ in 0..3 {
            capture.write(Stdio::Out, &vec![b'x'; 3000]);
        }
        capture.finish();
        let lengths: Vec<_> = lines(&heard).iter().map(|(_, l)| l.len()).collect();
        assert_eq!(lengths.iter().sum::<usize>(), 9000);
        assert!(lengths.iter().all(|&l| l <= MAX_LINE), "{lengths:?}");
    }
}
