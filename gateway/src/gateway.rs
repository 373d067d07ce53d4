//! What all requests share: the current catalog, the session key and the settings.
//!
//! One [`Gateway`] serves any number of transports. It may be made before its catalog is assembled,
//! so that liveness can be answered while components are still being compiled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use crate::auth::Servers;
use toolgate_runtime::peer::mirrored::Mirrored;

use crate::catalog::{Catalog, TaskSupport, View, Wanted};
use crate::error::Error;
use crate::mcp::session::{SessionKey, Sessions};
use crate::mcp::tasks::Tasks;
use crate::mcp::updates::Updates;

/// What an operator may set about the protocol.
#[derive(Debug)]
pub struct GatewaySettings {
    /// Signs sessions; replicas with the same key take each other's.
    pub session_key: SessionKey,
    /// How long a session is good for.
    pub session_ttl: Duration,
    /// How long clients may keep a tool list (`ttlMs`).
    pub tools_ttl: Duration,
    /// Whether there will be servers that speak MCP, and so may send log messages and have prompts and resources,
    /// besides those that are found to.
    pub servers_of_mcp: bool,
}

impl Default for GatewaySettings {
    /// A key of this process alone, sessions of a day, lists of a minute.
    fn default() -> Self {
        Self {
            session_key: SessionKey::random(),
            session_ttl: Duration::from_secs(24 * 60 * 60),
            tools_ttl: Duration::from_secs(60),
            servers_of_mcp: false,
        }
    }
}

/// The state behind every transport.
#[derive(Debug)]
pub struct Gateway {
    catalog: ArcSwapOption<Catalog>,
    sessions: Sessions,
    tools_ttl: Duration,
    servers_of_mcp: bool,
    stopping: AtomicBool,
    tasks: Tasks,
    /// Told of each catalog, and of the end.
    catalogs: watch::Sender<()>,
    /// Told of each resource that changes.
    updates: Arc<Updates>,
}

impl Gateway {
    /// A gateway that serves this catalog.
    #[must_use]
    pub fn new(catalog: Catalog, settings: GatewaySettings) -> Self {
        let gateway = Self::starting(settings);
        gateway.replace(catalog);
        gateway
    }

    /// A gateway whose catalog is yet to come, by [`replace`](Self::replace). Not ready until then.
    #[must_use]
    pub fn starting(settings: GatewaySettings) -> Self {
        Self {
            catalog: ArcSwapOption::empty(),
            sessions: Sessions::new(settings.session_key, settings.session_ttl),
            tools_ttl: settings.tools_ttl,
            tasks: Tasks::default(),
            servers_of_mcp: settings.servers_of_mcp,
            stopping: AtomicBool::new(false),
            catalogs: watch::Sender::new(()),
            updates: Arc::default(),
        }
    }

    /// Swaps the catalog. Requests under way end with the one they began with.
    pub fn replace(&self, catalog: Catalog) {
        self.catalog.store(Some(Arc::new(catalog)));
        self.catalogs.send_replace(());
    }

    /// The current catalog; `None` before the first.
    #[must_use]
    pub fn catalog(&self) -> Option<Arc<Catalog>> {
        self.catalog.load_full()
    }

    /// The current catalog, for a request.
    ///
    /// # Errors
    /// [`Error::Starting`] before the first.
    pub fn require_catalog(&self) -> Result<Arc<Catalog>, Error> {
        self.catalog().ok_or(Error::Starting)
    }

    /// Begins the end: from now on it says that it is not ready. Calls are answered as ever.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.catalogs.send_replace(());
    }

    /// Whether the end has begun.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Where resources that change are told, and heard of.
    pub(crate) fn updates(&self) -> &Arc<Updates> {
        &self.updates
    }

    /// Hears of each catalog that takes the place of another, and of the end.
    pub(crate) fn catalogs(&self) -> watch::Receiver<()> {
        self.catalogs.subscribe()
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Whether a call of any tool may go on as a task.
    pub(crate) fn has_tasks(&self) -> bool {
        self.catalog.load().as_ref().is_some_and(|catalog| catalog.has_tasks())
    }

    pub(crate) fn has_servers_of_mcp(&self) -> bool {
        self.servers_of_mcp || self.catalog.load().as_ref().is_some_and(|catalog| catalog.speaks_mcp())
    }

    /// How a call may go on as a task, see [`Catalog::task_support`].
    pub(crate) fn task_support(
        &self,
        view: &View,
        wanted: &Wanted,
        open: &Servers,
    ) -> Option<(TaskSupport, u64)> {
        self.catalog.load().as_ref()?.task_support(view, wanted, open)
    }

    /// The parameters of a tool that its callers mirror into headers, see [`Catalog::mirrored`].
    pub(crate) fn mirrored(
        &self,
        view: &View,
        tool: impl FnOnce() -> Option<String>,
        open: &Servers,
    ) -> Vec<Mirrored> {
        match self.catalog.load().as_ref() {
            Some(catalog) if catalog.mirrors() => {
                tool().map_or_else(Vec::new, |tool| catalog.mirrored(view, &tool, open))
            }
            _ => Vec::new(),
        }
    }

    pub(crate) fn tools_ttl(&self) -> Duration {
        self.tools_ttl
    }
}
