//! Which threads take turns: those of the idle class, unless others leave them too little to get on.
//!
//! Pure: no threads, no clocks of its own. A turn that an idle thread holds can't be taken from it, so
//! they are not sent back to work to see whether it goes better now: one tries first, with nothing in hand.

use std::time::{Duration, Instant};

use super::priority::Priority;

/// How long a turn may take until its thread counts as starved. A turn computes for half a millisecond to
/// one, so by then it gets less than a twentieth of a processor. Against long calls that never end where
/// short ones, or neighbours on the machine, take all there is.
pub(super) const PATIENCE: Duration = Duration::from_millis(20);

/// How long threads of low priority are on duty until an idle one tries again.
pub(super) const RETRY: Duration = Duration::from_millis(500);

/// How long it may take to try, while nobody takes turns: a fiftieth of the time at most.
pub(super) const TRIAL: Duration = Duration::from_millis(10);

/// Who is on duty, and what would tell that the idle threads are starved.
#[derive(Debug)]
pub(super) struct Duty {
    phase: Phase,
    /// Since when idle threads hold their turns.
    held: Vec<Option<Instant>>,
    /// Since when somebody waits for a turn and no thread has taken one.
    waits: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    On(Priority),
    /// One idle thread computes for itself, all others wait.
    Trial,
}

impl Duty {
    /// So many threads of each priority; the idle ones begin.
    pub(super) fn of(threads: usize) -> Self {
        Self { phase: Phase::On(Priority::Idle), held: vec![None; threads], waits: None }
    }

    /// Whether threads of that priority take turns now.
    pub(super) fn is_on(&self, priority: Priority) -> bool {
        self.phase == Phase::On(priority)
    }

    /// Whether an idle thread shall try how it gets on.
    pub(super) fn is_trial(&self) -> bool {
        self.phase == Phase::Trial
    }

    /// Notes that somebody wants a turn.
    pub(super) fn asked(&mut self, now: Instant) {
        self.waits.get_or_insert(now);
    }

    /// Notes that a thread took a turn, and whether others wait still.
    pub(super) fn taken(&mut self, now: Instant, others_wait: bool) {
        self.waits = others_wait.then_some(now);
    }

    /// Notes that an idle thread, by its number, began a turn or ended it.
    pub(super) fn holds(&mut self, thread: usize, since: Option<Instant>) {
        self.held[thread] = since;
    }

    /// Whether somebody waits for a turn, or an idle thread holds one.
    pub(super) fn is_needed(&self) -> bool {
        self.waits.is_some() || self.is_held()
    }

    fn is_held(&self) -> bool {
        self.held.iter().any(Option::is_some)
    }

    /// Relieves the idle threads if one of them is starved. Returns whether it did.
    pub(super) fn relieve(&mut self, now: Instant) -> bool {
        let late = |since: &Instant| now.saturating_duration_since(*since) > PATIENCE;
        let starved = self.is_on(Priority::Idle) && self.held.iter().chain([&self.waits]).flatten().any(late);
        if starved {
            self.phase = Phase::On(Priority::Low);
        }
        starved
    }

    /// Has an idle thread try, unless one is still at its turn: then it can't have got on.
    pub(super) fn begin_trial(&mut self) {
        if self.is_on(Priority::Low) && !self.is_held() {
            self.phase = Phase::Trial;
        }
    }

    /// Ends a trial, if there is one still.
    pub(super) fn end_trial(&mut self, now: Instant, passed: bool) {
        if self.is_trial() {
            self.phase = Phase::On(if passed { Priority::Idle } else { Priority::Low });
            // Who waits now had to wait for the trial.
            self.waits = self.waits.map(|_| now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Duty, PATIENCE, Priority};

    const MOMENT: Duration = Duration::from_millis(1);

    /// Relieved, with the first thread's turn still held.
    fn relieved() -> Duty {
        let (mut duty, since) = (Duty::of(2), Instant::now());
        duty.holds(0, Some(since));
        assert!(duty.relieve(since + PATIENCE + MOMENT));
        duty
    }

    #[test]
    fn idle_threads_are_on_duty_as_long_as_they_get_on() {
        let (mut duty, since) = (Duty::of(2), Instant::now());
        assert!(!duty.relieve(since + 100 * PATIENCE), "nobody holds a turn");
        duty.holds(1, Some(since));
        assert!(!duty.relieve(since + PATIENCE) && duty.is_needed());
        duty.holds(1, None);
        assert!(!duty.relieve(since + 100 * PATIENCE) && !duty.is_needed());
        assert!(duty.is_on(Priority::Idle) && !duty.is_on(Priority::Low));
    }

    #[test]
    fn one_that_holds_its_turn_for_long_relieves_all() {
        let mut duty = relieved();
        assert!(duty.is_on(Priority::Low) && !duty.is_on(Priority::Idle));
        assert!(!duty.relieve(Instant::now() + 100 * PATIENCE), "it happens once");
    }

    #[test]
    fn a_turn_that_none_takes_relieves_all() {
        let (mut duty, since) = (Duty::of(2), Instant::now());
        duty.asked(since);
        duty.asked(since + PATIENCE);
        assert!(!duty.relieve(since + PATIENCE), "not yet");
        duty.taken(since + PATIENCE, true);
        assert!(!duty.relieve(since + PATIENCE + MOMENT), "it is the next one's time that counts");
        duty.taken(since + PATIENCE, false);
        assert!(!duty.relieve(since + 100 * PATIENCE), "nobody waits");
        duty.asked(since);
        assert!(duty.is_needed() && duty.relieve(since + PATIENCE + MOMENT));
    }

    #[test]
    fn they_come_back_after_a_trial_with_nothing_in_hand() {
        let (mut duty, later) = (relieved(), Instant::now() + 100 * PATIENCE);
        duty.begin_trial();
        assert!(!duty.is_trial(), "a turn is still held");
        duty.holds(0, None);
        duty.begin_trial();
        assert!(duty.is_trial() && !duty.is_on(Priority::Low) && !duty.is_on(Priority::Idle));
        duty.end_trial(later, false);
        assert!(duty.is_on(Priority::Low));
        duty.asked(later - PATIENCE);
        duty.begin_trial();
        duty.end_trial(later, true);
        assert!(duty.is_on(Priority::Idle) && !duty.relieve(later + MOMENT));
        duty.end_trial(later, false);
        assert!(duty.is_on(Priority::Idle), "a trial that was over changes nothing");
    }
}
