//! What the folder of a writable grant may hold: against guests that fill a disk call by call.
//!
//! A folder is measured when its server is prepared. From then on each write adds to that, as if
//! nothing was ever overwritten or removed; so the sum is never too low for what guests do. Where
//! it comes to the limit the folder is measured again, since guests remove files too, and others may
//! write and remove there. Only what is then still too much is refused.
//!
//! A guest must not hide from the measuring what it goes on to hold. Therefore
//! - what calls wrote that are still in flight is added to what is found, be it found or not: it may
//!   not have reached the disk;
//! - open files without a name are looked for besides;
//! - where names were moved meanwhile, perhaps from a folder to be visited to one that already was,
//!   what is found can't lower the sum.
//!
//! Grants of one folder, by any number of servers, share its sum; each has its own limit. Folders
//! inside one another are measured apart.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use tokio::sync::Semaphore;
use tokio::time::sleep_until;
use wasmtime_wasi::runtime::spawn_blocking;

use super::line_of;
use super::walk::{self, Holds};
use crate::events::Denial;
use crate::policy::FilesGrant;
use crate::wasm::capability::Denials;

/// Folders that are measured at a time, the first time aside. Each holds a thread, and a descriptor
/// for each level.
const MAX_WALKS: usize = 2;

/// How much longer than a walk took no other is begun: against a guest that has a full folder
/// measured without end.
const PAUSE: u32 = 9;

/// How long a write waits for the next walk. Where that is further off, what the last one found decides.
const PATIENCE: Duration = Duration::from_secs(1);

/// Open files of which it is remembered that they were open, before those that are closed are
/// looked for.
const FEW: usize = 64;

/// The folders that the writable grants of all servers have at the moment. Cheap to clone.
#[derive(Clone)]
pub(in crate::wasm) struct Folders(Arc<Known>);

struct Known {
    /// By device and number of the folder's record there.
    folders: Mutex<HashMap<(u64, u64), Weak<Folder>>>,
    walks: Arc<Semaphore>,
}

impl Default for Folders {
    fn default() -> Self {
        let walks = Arc::new(Semaphore::new(MAX_WALKS));
        Self(Arc::new(Known { folders: Mutex::default(), walks }))
    }
}

impl Folders {
    /// The limit of a writable grant, whose folder is open as `dir` and now measured. Blocks.
    ///
    /// # Errors
    /// If it can't be measured.
    pub(super) fn limit(&self, grant: &FilesGrant, dir: &Arc<File>) -> io::Result<Option<Limit>> {
        let Some(max) = grant.max() else {
            return Ok(None);
        };
        let folder = self.folder(dir)?;
        folder.most.fetch_max(max, Ordering::Relaxed);
        folder.measure()?;
        let allow = line_of(grant.guest(), max.saturating_mul(2));
        Ok(Some(Limit { folder, max, allow: allow.into() }))
    }

    fn folder(&self, dir: &Arc<File>) -> io::Result<Arc<Folder>> {
        let stat = rustix::fs::fstat(dir)?;
        let mut folders = locked(&self.0.folders);
        folders.retain(|_, folder| folder.strong_count() > 0);
        let known = folders.entry((stat.st_dev, stat.st_ino)).or_default();
        Ok(known.upgrade().unwrap_or_else(|| {
            let folder = Arc::new(Folder::new(dir, &self.0.walks));
            *known = Arc::downgrade(&folder);
            folder
        }))
    }
}

/// One folder of the host, and what is known of its content.
pub(super) struct Folder {
    dir: Arc<File>,
    /// The highest limit that a grant sets; what is beyond needs not be counted.
    most: AtomicU64,
    sum: Mutex<Sum>,
    /// Of who measures again, so that those who wait for it need not.
    turn: Arc<Semaphore>,
    walks: Arc<Semaphore>,
}

struct Sum {
    /// Bytes that were found, and that calls which have ended wrote since.
    settled: u64,
    /// Bytes that all calls wrote which have ended.
    ended: u64,
    /// Bytes that calls in flight wrote.
    in_flight: u64,
    /// Names that are being moved.
    moving: u32,
    /// How often one was.
    moved: u64,
    too_deep: bool,
    /// Files that calls have, or had, open here.
    open: Vec<Weak<File>>,
    /// When the last walk began.
    walked: Instant,
    /// When to walk again at the earliest.
    due: Instant,
}

impl Folder {
    fn new(dir: &Arc<File>, walks: &Arc<Semaphore>) -> Self {
        let sum = Sum {
            settled: 0,
            ended: 0,
            in_flight: 0,
            moving: 0,
            moved: 0,
            too_deep: false,
            open: Vec::new(),
            walked: Instant::now(),
            due: Instant::now(),
        };
        Self {
            dir: Arc::clone(dir),
            most: AtomicU64::new(0),
            sum: Mutex::new(sum),
            turn: Arc::new(Semaphore::new(1)),
            walks: Arc::clone(walks),
        }
    }

    /// Measures, unless somebody else does meanwhile, or it may not be done for long.
    async fn measure_again(self: &Arc<Self>) {
        let asked = Instant::now();
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let (walked, due) = locked(&self.sum).times();
        if walked > asked || due > asked + PATIENCE {
            return;
        }
        sleep_until(due.into()).await;
        let turns = (turn, Arc::clone(&self.walks).acquire_owned().await);
        let folder = Arc::clone(self);
        // Who waits for it may be gone before it ends; then it ends all the same, with its turns. What
        // can't be measured stays as it was.
        spawn_blocking(move || {
            drop(folder.measure());
            drop(turns);
        })
        .await;
    }

