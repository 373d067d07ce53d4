//! Lists for callers to whom some of the servers are open: each is written when it is first asked
//! for, and kept with its catalog.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{List, Pages, View};

/// Lists that are kept. Against memory filled by callers who each see something else; past it, a list
/// is written anew each time.
const MAX_KEPT: usize = 128;

/// By what they list, of which view, and the names of the open servers.
#[derive(Debug, Default)]
pub(super) struct Filtered(Mutex<Kept>);

type Kept = HashMap<(List, View, Arc<BTreeSet<String>>), Arc<Pages>>;

impl Filtered {
    /// That list of these servers, which `write` writes.
    pub(super) fn of(
        &self,
        list: List,
        view: &View,
        servers: &Arc<BTreeSet<String>>,
        write: impl FnOnce() -> Pages,
    ) -> Arc<Pages> {
        let key = (list, view.clone(), Arc::clone(servers));
        if let Some(kept) = self.kept().get(&key) {
            return Arc::clone(kept);
        }
        // Two may write the same at a time, which is better than that one waits for the other.
        let pages = Arc::new(write());
        let mut kept = self.kept();
        if kept.len() < MAX_KEPT {
            kept.insert(key, Arc::clone(&pages));
        }
        pages
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
