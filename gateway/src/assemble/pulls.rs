//! How many artifacts are brought at a time: so many from each registry, so that a slow one holds
//! up only the servers that are on it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Artifacts that are brought from one registry at a time. Against a long config opening a
/// connection for each of its servers at once.
const MAX_PULLS: usize = 4;

/// The registries asked so far; as many as the config names.
#[derive(Default)]
pub(super) struct Pulls(Mutex<HashMap<String, Arc<Semaphore>>>);

impl Pulls {
    /// Waits until an artifact may be brought from `registry`.
    pub(super) async fn enter(&self, registry: &str) -> Option<OwnedSemaphorePermit> {
        let places = {
            let mut registries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(
                registries.entry(registry.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(MAX_PULLS))),
            )
        };
        // Fails only if it were closed.
        places.acquire_owned().await.ok()
    }
}