    fn measure(&self) -> io::Result<()> {
        let begun = locked(&self.sum).begin();
        let found = walk::holds(&self.dir, self.most.load(Ordering::Relaxed));
        let open: Vec<_> = locked(&self.sum).open.iter().filter_map(Weak::upgrade).collect();
        let nameless = open.iter().map(|file| walk::nameless(file)).sum();
        let mut sum = locked(&self.sum);
        (sum.walked, sum.due) = (begun.at, Instant::now() + begun.at.elapsed() * PAUSE);
        sum.end(&begun, found?, nameless);
        Ok(())
    }
}

/// The sum when a walk began.
struct Begun {
    at: Instant,
    ended: u64,
    /// `None` while a name was being moved.
    moved: Option<u64>,
}

impl Sum {
    fn begin(&self) -> Begun {
        let moved = (self.moving == 0).then_some(self.moved);
        Begun { at: Instant::now(), ended: self.ended, moved }
    }

    fn end(&mut self, begun: &Begun, found: Holds, nameless: u64) {
        self.too_deep = found == Holds::TooDeep;
        let found = match found {
            Holds::Bytes(bytes) => bytes,
            Holds::More | Holds::TooDeep => u64::MAX,
        };
        let since = self.ended.wrapping_sub(begun.ended);
        let now = found.saturating_add(nameless).saturating_add(since);
        let lowers = begun.moved == Some(self.moved);
        self.settled = if lowers { now } else { self.settled.max(now) };
    }

    /// When the last walk began, and when the next one may.
    fn times(&self) -> (Instant, Instant) {
        (self.walked, self.due)
    }

    fn all(&self) -> u64 {
        self.settled.saturating_add(self.in_flight)
    }
}

/// What one grant leaves of its folder. Cheap to clone.
#[derive(Clone)]
pub(super) struct Limit {
    folder: Arc<Folder>,
    max: u64,
    /// The line of the config that would leave more.
    allow: Arc<str>,
}

impl Limit {
    /// The share of a call that may write there.
    pub(super) fn enter(&self) -> Arc<Share> {
        Arc::new(Share { limit: self.clone(), written: AtomicU64::new(0) })
    }

    /// What an operator should know of it: nothing more can be written.
    pub(super) fn note(&self, guest: &str) -> Option<String> {
        let (bytes, max) = (locked(&self.folder.sum).all(), self.max);
        (bytes > max).then(|| format!("nothing can be written to {guest}: {}", self.reason()))
    }

    fn reason(&self) -> String {
        if locked(&self.folder.sum).too_deep {
            return "its folders are nested too deep to be measured, so it counts as full".to_owned();
        }
        format!("past the {} bytes that the folder may hold, the `max` of its grant", self.max)
    }
}

/// What one call takes of a folder, until the call ends.
pub(super) struct Share {
    limit: Limit,
    written: AtomicU64,
}

impl Share {
    /// Takes what a write needs, or tells that it may not be made. May measure.
    pub(super) async fn take(&self, amount: u64, denials: &Denials) -> Result<(), Errno> {
        if self.fits(amount) {
            return Ok(());
        }
        self.limit.folder.measure_again().await;
        self.take_now(amount, denials)
    }

    /// The same without measuring.
    pub(super) fn take_now(&self, amount: u64, denials: &Denials) -> Result<(), Errno> {
        if self.fits(amount) {
            return Ok(());
        }
        denials.tell(&Denial {
            capability: "files",
            attempt: format!("write {amount} bytes"),
            reason: self.limit.reason(),
            allow: Some(self.limit.allow.to_string()),
        });
        Err(Errno::NOSPC)
    }

    /// Whether so much can be taken without measuring; nothing is taken.
    pub(super) fn has(&self, amount: u64) -> bool {
        locked(&self.limit.folder.sum).all().saturating_add(amount) <= self.limit.max
    }

    /// Measures the folder again if that may be done.
    pub(super) async fn measure_again(&self) {
        self.limit.folder.measure_again().await;
    }

    /// Remembers a file that is open: it may lose its name and stay.
    pub(super) fn opened(&self, file: &Arc<File>) {
        let mut sum = locked(&self.limit.folder.sum);
        if sum.open.len() >= FEW && sum.open.len().is_power_of_two() {
            sum.open.retain(|file| file.strong_count() > 0);
        }
        sum.open.push(Arc::downgrade(file));
    }

    /// Marks that a name is being moved, until it is dropped.
    pub(super) fn moving(&self) -> Moving {
        let mut sum = locked(&self.limit.folder.sum);
        sum.moving += 1;
        sum.moved += 1;
        drop(sum);
        Moving(Arc::clone(&self.limit.folder))
    }

    fn fits(&self, amount: u64) -> bool {
        let mut sum = locked(&self.limit.folder.sum);
        let fits = sum.all().checked_add(amount).is_some_and(|all| all <= self.limit.max);
        if fits {
            sum.in_flight += amount;
            self.written.fetch_add(amount, Ordering::Relaxed);
        }
        fits
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let written = *self.written.get_mut();
        let mut sum = locked(&self.limit.folder.sum);
        sum.in_flight -= written;
        sum.settled = sum.settled.saturating_add(written);
        sum.ended = sum.ended.wrapping_add(written);
    }
}

/// A name that is being moved.
pub(super) struct Moving(Arc<Folder>);

impl Drop for Moving {
    fn drop(&mut self) {
        locked(&self.0.sum).moving -= 1;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
