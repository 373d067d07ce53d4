//! Keeps a gateway's catalog up to date with what its servers resolve to.
//!
//! The first catalog comes when every server was tried, or when that takes too long: then those
//! that are ready serve, and the others join as they come. A server whose registry is away, or
//! whose file is missing, is tried again until it is there.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use toolgate_runtime::sandbox::Sandbox;

use super::{Assembled, Assembler, Progress, entry};
use crate::catalog::{Catalog, CatalogError, CatalogSettings, ServerEntry, ServerState};
use crate::config::ServerConfig;
use crate::gateway::Gateway;
use crate::mcp::updates::{Update, Updates};

/// How long ready servers wait for slow ones before the first catalog.
const START_GRACE: Duration = Duration::from_secs(5);

/// Until the second try of a server; doubled with every further one.
const FIRST_RETRY: Duration = Duration::from_secs(5);

/// Between two tries at most. Against a gateway that hammers a registry.
const MAX_RETRY: Duration = Duration::from_secs(300);

/// Between two looks for an engine, which is on this machine or near.
const ENGINE_RETRY: Duration = Duration::from_secs(2);

/// What came of trying a server.
#[derive(Clone, Copy)]
pub struct News<'a> {
    /// What it resolved to.
    pub assembled: &'a Assembled,
    /// Why the catalog does not serve it all the same.
    pub refused: Option<&'a str>,
    /// Whether nothing has changed since it was last tried.
    pub again: bool,
}

/// Hears of each server, whenever it was tried.
pub type Told = Arc<dyn Fn(News<'_>) + Send + Sync>;

/// Resolves all servers into `gateway`, tells of each, and goes on until none can change any more.
/// `ready` is called once, after the first catalog.
///
/// # Errors
/// If the names of servers make no catalog.
pub async fn supervise(
    gateway: &Gateway,
    assembler: Arc<Assembler>,
    (configs, settings): (Vec<ServerConfig>, CatalogSettings),
    (progress, told): (Progress, Told),
    ready: impl FnOnce() + Send,
) -> Result<(), CatalogError> {
    let mut board = Board::new(&assembler, &configs, settings);
    let mut tries = JoinSet::new();
    for (index, config) in configs.into_iter().enumerate() {
        tries.spawn(attempt(Arc::clone(&assembler), index, config, Try::FIRST, Arc::clone(&progress)));
    }
    let mut ready = Some(ready);
    let grace = Instant::now() + START_GRACE;
    loop {
        let changed = tokio::select! {
            Some(done) = tries.join_next() => {
                // Only the end of the process ends a try before it has a result.
                let Ok((index, this, assembled)) = done else { continue };
                let changed = board.set(index, &assembled);
                let catalog = board.catalog()?;
                let refused = catalog.server(&assembled.config.name).and_then(|server| server.unavailable());
                let refused = refused.filter(|_| assembled.result.is_ok());
                told(News { assembled: &assembled, refused, again: !changed });
                let (assembler, progress) = (Arc::clone(&assembler), Arc::clone(&progress));
                match assembled.result {
                    Ok(sandbox) if sandbox.is_fixed() => {}
                    Ok(sandbox) => {
                        tries.spawn(follow(index, assembled.config, sandbox, Arc::clone(gateway.updates())));
                    }
                    Err(_) if assembled.may_pass() => {
                        let next = this.after(&assembled);
                        tries.spawn(attempt(assembler, index, assembled.config, next, progress));
                    }
                    Err(_) => {}
                }
                changed
            }
            () = sleep_until(grace), if ready.is_some() => true,
            else => false,
        };
        let is_first = ready.is_some() && (board.is_complete() || Instant::now() >= grace);
        if is_first || (changed && ready.is_none()) {
            gateway.replace(board.catalog()?);
        }
        if is_first && let Some(ready) = ready.take() {
            ready();
        }
        if ready.is_none() && tries.is_empty() {
            return Ok(());
        }
    }
}

/// A try of a server, and what comes before it.
#[derive(Clone, Copy)]
struct Try {
    /// How many there were.
    count: u32,
    pause: Duration,
}

impl Try {
    const FIRST: Self = Self { count: 0, pause: Duration::ZERO };

    /// The one after this, which ended so.
    fn after(self, assembled: &Assembled) -> Self {
        let count = self.count.saturating_add(1);
        let pause = if assembled.awaits_engine() { ENGINE_RETRY } else { pause(count) };
        Self { count, pause }
    }
}

async fn attempt(
    assembler: Arc<Assembler>,
    index: usize,
    config: ServerConfig,
    this: Try,
    progress: Progress,
) -> (usize, Try, Assembled) {
    sleep(this.pause).await;
    (index, this, assembler.start(config, &progress).await)
}

/// Waits until a server that works is another one, or none; then it is tried from the start.
/// Until then resources of it that change are told.
async fn follow(
    index: usize,
    config: ServerConfig,
    sandbox: Arc<dyn Sandbox>,
    told: Arc<Updates>,
) -> (usize, Try, Assembled) {
    let server: Arc<str> = config.name.as_str().into();
    let updates = sandbox.updates();
    let changed = {
        let tell = tell(updates, |uri| told.tell(Update { server: Arc::clone(&server), uri }));
        tokio::select! {
            changed = sandbox.changed() => changed,
            never = tell => match never {},
        }
    };
    drop(sandbox);
    match changed {
        Ok(next) => (index, Try::FIRST, Assembled::changed(config, next)),
        Err(reason) => (index, Try::FIRST, Assembled::lost(config, reason)),
    }
}

async fn tell(updates: Option<broadcast::Receiver<Arc<str>>>, told: impl Fn(Arc<str>)) -> Infallible {
    let Some(mut updates) = updates else { return std::future::pending().await };
    loop {
        match updates.recv().await {
            Ok(uri) => told(uri),
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
        }
    }
}

/// Before try `count`, from 0.
fn pause(count: u32) -> Duration {
    match count.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => FIRST_RETRY.saturating_mul(1 << doublings.min(16)).min(MAX_RETRY),
    }
}

