//! A budget with a waiting line: who finds it spent waits for its turn, first come first served.
//!
//! While nobody waits, taking and giving back are one atomic operation each: calls share no lock.

use std::sync::Arc;

use toolgate_runtime::budget::{Budget, Queue, Share};

/// A budget that can be waited for. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Line(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    budget: Budget,
    queue: Queue,
}

/// Units that were taken; given back on drop, when the first in line hears of it.
#[derive(Debug)]
pub(super) struct Held {
    share: Option<Share>,
    line: Line,
}

impl Line {
    /// A budget of `total` units, for which `places` may wait.
    pub(super) fn new(total: u64, places: u32) -> Self {
        Self(Arc::new(Inner { budget: Budget::new(total), queue: Queue::new(places) }))
    }

    pub(super) fn total(&self) -> u64 {
        self.0.budget.total()
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> u32 {
        self.0.queue.waiting()
    }

    /// Takes `units` at once, unless others wait for some.
    pub(super) fn try_take(&self, units: u64) -> Option<Held> {
        if self.waiting() > 0 {
            return None;
        }
        self.take_now(units)
    }

    /// Takes `units`, waiting for them; `None` if the line is full or there are not so many at all.
    pub(super) async fn take(&self, units: u64) -> Option<Held> {
        if let Some(held) = self.try_take(units) {
            return Some(held);
        }
        if units > self.total() {
            return None;
        }
        self.0.queue.wait_for(|| self.take_now(units)).await
    }

    fn take_now(&self, units: u64) -> Option<Held> {
        let share = self.0.budget.take(units)?;
        Some(Held { share: Some(share), line: self.clone() })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.share.take());
        self.line.0.queue.tell();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use std::time::Duration;

    use tokio::task::yield_now;
    use tokio::time::timeout;

    use super::Line;

    #[tokio::test]
    async fn who_waits_gets_what_is_given_back() {
        let line = Line::new(2, 8);
        let held = line.try_take(2).unwrap();
        let waiter = tokio::spawn({
            let line = line.clone();
            async move { line.take(1).await.is_some() }
        });
        while line.waiting() == 0 {
            yield_now().await;
        }
        drop(held);
        assert!(waiter.await.unwrap());
        assert!(line.try_take(2).is_some());
    }

    #[tokio::test]
    async fn a_large_call_is_not_overtaken_by_small_ones() {
        let line = Line::new(4, 8);
        let held = line.try_take(1).unwrap();
        let large = tokio::spawn({
            let line = line.clone();
            async move { line.take(4).await }
        });
        while line.waiting() == 0 {
            yield_now().await;
        }
        assert!(line.try_take(1).is_none(), "three units are free, and promised");
        drop(held);
        let large = large.await.unwrap().unwrap();
        assert!(line.try_take(1).is_none());
        drop(large);
        assert!(line.try_take(4).is_some());
    }

    #[tokio::test]
    async fn the_line_is_bounded_and_who_leaves_it_makes_room() {
        let line = Line::new(1, 1);
        let held = line.try_take(1).unwrap();
        let short = Duration::from_millis(20);
        assert!(timeout(short, line.take(1)).await.is_err(), "it waits");
        let waiter = tokio::spawn({
            let line = line.clone();
            async move { line.take(1).await.is_some() }
        });
        while line.waiting() == 0 {
            yield_now().await;
        }
        assert!(line.take(1).await.is_none(), "there is one place");
        drop(held);
        assert!(waiter.await.unwrap());
    }

    #[tokio::test]
    async fn more_than_there_ever_is_is_not_waited_for() {
        assert!(Line::new(3, 8).take(4).await.is_none());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nobody_is_forgotten_under_load() {
        let line = Line::new(3, 1000);
        let work = |n: u64| {
            let line = line.clone();
            async move {
                for _ in 0..200 {
                    let held = line.take(1 + n % 3).await.unwrap();
                    yield_now().await;
                    drop(held);
                }
            }
        };
        let tasks: Vec<_> = (0..32).map(|n| tokio::spawn(work(n))).collect();
        for task in tasks {
            timeout(Duration::from_secs(60), task).await.unwrap().unwrap();
        }
        assert!(line.try_take(3).is_some());
    }
}
