//! The containers of one server: which one a call goes to, and how many are kept ready.
//!
//! Under `call` each call has a container of its own, under `session` each session of a client, and under
//! `warm` all calls share those that are there. A few are kept ready in any case, so that nobody waits for
//! an engine; those that nobody asked for in a while go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use tokio::runtime::Handle;
use tokio::sync::{Mutex as Turn, Notify, OwnedSemaphorePermit};
use tokio::time::sleep;

use super::blueprint::Blueprint;
use super::error::StartError;
use super::instance::Instance;
use super::output::Belonging;
use super::trouble::Trouble;
use crate::held;
use crate::peer::Asked;
use crate::sandbox::SessionId;

/// How often a pool looks after what it keeps.
const TICK: Duration = Duration::from_secs(1);

/// What was printed before an answer may come a moment after it: an engine passes on both streams, each on
/// its own.
const LATE: Duration = Duration::from_millis(20);

/// How long a server's container lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// For one call: nothing survives it, as with components.
    #[default]
    Call,
    /// For one session of a client; a client without sessions has one for each call.
    Session,
    /// As long as it is of use, for all callers.
    Warm,
}

/// How many containers, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PoolSettings {
    /// See [`Lifetime`].
    pub lifetime: Lifetime,
    /// Containers kept ready.
    pub warm: usize,
    /// After that long without a call none is kept.
    pub idle: Duration,
    /// How long one may take to start and answer.
    pub start: Duration,
    /// Sessions with a container at a time.
    pub sessions: usize,
}

/// The containers of a server. When it is dropped, those that no call is in go at once, and the others
/// after their calls.
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    blueprint: Blueprint,
    settings: PoolSettings,
    state: Mutex<State>,
    /// Held by whoever starts the container that all wait for.
    turn: Turn<()>,
    /// Told when one more is ready.
    more: Notify,
}

struct State {
    ready: Vec<Arc<Instance>>,
    sessions: HashMap<SessionId, Seat>,
    /// Starting, to be kept ready.
    starting: usize,
    trouble: Trouble,
    /// When a call last came.
    used: Instant,
    stopped: bool,
}

/// The container of a session.
struct Seat {
    instance: Arc<Instance>,
    used: Instant,
}

/// A call's place in a container. Dropped before it [`ended`](Self::ended), the call was given up.
pub(super) struct Place {
    pub(super) instance: Arc<Instance>,
    /// Whether other calls use it, too.
    pub(super) shared: bool,
    pool: Arc<Shared>,
    ended: bool,
}

impl held::Place for Place {
    fn answer(&self, asked: &Asked, answer: Result<&RawValue, &str>) {
        self.instance.answer(asked, answer);
    }
}

impl Pool {
    /// A pool that begins with one container.
    pub(super) fn new(blueprint: Blueprint, settings: PoolSettings, first: Instance) -> Self {
        let state = State {
            ready: vec![Arc::new(first)],
            sessions: HashMap::new(),
            starting: 0,
            trouble: Trouble::default(),
            used: Instant::now(),
            stopped: false,
        };
        let shared = Arc::new(Shared {
            blueprint,
            settings,
            state: Mutex::new(state),
            turn: Turn::new(()),
            more: Notify::new(),
        });
        tokio::spawn(look_after(Arc::downgrade(&shared)));
        Self(shared)
    }

    /// A place for a call, in the container of its session where it has one.
    pub(super) async fn enter(&self, session: Option<SessionId>) -> Result<Place, StartError> {
        let pool = &self.0;
        pool.state().used = Instant::now();
        // What ended counts at once: a container that crashes in each call is not to be started for each.
        pool.take_out(false);
        let (instance, shared) = match (pool.settings.lifetime, session) {
            (Lifetime::Warm, _) => (pool.least_busy().await?, true),
            (Lifetime::Session, Some(session)) => (pool.seat(session).await?, true),
            (Lifetime::Session, None) | (Lifetime::Call, _) => (pool.own().await?, false),
        };
        pool.refill();
        Ok(Place { instance, shared, pool: Arc::clone(pool), ended: false })
    }