/// The latest of every server, and how they are listed.
struct Board {
    settings: CatalogSettings,
    entries: Vec<ServerEntry>,
    untried: usize,
    tried: Vec<bool>,
}

impl Board {
    fn new(assembler: &Assembler, configs: &[ServerConfig], settings: CatalogSettings) -> Self {
        let starting = |config| {
            let state = ServerState::Unavailable("it is still starting".to_owned());
            entry(config, state, assembler.gate(config))
        };
        Self {
            settings,
            entries: configs.iter().map(starting).collect(),
            untried: configs.len(),
            tried: vec![false; configs.len()],
        }
    }

    /// Notes what a server resolved to; the result is whether that is new.
    fn set(&mut self, index: usize, assembled: &Assembled) -> bool {
        let (Some(entry), Some(tried)) = (self.entries.get_mut(index), self.tried.get_mut(index)) else {
            return false;
        };
        let gate = Arc::clone(&entry.gate);
        let before = std::mem::replace(entry, assembled.entry(gate));
        self.untried -= usize::from(!std::mem::replace(tried, true));
        match (&before.state, &entry.state) {
            (ServerState::Unavailable(before), ServerState::Unavailable(now)) => before != now,
            _ => true,
        }
    }

    fn is_complete(&self) -> bool {
        self.untried == 0
    }

    fn catalog(&self) -> Result<Catalog, CatalogError> {
        let copy = |entry: &ServerEntry| ServerEntry {
            name: entry.name.clone(),
            state: entry.state.clone(),
            gate: Arc::clone(&entry.gate),
            backend: entry.backend,
            source: entry.source.clone(),
        };
        Catalog::build(self.entries.iter().map(copy).collect(), &self.settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_further_and_further_apart() {
        let pauses: Vec<u64> = [0, 1, 2, 3, 7, 8, u32::MAX].map(|count| pause(count).as_secs()).into();
        assert_eq!(pauses, [0, 5, 10, 20, 300, 300, 300]);
    }
}
