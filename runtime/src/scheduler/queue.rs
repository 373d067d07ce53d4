//! Who is next: one turn per lane in rotation, first come first served within a lane.
//!
//! Pure: no threads, no clocks. So one server with a thousand calls and another with one get as many
//! turns each.

use std::collections::{HashMap, VecDeque};

/// What waits for a turn, by lane.
#[derive(Debug)]
pub(super) struct RunQueue<T> {
    waiting: HashMap<u64, VecDeque<T>>,
    /// Lanes in which something waits, each once.
    rotation: VecDeque<u64>,
}

impl<T> Default for RunQueue<T> {
    fn default() -> Self {
        Self { waiting: HashMap::new(), rotation: VecDeque::new() }
    }
}

impl<T> RunQueue<T> {
    /// Lets `item` wait behind all others of its lane.
    pub(super) fn push(&mut self, lane: u64, item: T) {
        let waiting = self.waiting.entry(lane).or_default();
        if waiting.is_empty() {
            self.rotation.push_back(lane);
        }
        waiting.push_back(item);
    }

    /// Takes the next one.
    pub(super) fn pop(&mut self) -> Option<T> {
        let lane = self.rotation.pop_front()?;
        let waiting = self.waiting.get_mut(&lane)?;
        let item = waiting.pop_front();
        if waiting.is_empty() {
            self.waiting.remove(&lane);
        } else {
            self.rotation.push_back(lane);
        }
        item
    }
}

#[cfg(test)]
mod tests {
    use super::RunQueue;

    #[test]
    fn lanes_take_turns_however_many_wait_in_one() {
        let mut queue = RunQueue::default();
        for item in ["a1", "a2", "a3", "a4"] {
            queue.push(1, item);
        }
        queue.push(2, "b1");
        queue.push(3, "c1");
        queue.push(2, "b2");
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
    }

    #[test]
    fn nothing_is_kept_of_a_lane_in_which_nobody_waits() {
        let mut queue = RunQueue::default();
        for lane in 0..100 {
            queue.push(lane, ());
        }
        while queue.pop().is_some() {}
        assert!(queue.waiting.is_empty() && queue.rotation.is_empty());
    }
}