    /// One that is there, for whoever asks what all have in common.
    pub(super) fn any(&self) -> Option<Arc<Instance>> {
        self.0.state().ready.iter().find(|instance| instance.is_alive()).cloned()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let gone = {
            let mut state = self.0.state();
            state.stopped = true;
            (std::mem::take(&mut state.ready), std::mem::take(&mut state.sessions))
        };
        drop(gone);
    }
}

impl Shared {
    /// A container for one call or one session.
    async fn own(self: &Arc<Self>) -> Result<Arc<Instance>, StartError> {
        loop {
            if let Some(instance) = self.ready() {
                return Ok(instance);
            }
            self.state().may_start()?;
            tokio::select! {
                place = self.blueprint.place() => return self.begin(place?).await,
                // One that was started to be kept ready has the last place.
                () = self.more.notified() => {}
            }
        }
    }

    fn ready(&self) -> Option<Arc<Instance>> {
        let mut state = self.state();
        let live = state.ready.iter().position(|instance| instance.is_alive());
        live.map(|index| state.ready.remove(index))
    }

    /// The one with the fewest calls, of those that all share.
    async fn least_busy(self: &Arc<Self>) -> Result<Arc<Instance>, StartError> {
        if let Some(instance) = self.shared_now() {
            return Ok(instance);
        }
        let _turn = self.turn.lock().await;
        if let Some(instance) = self.shared_now() {
            return Ok(instance);
        }
        let instance = self.start().await?;
        self.state().ready.push(Arc::clone(&instance));
        Ok(instance)
    }

    fn shared_now(&self) -> Option<Arc<Instance>> {
        let state = self.state();
        let live = state.ready.iter().filter(|instance| instance.is_alive());
        live.min_by_key(|instance| Arc::strong_count(instance)).cloned()
    }

    async fn seat(self: &Arc<Self>, session: SessionId) -> Result<Arc<Instance>, StartError> {
        if let Some(instance) = self.seated(session) {
            return Ok(instance);
        }
        // Two calls that begin a session must not have a container each.
        let _turn = self.turn.lock().await;
        if let Some(instance) = self.seated(session) {
            return Ok(instance);
        }
        let place = self.state().free_seat(self.settings.sessions);
        if place.is_err() {
            return Err(StartError::Full { sessions: self.settings.sessions });
        }
        let instance = self.own().await?;
        let seat = Seat { instance: Arc::clone(&instance), used: Instant::now() };
        self.state().sessions.insert(session, seat);
        Ok(instance)
    }

    fn seated(&self, session: SessionId) -> Option<Arc<Instance>> {
        let mut state = self.state();
        let seat = state.sessions.get_mut(&session).filter(|seat| seat.instance.is_alive())?;
        seat.used = Instant::now();
        Some(Arc::clone(&seat.instance))
    }

    /// Starts one more, unless that failed too often of late.
    async fn start(self: &Arc<Self>) -> Result<Arc<Instance>, StartError> {
        self.state().may_start()?;
        let place = self.blueprint.place().await?;
        self.begin(place).await
    }

    async fn begin(&self, place: OwnedSemaphorePermit) -> Result<Arc<Instance>, StartError> {
        match Instance::start(&self.blueprint, place, self.settings.start).await {
            Ok(instance) => Ok(Arc::new(instance)),
            Err(error) => {
                self.state().trouble.failed(error.clone());
                Err(error)
            }
        }
    }

