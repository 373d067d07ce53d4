//! Requests in flight, so that their client can withdraw them by id.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::error::Error;

/// The requests in flight, by whatever names one.
#[derive(Debug)]
pub struct Flight<K: Eq + Hash> {
    running: Mutex<HashMap<K, Arc<Notify>>>,
}

impl<K: Eq + Hash> Default for Flight<K> {
    fn default() -> Self {
        Self { running: Mutex::new(HashMap::new()) }
    }
}

impl<K: Eq + Hash + Clone> Flight<K> {
    /// Runs a request until it ends or is cancelled; cancelling drops it.
    ///
    /// # Errors
    /// [`Error::Cancelled`], or the request's own. [`Error::InvalidRequest`] for a second request of
    /// the same key: it could not be told from the first, to be cancelled or answered.
    pub async fn run<T>(&self, key: K, request: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let cancelled = Arc::new(Notify::new());
        let _entry = self.enter(key, &cancelled)?;
        tokio::select! {
            biased;
            () = cancelled.notified() => Err(Error::Cancelled),
            result = request => result,
        }
    }

    /// Cancels a request; nothing happens if it is not in flight.
    pub fn cancel(&self, key: &K) {
        if let Some(request) = self.lock().get(key) {
            request.notify_one();
        }
    }

    /// Cancels every request whose key is chosen.
    pub fn cancel_where(&self, chosen: impl Fn(&K) -> bool) {
        self.lock().iter().filter(|(key, _)| chosen(key)).for_each(|(_, r)| r.notify_one());
    }

    fn enter(&self, key: K, cancelled: &Arc<Notify>) -> Result<Entry<'_, K>, Error> {
        let mut running = self.lock();
        if running.contains_key(&key) {
            let reason = "a request of the same id is still running".to_owned();
            return Err(Error::InvalidRequest(reason));
        }
        running.insert(key.clone(), Arc::clone(cancelled));
        Ok(Entry { flight: self, key })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<Notify>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the request out of the table when it ends in any way.
struct Entry<'a, K: Eq + Hash + Clone> {
    flight: &'a Flight<K>,
    key: K,
}

impl<K: Eq + Hash + Clone> Drop for Entry<'_, K> {
    fn drop(&mut self) {
        self.flight.lock().remove(&self.key);
    }
}
