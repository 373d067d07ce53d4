//! Who is next: one turn per lane in rotation, first come first served within a lane.
//!
//! Pure: no threads, no clocks. One server with a thousand calls and another with one get as many turns
//! each; and however long a turn takes, no server has all of the threads.

use std::collections::{HashMap, VecDeque};

use super::priority::Priority;

/// What waits for a turn, by lane.
#[derive(Debug)]
pub(super) struct RunQueue<T> {
    lanes: HashMap<u64, Waiting<T>>,
    /// Lanes in which something waits, each once.
    rotation: VecDeque<u64>,
    /// Turns that a lane may have at a time, on threads of each priority: some of one may get no further.
    at_a_time: usize,
}

/// A lane in which something waits or has its turn.
#[derive(Debug)]
struct Waiting<T> {
    items: VecDeque<T>,
    turns: [usize; Priority::ALL.len()],
}

impl<T> Waiting<T> {
    fn turns(&mut self, on: Priority) -> &mut usize {
        &mut self.turns[on as usize]
    }
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), turns: [0; Priority::ALL.len()] }
    }
}

impl<T> RunQueue<T> {
    /// A queue for so many threads of each priority, of which a lane may have all but one. Against a server whose turns
    /// never end, as when huge results are copied.
    pub(super) fn for_threads(threads: usize) -> Self {
        let at_a_time = threads.saturating_sub(1).max(1);
        Self { lanes: HashMap::new(), rotation: VecDeque::new(), at_a_time }
    }

    /// Lets `item` wait behind all others of its lane.
    pub(super) fn push(&mut self, lane: u64, item: T) {
        let waiting = self.lanes.entry(lane).or_default();
        if waiting.items.is_empty() {
            self.rotation.push_back(lane);
        }
        waiting.items.push_back(item);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.rotation.is_empty()
    }

    /// Takes the next one, whose turn begins on a thread of that priority.
    pub(super) fn pop(&mut self, on: Priority) -> Option<(u64, T)> {
        let free = |lane: &u64| self.lanes[lane].turns[on as usize] < self.at_a_time;
        let place = self.rotation.iter().position(free)?;
        let lane = self.rotation.remove(place)?;
        let waiting = self.lanes.get_mut(&lane)?;
        *waiting.turns(on) += 1;
        let item = waiting.items.pop_front()?;
        if !waiting.items.is_empty() {
            self.rotation.push_back(lane);
        }
        Some((lane, item))
    }

    /// Ends a turn.
    pub(super) fn done(&mut self, lane: u64, on: Priority) {
        let Some(waiting) = self.lanes.get_mut(&lane) else { return };
        *waiting.turns(on) -= 1;
        if waiting.turns.iter().all(|&turns| turns == 0) && waiting.items.is_empty() {
            self.lanes.remove(&lane);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::{Priority, RunQueue};

    const ON: Priority = Priority::Idle;

    #[test]
    fn lanes_take_turns_however_many_wait_in_one() {
        let mut queue = RunQueue::for_threads(1);
        for item in ["a1", "a2", "a3", "a4"] {
            queue.push(1, item);
        }
        queue.push(2, "b1");
        queue.push(3, "c1");
        queue.push(2, "b2");
        let order: Vec<_> = std::iter::from_fn(|| {
            let (lane, item) = queue.pop(ON)?;
            queue.done(lane, ON);
            Some(item)
        })
        .collect();
        assert_eq!(order, ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
    }

    #[test]
    fn a_lane_whose_turns_do_not_end_leaves_a_thread_to_others() {
        let mut queue = RunQueue::for_threads(3);
        for item in 0..10 {
            queue.push(1, item);
        }
        assert_eq!((queue.pop(ON), queue.pop(ON), queue.pop(ON)), (Some((1, 0)), Some((1, 1)), None));
        queue.push(2, 100);
        assert_eq!(queue.pop(ON), Some((2, 100)));
        queue.done(1, ON);
        assert_eq!(queue.pop(ON), Some((1, 2)));
    }

    #[test]
    fn turns_that_get_no_further_on_idle_threads_do_not_count_on_others() {
        let mut queue = RunQueue::for_threads(2);
        for item in 0..3 {
            queue.push(1, item);
        }
        assert_eq!((queue.pop(ON), queue.pop(ON)), (Some((1, 0)), None));
        assert_eq!((queue.pop(Priority::Low), queue.pop(Priority::Low)), (Some((1, 1)), None));
        queue.done(1, Priority::Low);
        assert_eq!(queue.pop(Priority::Low), Some((1, 2)));
        queue.done(1, Priority::Low);
        queue.done(1, ON);
        assert!(queue.lanes.is_empty());
    }

    #[test]
    fn nothing_is_kept_of_a_lane_in_which_nobody_waits() {
        let mut queue = RunQueue::for_threads(2);
        for lane in 0..100 {
            queue.push(lane, ());
        }
        while let Some((lane, ())) = queue.pop(ON) {
            queue.done(lane, ON);
        }
        assert!(queue.lanes.is_empty() && queue.rotation.is_empty());
    }
}
