//! Everything that must hold before a change lands, in one run that ends with one line of counts.
//!
//! A failed step doesn't end the run: the rest still tells something. Nothing passes by being
//! skipped: an ignored test, an empty suite and a part that can't be installed all count as failed.

mod parts;
mod step;
mod suites;

use std::time::Instant;

use crate::process::{Failure, Result};
use crate::progress;

pub(crate) use step::Step;

/// How the tests run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Run only these steps; what they build on must be there. May be repeated.
    #[arg(long, value_name = "STEP")]
    only: Vec<Step>,
}

/// How many passed and failed, of single tests and of steps that are one check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Counts {
    /// One check that passed.
    pub(crate) const PASSED: Self = Self { passed: 1, failed: 0 };
    /// One check that failed.
    pub(crate) const FAILED: Self = Self { passed: 0, failed: 1 };

    /// Adds the counts of another part.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// `cargo xtask test`.
pub(crate) fn run(options: &Options) -> Result<()> {
    let start = Instant::now();
    let mut total = Counts::default();
    let mut failed = Vec::new();
    for step in Step::all(&options.only) {
        let counts = run_step(step);
        total.add(counts);
        if counts.failed > 0 {
            failed.push(step);
        }
    }
    report(&failed, start);
    println!("{} passed, {} failed", total.passed, total.failed);
    if failed.is_empty() && total.passed > 0 {
        return Ok(());
    }
    Err(Failure::told())
}

/// A step that breaks off counts as one failure.
fn run_step(step: Step) -> Counts {
    match progress::step(step.title(), || step.run()) {
        Ok(counts) => counts,
        Err(failure) => {
            eprintln!("{failure}");
            Counts::FAILED
        }
    }
}

fn report(failed: &[Step], start: Instant) {
    eprintln!("\nAll steps took {:.0} s.", start.elapsed().as_secs_f32());
    for step in failed {
        eprintln!("failed: {}; again: cargo xtask test --only {}", step.title(), step.name());
    }
}
