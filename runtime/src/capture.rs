//! Output of a guest or a container: split into lines, bounded, and told to an observer.
//!
//! Whoever writes more than allowed does not fail for it: the excess is dropped and counted. Short lines are
//! charged for what telling them costs, so that `limits.stdio` bounds the log as well as the memory.

use std::sync::{Arc, Mutex, PoisonError};

use crate::events::{Observer, Stdio};

/// Bytes of a line before it is told in pieces. Against output without newlines.
const MAX_LINE: usize = 4096;

/// What a line is charged at least, its newline included. Against empty lines: each is an event of
/// some 200 bytes in the log, and 64 KiB of newlines would be 13 MB of it.
const MIN_LINE: u64 = 64;

/// Lines of one call that are told, however large `limits.stdio` is. Against a guest that holds its
/// thread with events: 64 KiB of newlines are one host call, and no other call gets a turn in it.
const MAX_LINES: u32 = 10_000;

/// Both output streams of one call. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Capture(Arc<Inner>);

struct Inner {
    observer: Arc<dyn Observer>,
    state: Mutex<State>,
}

struct State {
    /// Bytes that may still be kept.
    left: u64,
    /// Lines that may still be told.
    lines: u32,
    dropped: u64,
    out: Vec<u8>,
    err: Vec<u8>,
}

impl Capture {
    pub(crate) fn new(observer: Arc<dyn Observer>, limit: u64) -> Self {
        let state = State { left: limit, lines: MAX_LINES, dropped: 0, out: Vec::new(), err: Vec::new() };
        Self(Arc::new(Inner { observer, state: Mutex::new(state) }))
    }

    /// Tells what has no newline yet, and what was dropped. For the end of the call.
    pub(crate) fn finish(&self) {
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

    /// Takes bytes of a stream, as they come.
    pub(crate) fn write(&self, stdio: Stdio, mut bytes: &[u8]) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !bytes.is_empty() && state.has_room() {
            let end = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |at| at + 1);
            let (piece, rest) = bytes.split_at(end);
            let kept = state.keep(piece);
            self.add(&mut state, stdio, kept);
            bytes = rest;
        }
        state.dropped += bytes.len() as u64;
    }

    fn add(&self, state: &mut State, stdio: Stdio, piece: &[u8]) {
        let (text, ends) = match piece.split_last() {
            Some((b'\n', text)) => (text, true),
            _ => (piece, false),
        };
        for part in text.chunks(MAX_LINE) {
            if state.line(stdio).len() + part.len() > MAX_LINE {
                self.tell(state, stdio);
            }
            state.line(stdio).extend_from_slice(part);
        }
        if ends {
            let short = MIN_LINE.saturating_sub(state.line(stdio).len() as u64 + 1);
            state.left = state.left.saturating_sub(short);
            self.tell(state, stdio);
        }
    }

    fn tell(&self, state: &mut State, stdio: Stdio) {
        let line = state.line(stdio);
        self.0.observer.stdio(stdio, line);
        line.clear();
        state.lines = state.lines.saturating_sub(1);
    }
}

impl State {
    fn has_room(&self) -> bool {
        self.left > 0 && self.lines > 0
    }

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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::events::{Denial, Usage};

    /// Bytes that come at a time.
    const WRITTEN: usize = 64 * 1024;

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

    #[test]
    fn empty_lines_are_paid_for() {
        let heard = Arc::new(Heard::default());
        let capture = Capture::new(heard.clone(), 64 * 1024);
        capture.write(Stdio::Out, &[b'\n'; WRITTEN]);
        capture.write(Stdio::Err, b"and this\n");
        capture.finish();
        let told = lines(&heard).len() as u64;
        assert_eq!(told, 64 * 1024 / MIN_LINE);
        assert_eq!(*heard.dropped.lock().unwrap(), [WRITTEN as u64 - told + 9]);
    }

    #[test]
    fn a_line_as_long_as_the_least_costs_no_more_than_its_bytes() {
        let heard = Arc::new(Heard::default());
        let capture = Capture::new(heard.clone(), 10 * MIN_LINE);
        let line = [&[b'x'; MIN_LINE as usize - 1][..], b"\n"].concat();
        for _ in 0..11 {
            capture.write(Stdio::Out, &line);
        }
        capture.finish();
        assert_eq!(lines(&heard).len(), 10);
        assert_eq!(*heard.dropped.lock().unwrap(), [MIN_LINE]);
    }

    #[test]
    fn lines_are_bounded_however_many_bytes_are_allowed() {
        let heard = Arc::new(Heard::default());
        let capture = Capture::new(heard.clone(), u64::MAX);
        for _ in 0..2 {
            capture.write(Stdio::Out, &[b'\n'; WRITTEN]);
        }
        capture.write(Stdio::Err, &[b'x'; 3 * MAX_LINE]);
        capture.finish();
        assert_eq!(lines(&heard).len(), MAX_LINES as usize);
        let all = 2 * WRITTEN + 3 * MAX_LINE;
        assert_eq!(*heard.dropped.lock().unwrap(), [all as u64 - u64::from(MAX_LINES)]);
    }
}
