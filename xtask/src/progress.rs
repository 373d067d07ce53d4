//! Says which step is running and how long it took, so that a long silence never looks like a hang.
//!
//! Goes to stderr. The steps' own output (cargo's progress bar on a terminal) passes through.

use std::time::Instant;

use crate::process::Result;

/// Runs one named step, announced before and timed after.
pub(crate) fn step<T>(title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("==> {title}");
    let start = Instant::now();
    let result = work();
    let elapsed = start.elapsed().as_secs_f32();
    match &result {
        Ok(_) => eprintln!("    done in {elapsed:.1} s"),
        Err(_) => eprintln!("    failed after {elapsed:.1} s: {title}"),
    }
    result
}
