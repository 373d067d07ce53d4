//! Answers that one turn of a thread makes go out together.
//!
//! A thread that finds several requests waiting makes each answer in some tens of microseconds. To send one is to
//! wake its client, which takes longer than the whole sandbox where the client sleeps; and it sleeps again before
//! the next answer is made. So an answer that follows closely upon another waits until those that can be made now
//! are made. The first of a turn does not wait, and none waits where requests come one by one.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Between the end of a request and the beginning of the next one of the same turn: time to read it, and to send
/// the answer before where that is the first. A client that had to be woken to ask again takes longer.
const SAME_TURN: Duration = Duration::from_micros(40);

thread_local! {
    /// When this thread made its last answer.
    static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// To be awaited once an answer is made, to a request that was begun then.
pub(super) async fn end(began: Instant) {
    let last = LAST.replace(Some(Instant::now()));
    if last.is_some_and(|last| is_same(last, began)) {
        tokio::task::yield_now().await;
    }
}

fn is_same(last: Instant, began: Instant) -> bool {
    began.saturating_duration_since(last) < SAME_TURN
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Mutex;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn waits(began: Instant) -> bool {
        let mut end = pin!(end(began));
        end.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Pending
    }

    #[test]
    fn the_first_answer_of_a_turn_goes_out_at_once_and_what_follows_closely_waits() {
        let now = Instant::now();
        assert!(!waits(now));
        assert!(waits(now));
        assert!(waits(Instant::now() - Duration::from_millis(3)), "it was begun before the last ended");
        assert!(!waits(Instant::now() + SAME_TURN), "after a pause");
    }

    #[tokio::test]
    async fn the_others_of_the_turn_are_made_before_any_that_waits_is_sent() {
        static TOLD: Mutex<Vec<&str>> = Mutex::new(Vec::new());
        // Of one time, so that a slow machine makes no pause between them.
        let began = Instant::now();
        let tasks = [0, 1, 2].map(|_| {
            tokio::spawn(async move {
                TOLD.lock().unwrap().push("made");
                end(began).await;
                TOLD.lock().unwrap().push("sent");
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*TOLD.lock().unwrap(), ["made", "sent", "made", "made", "sent", "sent"]);
    }
}
