//! The resources of whose changes sessions are told (`resources/subscribe`). Known to this replica alone, as the stream
//! is on which they are told.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::session::SessionId;
use crate::error::Error;

/// Resources that a session may watch. Against memory filled by one session.
pub const MAX_OF_ONE: usize = 64;

/// Sessions that watch any. Against memory filled by sessions that do; past it, some other hears nothing more.
const MAX_SESSIONS: usize = 16_384;

/// What each session watches, by URI.
#[derive(Debug, Default)]
pub struct Watched(Mutex<HashMap<SessionId, HashSet<String>>>);

impl Watched {
    /// A session watches a resource.
    ///
    /// # Errors
    /// [`Error::InvalidParams`] where it watches as many as it may.
    pub fn add(&self, session: SessionId, uri: &str) -> Result<(), Error> {
        let mut all = self.all();
        if all.len() >= MAX_SESSIONS && !all.contains_key(&session) {
            let other = all.keys().next().copied();
            other.map(|other| all.remove(&other));
        }
        let own = all.entry(session).or_default();
        if own.len() >= MAX_OF_ONE && !own.contains(uri) {
            let reason =
                format!("a session may watch {MAX_OF_ONE} resources; end one by resources/unsubscribe");
            return Err(Error::InvalidParams(reason));
        }
        own.insert(uri.to_owned());
        Ok(())
    }

    /// It no longer does.
    pub fn remove(&self, session: SessionId, uri: &str) {
        let mut all = self.all();
        if let Some(own) = all.get_mut(&session) {
            own.remove(uri);
            if own.is_empty() {
                all.remove(&session);
            }
        }
    }

    /// Whether it does.
    #[must_use]
    pub fn has(&self, session: SessionId, uri: &str) -> bool {
        self.all().get(&session).is_some_and(|own| own.contains(uri))
    }

    /// What it watches.
    #[must_use]
    pub fn of(&self, session: SessionId) -> Vec<String> {
        self.all().get(&session).into_iter().flatten().cloned().collect()
    }

    /// Forgets a session that has ended.
    pub fn forget(&self, session: SessionId) {
        self.all().remove(&session);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<SessionId, HashSet<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_session_watches_is_its_own_and_bounded() {
        let watched = Watched::default();
        let (one, other) = ([1; 16], [2; 16]);
        for number in 0..MAX_OF_ONE {
            assert!(watched.add(one, &format!("a:{number}")).is_ok());
        }
        assert!(matches!(watched.add(one, "a:more"), Err(Error::InvalidParams(_))));
        assert!(watched.add(one, "a:0").is_ok(), "once more is no more");
        assert!(watched.has(one, "a:0") && !watched.has(other, "a:0"));
        watched.remove(one, "a:0");
        assert!(!watched.has(one, "a:0") && watched.add(one, "a:more").is_ok());
        watched.forget(one);
        assert!(watched.all().is_empty());
    }
}
