//! Lists for callers to whom some of the servers are open: each is written when it is first asked
//! for, and kept with its catalog.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::Pages;

/// Lists that are kept. Against memory filled by callers who each see something else; past it, a list
/// is written anew each time.
const MAX_KEPT: usize = 64;

/// By the names of the open servers.
#[derive(Debug, Default)]
pub(super) struct Filtered(Mutex<HashMap<Arc<BTreeSet<String>>, Arc<Pages>>>);

impl Filtered {
    /// The list of these servers' tools, which `write` writes.
    pub(super) fn of(&self, servers: &Arc<BTreeSet<String>>, write: impl FnOnce() -> Pages) -> Arc<Pages> {
        if let Some(kept) = self.kept().get(servers) {
            return Arc::clone(kept);
        }
        // Two may write the same at a time, which is better than that one waits for the other.
        let pages = Arc::new(write());
        let mut kept = self.kept();
        if kept.len() < MAX_KEPT {
            kept.insert(Arc::clone(servers), Arc::clone(&pages));
        }
        pages
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<BTreeSet<String>>, Arc<Pages>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
