//! Which conversation a call has: that of its client's session, or the one of all who have none.
//!
//! What a server keeps for one session it keeps from others so; whoever has none shares nothing but with others who
//! have none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::line::Line;
use super::watch::{Watch, Watched};
use crate::peer::{Besides, Listener};
use crate::sandbox::SessionId;

/// Sessions with a server at a time; the one that was longest without a call goes. Against clients that open one after
/// the other.
const MAX_SESSIONS: usize = 256;

/// A session that has been so long without a call is ended when another begins.
const IDLE: Duration = Duration::from_secs(600);

/// The conversations with a server.
pub(super) struct Sessions {
    /// Of all who have no session.
    pub(super) common: Arc<Line>,
    listener: Arc<dyn Listener>,
    own: Mutex<HashMap<SessionId, Own>>,
    pub(super) watched: Arc<Watched>,
    _watch: Watch,
}

struct Own {
    line: Arc<Line>,
    used: Instant,
    _watch: Watch,
}

impl Own {
    /// Whether a call runs in it, or waits for its client: besides this, and who watches, somebody has it.
    fn is_busy(&self) -> bool {
        Arc::strong_count(&self.line) > 2
    }
}

impl Sessions {
    /// Those that begin with one; what goes along when the server is asked to tell is `besides`.
    pub(super) fn new(common: Arc<Line>, listener: Arc<dyn Listener>, besides: Besides) -> Self {
        let watched = Arc::<Watched>::default();
        let _watch = Watch::begin(&common, &watched, besides);
        Self { common, listener, own: Mutex::default(), watched, _watch }
    }

    /// The conversation for a call of that session.
    pub(super) fn line(&self, session: Option<SessionId>) -> Arc<Line> {
        let Some(session) = session.filter(|_| !self.common.is_stateless()) else {
            return Arc::clone(&self.common);
        };
        let mut own = self.own();
        let ended = take_idle(&mut own, &session);
        let begin = || {
            let link = Arc::clone(&self.common.link);
            let line = Arc::new(Line::in_session(link, Arc::clone(&self.listener), false));
            let _watch = Watch::begin(&line, &self.watched, Besides::default());
            Own { line, used: Instant::now(), _watch }
        };
        let this = own.entry(session).or_insert_with(begin);
        this.used = Instant::now();
        let line = Arc::clone(&this.line);
        // Not under the lock, as that sends requests.
        drop(own);
        drop(ended);
        line
    }

    fn own(&self) -> MutexGuard<'_, HashMap<SessionId, Own>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those without a call for long, and one more where there is no room for that session.
fn take_idle(own: &mut HashMap<SessionId, Own>, session: &SessionId) -> Vec<Own> {
    let is_idle = |own: &Own| own.used.elapsed() > IDLE && !own.is_busy();
    let idle: Vec<_> = own.iter().filter(|(_, own)| is_idle(own)).map(|(id, _)| *id).collect();
    let mut taken: Vec<_> = idle.iter().filter_map(|id| own.remove(id)).collect();
    if own.len() >= MAX_SESSIONS && !own.contains_key(session) {
        let longest = own.iter().min_by_key(|(_, own)| (own.is_busy(), own.used)).map(|(id, _)| *id);
        taken.extend(longest.and_then(|id| own.remove(&id)));
    }
    taken
}
