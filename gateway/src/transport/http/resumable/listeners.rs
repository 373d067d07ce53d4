//! The connections to sessions' own streams, so that one which goes on with another takes its place.
//!
//! Nothing else of such a stream is kept: its ids say how far a client has heard, see [`crate::mcp::place`].

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::mcp::place::StreamId;
use crate::mcp::session::SessionId;

type Key = (SessionId, StreamId);

/// Those there are: no more than connections.
#[derive(Debug, Default)]
pub(in super::super) struct Listeners(Mutex<HashMap<Key, oneshot::Sender<()>>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(in super::super) struct Listener {
    all: Arc<Listeners>,
    key: Key,
    replaced: oneshot::Receiver<()>,
}

impl Listeners {
    /// A new one of that session, in the place of another where it goes on with that.
    pub(in super::super) fn enter(
        self: &Arc<Self>,
        session: SessionId,
        before: Option<StreamId>,
    ) -> Listener {
        let mut stream = StreamId::default();
        getrandom::fill(&mut stream).expect("the system has random bytes");
        let (replace, replaced) = oneshot::channel();
        let mut all = self.all();
        // The one before hears of it as its sender is dropped.
        before.map(|before| all.remove(&(session, before)));
        all.insert((session, stream), replace);
        Listener { all: Arc::clone(self), key: (session, stream), replaced }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Key, oneshot::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    /// What its ids name it by.
    pub(in super::super) fn stream(&self) -> StreamId {
        self.key.1
    }

    /// Whether another has taken its place; if not, its task is woken when one does.
    pub(in super::super) fn is_replaced(&mut self, turn: &mut Context<'_>) -> bool {
        matches!(Pin::new(&mut self.replaced).poll(turn), Poll::Ready(_))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.all.all().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn one_that_goes_on_with_another_takes_its_place_in_its_own_session_alone() {
        let all = Arc::<Listeners>::default();
        let turn = &mut Context::from_waker(Waker::noop());
        let mut first = all.enter([1; 16], None);
        let mut other = all.enter([2; 16], Some(first.stream()));
        assert!(!first.is_replaced(turn) && !other.is_replaced(turn));
        let mut second = all.enter([1; 16], Some(first.stream()));
        assert!(first.is_replaced(turn) && !second.is_replaced(turn));
        drop((first, second, other));
        assert!(all.all().is_empty());
    }
}
