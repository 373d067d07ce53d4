//! A circuit breaker: where a server fails again and again, calls are refused at once, in place of each trying for itself.
//! Then the server is no longer offered, and whoever tries it anew begins with another breaker. One that takes requests
//! and says nothing is not known from one whose tools take their time: that is for deadlines.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Failures in a row that open it. One may be a connection that broke.
const FAILURES: u32 = 5;

/// Counts failures.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: Mutex<State>,
    opened: Notify,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    last: String,
}

impl State {
    fn why(&self) -> Option<String> {
        let is_open = self.failures >= FAILURES;
        is_open.then(|| format!("it failed {FAILURES} times in a row, at last: {}", self.last))
    }
}

impl Breaker {
    /// Why nothing is to be sent.
    pub(super) fn open(&self) -> Option<String> {
        self.state().why()
    }

    /// The server did not answer, or answered that it can't.
    pub(super) fn failed(&self, why: &str) {
        let mut state = self.state();
        if state.failures < FAILURES {
            state.failures += 1;
            why.clone_into(&mut state.last);
        }
        if state.failures == FAILURES {
            self.opened.notify_one();
        }
    }

    /// It answered.
    pub(super) fn worked(&self) {
        let mut state = self.state();
        if state.failures < FAILURES {
            state.failures = 0;
        }
    }

    /// Waits until it is open, and says why.
    pub(super) async fn opened(&self) -> String {
        loop {
            if let Some(why) = self.open() {
                return why;
            }
            self.opened.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_opens_after_failures_in_a_row_and_stays_open() {
        let breaker = Breaker::default();
        (1..FAILURES).for_each(|_| breaker.failed("no"));
        assert_eq!(breaker.open(), None);
        breaker.worked();
        (1..FAILURES).for_each(|_| breaker.failed("no"));
        assert_eq!(breaker.open(), None);
        breaker.failed("refused");
        let why = breaker.open();
        assert_eq!(why.as_deref(), Some("it failed 5 times in a row, at last: refused"));
        breaker.worked();
        assert_eq!(Some(breaker.opened().await), why);
    }
}
