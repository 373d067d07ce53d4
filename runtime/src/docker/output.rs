//! What a container prints besides messages: told line by line, bounded, and its last words kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::capture::Capture;
use crate::events::{Denial, MAX_DENIALS, Observer, Stdio};
use crate::peer::{Listener, News, Notification};
use crate::secret::Shield;

/// After that time a container that several calls share may print as much again.
const RENEWED: Duration = Duration::from_secs(60);

/// Bytes of what was printed last that are kept, to say why a container ended.
const LAST: usize = 512;

/// Hears one container.
pub(super) struct Output {
    limit: u64,
    /// Hides the secrets that the container holds.
    shield: Shield,
    news: Arc<News>,
    /// Hears what belongs to no call.
    server: Arc<dyn Observer>,
    state: Mutex<State>,
}

/// What is printed belongs to a call as long as this is there. Its observer is let go of then, as the call's
/// record waits for that.
pub(super) struct Belonging(Arc<Output>);

struct State {
    capture: Capture,
    /// Hears of denials.
    observer: Arc<dyn Observer>,
    /// Of which it has heard so many.
    denials: usize,
    /// `None` while it belongs to a call, which has its limit once.
    since: Option<Instant>,
    last: Vec<u8>,
}

impl Output {
    /// `limit` bytes are told of each call, and of each minute outside of calls. What the server says of what it
    /// offers goes to `news`.
    pub(super) fn new(observer: Arc<dyn Observer>, limit: u64, shield: Shield, news: Arc<News>) -> Arc<Self> {
        let server = shield.before(observer);
        let capture = Capture::new(Arc::clone(&server), limit);
        let (since, last) = (Some(Instant::now()), Vec::new());
        let state = State { capture, observer: Arc::clone(&server), denials: 0, since, last };
        Arc::new(Self { limit, shield, news, server, state: Mutex::new(state) })
    }

    /// From now on what is printed belongs to a call.
    pub(super) fn belongs_to(self: &Arc<Self>, observer: Arc<dyn Observer>) -> Belonging {
        let observer = self.shield.before(observer);
        self.state().renew(observer, self.limit, None);
        Belonging(Arc::clone(self))
    }

    /// Bytes of standard error, as they come.
    pub(super) fn stderr(&self, bytes: &[u8]) {
        let mut state = self.state();
        let kept = bytes.len().min(LAST);
        let surplus = (state.last.len() + kept).saturating_sub(LAST);
        state.last.drain(..surplus);
        state.last.extend_from_slice(&bytes[bytes.len() - kept..]);
        self.print(&mut state, Stdio::Err, bytes);
    }

    /// The last line of standard error that says anything, in printable characters.
    pub(super) fn last_words(&self) -> Option<String> {
        let state = self.state();
        let text = self.shield.text(&String::from_utf8_lossy(&state.last));
        let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
        Some(line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
    }

    /// A use of a capability that no grant covers. As many are told as bytes are: of each call, and of each
    /// minute outside of calls, [`MAX_DENIALS`].
    pub(super) fn denied(&self, denial: &Denial) {
        let mut state = self.state();
        self.renew_in_time(&mut state);
        state.denials += 1;
        if state.denials <= MAX_DENIALS {
            state.observer.denied(denial);
        }
    }

    fn print(&self, state: &mut State, stream: Stdio, bytes: &[u8]) {
        self.renew_in_time(state);
        state.capture.write(stream, bytes);
    }

    fn renew_in_time(&self, state: &mut State) {
        if state.since.is_some_and(|since| since.elapsed() > RENEWED) {
            state.renew(Arc::clone(&self.server), self.limit, Some(Instant::now()));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn renew(&mut self, observer: Arc<dyn Observer>, limit: u64, since: Option<Instant>) {
        self.capture.finish();
        self.capture = Capture::new(Arc::clone(&observer), limit);
        (self.observer, self.denials) = (observer, 0);
        self.since = since;
    }
}

impl Drop for Belonging {
    fn drop(&mut self) {
        let Self(output) = self;
        output.state().renew(Arc::clone(&output.server), output.limit, Some(Instant::now()));
    }
}

impl Listener for Output {
    fn notified(&self, notification: &Notification) {
        self.news.tell(notification);
    }

    fn noise(&self, line: &[u8]) {
        let mut state = self.state();
        self.print(&mut state, Stdio::Out, line);
        self.print(&mut state, Stdio::Out, b"\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Denial, Usage};

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Heard {
        fn lines(&self) -> Vec<String> {
            std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
        }

        fn note(&self, line: String) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    }

    impl Observer for Heard {
        fn stdio(&self, stream: Stdio, line: &[u8]) {
            self.note(format!("{stream:?} {}", String::from_utf8_lossy(line)));
        }
        fn stdio_dropped(&self, bytes: u64) {
            self.note(format!("{bytes} dropped"));
        }
        fn denied(&self, _: &Denial) {}
        fn finished(&self, _: &Usage) {}
    }

    fn output(limit: u64) -> (Arc<Output>, Arc<Heard>) {
        let heard = Arc::new(Heard::default());
        (
            Output::new(Arc::clone(&heard) as Arc<dyn Observer>, limit, Shield::default(), Arc::default()),
            heard,
        )
    }

    #[test]
    fn what_is_printed_belongs_to_the_call_that_runs() {
        let (output, server) = output(1000);
        output.stderr(b"starting\nhal");
        let call = Arc::new(Heard::default());
        let belonging = output.belongs_to(Arc::clone(&call) as Arc<dyn Observer>);
        output.stderr(b"f\n");
        output.noise(b"no message");
        drop(belonging);
        assert_eq!(Arc::strong_count(&call), 1, "a record waits for the last who may tell something");
        output.stderr(b"later\n");
        assert_eq!(server.lines(), ["Err starting", "Err hal", "Err later"]);
        assert_eq!(call.lines(), ["Err f", "Out no message"]);
    }

    #[test]
    fn output_is_bounded() {
        let (output, heard) = output(128);
        output.stderr(&[b'\n'; 1000]);
        output.state().capture.finish();
        assert_eq!(heard.lines(), ["Err ", "Err ", "998 dropped"]);
    }

    #[test]
    fn the_last_words_are_those_that_say_something() {
        let (output, _) = output(1000);
        assert_eq!(output.last_words(), None);
        output.stderr(&[b'x'; 2000]);
        output.stderr(b"\nTraceback\nno \x1b[31mmodule\n\n");
        assert_eq!(output.last_words().as_deref(), Some("no  [31mmodule"));
        output.stderr(&[b'y'; 2000]);
        assert_eq!(output.last_words().map(|words| words.len()), Some(LAST));
    }
}
