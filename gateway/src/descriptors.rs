//! File descriptors of this process.
//!
//! Systems start programs with a soft limit of 1,024, for those that still use `select`. Each connection
//! of a client and each file and connection of a guest is one; all of these have limits of their own.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one.
pub(crate) fn allow_all() {
    let limit = getrlimit(Resource::Nofile);
    // Where it is forbidden, fewer connections are accepted at a time, and the log says so.
    let _forbidden = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

#[cfg(test)]
mod tests {
    use rustix::process::{Resource, getrlimit};

    #[test]
    fn the_soft_limit_is_the_hard_one() {
        super::allow_all();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
