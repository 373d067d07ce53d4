//! Ctrl-C while the demo's gateway runs: passed on to it, so that it ends as an operator's does, after
//! the calls in flight, and leaves nothing behind.
//!
//! Left alone, the signal would end this process at once. On a terminal the gateway would get it
//! too, but not from `kill`: then it would go on, with nobody to end it. So the gateway has a process
//! group of its own and hears of signals from here alone, one for one, since its second means `now`.

use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};

/// Signals that asked for the end.
static RECEIVED: AtomicU32 = AtomicU32::new(0);

/// From now on signals to end are counted, no longer obeyed. Programs that are started inherit none
/// of this.
pub(super) fn count() {
    let handler = note as extern "C" fn(libc::c_int);
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler only adds to an atomic, which may be done wherever a signal interrupts.
        unsafe { libc::signal(signal, handler as libc::sighandler_t) };
    }
}

extern "C" fn note(_signal: libc::c_int) {
    RECEIVED.fetch_add(1, Ordering::Relaxed);
}

/// How many signals there were.
pub(super) fn received() -> u32 {
    RECEIVED.load(Ordering::Relaxed)
}

/// Sends a child what Ctrl-C would, if it still runs.
pub(super) fn interrupt(child: &mut Child) {
    let running = matches!(child.try_wait(), Ok(None));
    if let (true, Ok(process)) = (running, libc::pid_t::try_from(child.id())) {
        // SAFETY: a system call without memory. The child has not been waited for, so its id names
        // no other process, even if it has ended since.
        unsafe { libc::kill(process, libc::SIGINT) };
    }
}
