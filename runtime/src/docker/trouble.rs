//! When a container may be started again after others failed: at once after one, later and later after
//! more, so that an image that never works doesn't keep its engine busy.

use std::time::{Duration, Instant};

use super::error::StartError;

/// Wait after the second failure in a row; doubled with each further one.
const FIRST: Duration = Duration::from_secs(1);

/// Longest wait. Somebody may have mended it meanwhile.
const LONGEST: Duration = Duration::from_secs(60);

/// A container that ended sooner never worked.
const YOUNG: Duration = Duration::from_secs(10);

/// Failures in a row.
#[derive(Debug, Default)]
pub(super) struct Trouble(Option<Failures>);

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Instant,
    cause: StartError,
}

impl Trouble {
    /// A container did not start.
    pub(super) fn failed(&mut self, cause: StartError) {
        let count = self.0.as_ref().map_or(1, |failures| failures.count.saturating_add(1));
        self.0 = Some(Failures { count, last: Instant::now(), cause });
    }

    /// A container that several calls share ended by itself at that age.
    pub(super) fn ended(&mut self, age: Duration) {
        if age < YOUNG {
            self.failed(StartError::Ended("its container ended soon after it had started".to_owned()));
        }
    }

    /// One works.
    pub(super) fn over(&mut self) {
        self.0 = None;
    }

    /// Whether one may be started now.
    pub(super) fn may_start(&self) -> Result<(), StartError> {
        let Some(failures) = &self.0 else { return Ok(()) };
        let wait = wait(failures.count).saturating_sub(failures.last.elapsed());
        if wait.is_zero() {
            return Ok(());
        }
        Err(StartError::Waiting { cause: Box::new(failures.cause.clone()), wait })
    }
}

/// After so many failures.
fn wait(count: u32) -> Duration {
    match count.checked_sub(2) {
        None => Duration::ZERO,
        Some(doublings) => FIRST.saturating_mul(1 << doublings.min(16)).min(LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause() -> StartError {
        StartError::Ended("it ended".to_owned())
    }

    #[test]
    fn waits_are_longer_and_longer() {
        let waits: Vec<u64> = [0, 1, 2, 3, 4, 8, 9, u32::MAX].map(|count| wait(count).as_secs()).into();
        assert_eq!(waits, [0, 0, 1, 2, 4, 60, 60, 60]);
    }

    #[test]
    fn one_failure_is_none_and_a_second_is_told_with_its_reason() {
        let mut trouble = Trouble::default();
        trouble.failed(cause());
        assert_eq!(trouble.may_start(), Ok(()));
        trouble.failed(cause());
        let error = trouble.may_start().unwrap_err();
        assert_eq!(error.to_string(), "it ended; the next try is in 1 s");
        trouble.over();
        assert_eq!(trouble.may_start(), Ok(()));
    }

    #[test]
    fn an_old_container_that_ends_is_no_trouble() {
        let mut trouble = Trouble::default();
        (0..5).for_each(|_| trouble.ended(YOUNG));
        assert_eq!(trouble.may_start(), Ok(()));
        (0..2).for_each(|_| trouble.ended(Duration::ZERO));
        assert!(trouble.may_start().is_err());
    }
}
