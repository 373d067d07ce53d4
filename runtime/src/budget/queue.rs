//! A line for units of a budget: who finds too few waits for its turn, first come first served.
//!
//! Knows nothing of what is waited for: who waits says how it is taken, and who gives back tells. While
//! nobody waits, that is one look at a counter, and no lock.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{Mutex, Notify};

/// A bounded line.
#[derive(Debug)]
pub struct Queue {
    /// Sequentially consistent, as a budget is: either who gives back sees that somebody waits, or who
    /// begins to wait sees what was given back.
    waiting: AtomicU32,
    places: u32,
    /// Held by the first in line.
    turn: Mutex<()>,
    freed: Notify,
}

impl Queue {
    /// A line in which `places` may wait.
    #[must_use]
    pub fn new(places: u32) -> Self {
        Self { waiting: AtomicU32::new(0), places, turn: Mutex::new(()), freed: Notify::new() }
    }

    /// How many wait. Who comes while some do is to wait too, or it overtakes them.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Waits until it is the caller's turn and `take` gives something; it is asked anew each time that
    /// something was given back. `None` if the line is full.
    pub async fn wait_for<T>(&self, mut take: impl FnMut() -> Option<T>) -> Option<T> {
        let _place = Place::take(self)?;
        let _turn = self.turn.lock().await;
        loop {
            let freed = self.freed.notified();
            if let Some(taken) = take() {
                return Some(taken);
            }
            freed.await;
        }
    }

    /// To be called after something was given back.
    pub fn tell(&self) {
        if self.waiting() > 0 {
            // Kept for the first in line, should it not listen yet.
            self.freed.notify_one();
        }
    }
}

/// A place in line, given back on drop, also when whoever waits goes away.
struct Place<'a>(&'a Queue);

impl<'a> Place<'a> {
    fn take(queue: &'a Queue) -> Option<Self> {
        let more = |waiting| (waiting < queue.places).then_some(waiting + 1);
        let taken = queue.waiting.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more);
        taken.ok().map(|_| Self(queue))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
