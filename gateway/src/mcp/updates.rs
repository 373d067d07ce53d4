//! Resources that change: told to whoever hears, and for a while to whoever comes back.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

/// Updates that wait to be told, and that are remembered for who comes back. Against memory filled by a server that
/// tells of many; who is slow, or away for long, misses some.
const MAX_UPDATES: usize = 1024;

/// A resource of a server has changed.
#[derive(Clone, Debug)]
pub struct Update {
    /// The server.
    pub server: Arc<str>,
    /// The resource.
    pub uri: Arc<str>,
}

/// How far somebody has heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Of which process; another counts anew.
    pub process: u64,
    /// The number of the last update.
    pub number: u64,
}

/// All updates of this process.
#[derive(Debug)]
pub struct Updates {
    process: u64,
    sender: broadcast::Sender<(u64, Update)>,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    last: u64,
    /// Number, server, and of the URI no more than its hash, since it may be long.
    recent: VecDeque<(u64, Arc<str>, u64)>,
}

impl Default for Updates {
    fn default() -> Self {
        let mut process = [0; 8];
        getrandom::fill(&mut process).expect("the system has random bytes");
        Self {
            process: u64::from_be_bytes(process),
            sender: broadcast::Sender::new(MAX_UPDATES),
            told: Mutex::default(),
        }
    }
}

impl Updates {
    /// Tells of one.
    pub fn tell(&self, update: Update) {
        let mut told = self.told();
        told.last += 1;
        let number = told.last;
        if told.recent.len() == MAX_UPDATES {
            told.recent.pop_front();
        }
        told.recent.push_back((number, Arc::clone(&update.server), hash(&update.uri)));
        // Fails where nobody hears.
        let _ = self.sender.send((number, update));
    }

    /// Hears of all that come from now on.
    #[must_use]
    pub fn hear(&self) -> (broadcast::Receiver<(u64, Update)>, Heard) {
        let told = self.told();
        (self.sender.subscribe(), Heard { process: self.process, number: told.last })
    }

    /// Which of these resources changed between the one and the other, as far as it is remembered here: each of a server
    /// once, in the order of when it last did.
    #[must_use]
    pub fn between(&self, from: Heard, to: Heard, uris: Vec<String>) -> Vec<(u64, Update)> {
        if from.process != self.process {
            return Vec::new();
        }
        let uris: HashMap<u64, Arc<str>> = uris.into_iter().map(|uri| (hash(&uri), uri.into())).collect();
        let (told, mut seen) = (self.told(), HashSet::new());
        let is_between = |number: u64| number > from.number && number <= to.number;
        let mut missed: Vec<_> =
            told.recent.iter().rev().filter(|(number, ..)| is_between(*number)).collect();
        missed.retain(|(_, server, hash)| uris.contains_key(hash) && seen.insert((server, *hash)));
        let update = |(number, server, hash): &(u64, Arc<str>, u64)| {
            (*number, Update { server: Arc::clone(server), uri: Arc::clone(&uris[hash]) })
        };
        missed.into_iter().rev().map(update).collect()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(uri: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    uri.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(updates: &Updates, uri: &str) {
        updates.tell(Update { server: "s".into(), uri: uri.into() });
    }

    fn missed(updates: &Updates, from: Heard, uris: &[&str]) -> Vec<String> {
        let uris = uris.iter().map(|uri| (*uri).to_owned()).collect();
        let missed = updates.between(from, updates.hear().1, uris);
        missed.into_iter().map(|(_, update)| update.uri.to_string()).collect()
    }

    #[test]
    fn who_comes_back_hears_of_its_own_resources_once_as_far_as_they_are_remembered() {
        let updates = Updates::default();
        tell(&updates, "a:0");
        let heard = updates.hear().1;
        for uri in ["a:1", "a:2", "a:1", "a:3"] {
            tell(&updates, uri);
        }
        assert_eq!(missed(&updates, heard, &["a:0", "a:1", "a:2"]), ["a:2", "a:1"]);
        let other = Heard { process: heard.process ^ 1, ..heard };
        assert!(missed(&updates, other, &["a:1"]).is_empty(), "of another process");
        updates.tell(Update { server: "another".into(), uri: "a:2".into() });
        assert_eq!(missed(&updates, heard, &["a:1", "a:2"]), ["a:2", "a:1", "a:2"]);
        for _ in 0..MAX_UPDATES {
            tell(&updates, "a:4");
        }
        assert_eq!(missed(&updates, heard, &["a:1", "a:4"]), ["a:4"]);
        assert_eq!(updates.told().recent.len(), MAX_UPDATES);
    }
}
