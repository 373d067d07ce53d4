//! How far the threads for long calls step back behind all others of the machine.
//!
//! Of Linux's classes, `SCHED_IDLE` is the one that costs others least: a processor that runs nothing
//! else counts as free, so whoever wakes up is sent there and need not wait for somebody to end a slice.
//! But where others want all processors it leaves next to nothing, and no thread may leave it again
//! without a right that containers have not. So there are threads of two kinds, and [`super::duty`] tells
//! which of them take turns.

/// A kind of thread for long calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Priority {
    /// Gets what nobody else wants.
    Idle,
    /// Gets a share wherever it waits: by Linux's weights a tenth of a core that one other thread wants too.
    Low,
}

/// By how much a thread of low priority steps back. It needs no rights; nobody could take it back.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

impl Priority {
    /// Both kinds.
    pub(super) const ALL: [Self; 2] = [Self::Idle, Self::Low];

    /// Names of threads begin with it. At most 11 bytes: Linux keeps 15 of a name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Idle => "guest",
            Self::Low => "guest-low",
        }
    }

    /// Gives the calling thread, and it alone, this priority. Where the idle class is forbidden it becomes
    /// the low one, and where that is too, guests get a fair share instead of what is left over. Other
    /// systems than Linux know priorities of processes only: nothing changes there.
    pub(super) fn take(self) {
        #[cfg(target_os = "linux")]
        if self == Self::Low || enter_idle_class().is_err() {
            let _forbidden = rustix::process::setpriority_process(None, NICE);
        }
    }
}

/// By the system call itself: musl's function of that name always fails, since POSIX means processes.
#[cfg(target_os = "linux")]
fn enter_idle_class() -> std::io::Result<()> {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: it reads `parameters`, which outlives the call, and 0 stands for the calling thread.
    let result = unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_IDLE, &parameters) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