    /// Starts as many as are to be kept ready, for others than who asks.
    fn refill(self: &Arc<Self>) {
        loop {
            let place = {
                let mut state = self.state();
                let there = state.ready.len() + state.starting;
                if there >= self.settings.warm || state.may_start().is_err() {
                    return;
                }
                // Those that wait for a container go before those that nobody asked for.
                let Ok(place) = Arc::clone(&self.blueprint.places).try_acquire_owned() else { return };
                state.starting += 1;
                place
            };
            let pool = Arc::clone(self);
            tokio::spawn(async move {
                let started = pool.begin(place).await;
                let mut state = pool.state();
                state.starting -= 1;
                // Of a pool that was dropped meanwhile nobody would ever take it.
                if let (Ok(instance), false) = (started, state.stopped) {
                    state.ready.push(instance);
                    pool.more.notify_one();
                }
            });
        }
    }

    /// Lets go of what ended, and of what nobody used for long.
    fn tidy(self: &Arc<Self>) {
        let unused = self.state().used.elapsed() > self.settings.idle;
        self.take_out(unused);
        if !unused {
            self.refill();
        }
    }

    /// Lets go of what ended, and of all that is kept ready if it is `unused`.
    fn take_out(&self, unused: bool) {
        let gone = self.state().take_what_is_over(self.settings.idle, unused);
        // Not under the lock, as it goes to the engine.
        drop(gone);
    }

    /// Takes a container from others that a given-up call still holds.
    fn retire(&self, number: usize) {
        let gone = {
            let mut state = self.state();
            let ready = state.ready.iter().position(|instance| instance.number == number);
            let ready = ready.map(|index| state.ready.swap_remove(index));
            state.sessions.retain(|_, seat| seat.instance.number != number);
            ready
        };
        drop(gone);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_start(&self) -> Result<(), StartError> {
        if self.stopped { Err(StartError::Stopping) } else { self.trouble.may_start() }
    }

    /// Takes out what ended, and what nobody used; all that is kept ready if `unused`.
    fn take_what_is_over(&mut self, idle: Duration, unused: bool) -> Vec<Arc<Instance>> {
        let mut gone = Vec::new();
        for instance in std::mem::take(&mut self.ready) {
            if !instance.is_alive() {
                self.trouble.ended(instance.age());
                gone.push(instance);
            } else if unused {
                gone.push(instance);
            } else {
                self.ready.push(instance);
            }
        }
        self.sessions.retain(|_, seat| {
            let over = seat.used.elapsed() > idle && Arc::strong_count(&seat.instance) == 1;
            let kept = seat.instance.is_alive() && !over;
            if !kept {
                gone.push(Arc::clone(&seat.instance));
            }
            kept
        });
        gone
    }

    /// Makes room for a session: that of the one that was away for longest, if none of its calls runs.
    fn free_seat(&mut self, most: usize) -> Result<(), ()> {
        if self.sessions.len() < most {
            return Ok(());
        }
        let idle = self.sessions.iter().filter(|(_, seat)| Arc::strong_count(&seat.instance) == 1);
        let oldest = idle.min_by_key(|(_, seat)| seat.used).map(|(session, _)| *session);
        self.sessions.remove(&oldest.ok_or(())?);
        Ok(())
    }
}

impl Place {
    /// The call has its result, whatever that is; what it printed belonged to it.
    pub(super) fn ended(mut self, belonging: Option<Belonging>) {
        self.ended = true;
        if let (Some(belonging), Ok(runtime)) = (belonging, Handle::try_current()) {
            let instance = Arc::clone(&self.instance);
            runtime.spawn(async move {
                sleep(LATE).await;
                drop((belonging, instance));
            });
        }
        if self.instance.is_alive() {
            self.pool.state().trouble.over();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.ended || !self.shared {
            return;
        }
        // The server was told that nobody waits. One that does not even hear that would keep its processor
        // from others.
        let (pool, instance) = (Arc::clone(&self.pool), Arc::clone(&self.instance));
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if !instance.answers().await {
                    pool.retire(instance.number);
                    instance.stop();
                }
            });
        }
    }
}

/// Until the pool is gone.
async fn look_after(pool: Weak<Shared>) {
    loop {
        sleep(TICK).await;
        let Some(pool) = pool.upgrade() else { return };
        if pool.state().stopped {
            return;
        }
        pool.tidy();
    }
}
