//! File descriptors that guests hold: of files, sockets and requests.
//!
//! Each call has limits of its own for all of these, but there are many calls, and past the last
//! descriptor that the process may have, it takes no connection of a client any more. So guests share
//! one half of what there is, no server has more than half of that, and the gateway's own files,
//! clients and compilers keep the rest.

use crate::budget::{Budget, Share};

/// What part of the process's descriptors guests may hold, and what part of these one server.
const PART: u64 = 2;

/// What may be taken. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Descriptors {
    process: Budget,
    server: Budget,
}

/// One that was taken; it goes back on drop.
#[derive(Debug)]
pub(super) struct Descriptor {
    _server: Share,
    _process: Share,
}

/// Those of all servers, where the process may have so many.
pub(super) fn of_process(all: u64) -> Budget {
    Budget::new(all / PART)
}

impl Descriptors {
    /// The part of one more server.
    pub(super) fn of_server(process: &Budget) -> Self {
        Self { server: Budget::new(process.total() / PART), process: process.clone() }
    }

    /// Takes one, if any is free.
    pub(super) fn take(&self) -> Option<Descriptor> {
        Some(Descriptor { _server: self.server.take(1)?, _process: self.process.take(1)? })
    }

    /// Why there was none, for the operator.
    pub(super) fn spent(&self) -> String {
        format!(
            "no file descriptor is free: tools may hold {} together and {} of one server, by `ulimit -Hn`",
            self.process.total(),
            self.server.total(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Descriptors, of_process};

    fn all(from: &Descriptors) -> Vec<super::Descriptor> {
        std::iter::from_fn(|| from.take()).collect()
    }

    #[test]
    fn one_server_leaves_half_to_the_others_and_all_together_half_to_the_process() {
        let process = of_process(16);
        let [one, other, third] = [(); 3].map(|()| Descriptors::of_server(&process));
        let (of_one, of_other) = (all(&one), all(&other));
        assert_eq!((of_one.len(), of_other.len()), (4, 4));
        assert!(third.take().is_none());
        drop(of_one);
        assert_eq!(all(&third).len(), 4);
    }

    #[test]
    fn one_that_the_process_refuses_is_not_taken_from_the_server() {
        let process = of_process(8);
        let server = Descriptors::of_server(&process);
        let others = process.take(4);
        assert!(server.take().is_none());
        drop(others);
        assert_eq!(all(&server).len(), 2);
    }
}
