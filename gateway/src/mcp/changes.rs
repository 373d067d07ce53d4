//! What a client of a session is told when lists change: that they did, and nothing of what is in them.
//!
//! A list is known by the fingerprint of its pages as that client would get them, so a change that it can't
//! see is no change to it.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;

use super::answer::Context;
use crate::catalog::List;
use crate::gateway::Gateway;

/// The lists, and the method that tells of a change of them. Templates are a part of resources.
const LISTS: [(List, &str); 4] = [
    (List::Tools, "notifications/tools/list_changed"),
    (List::Prompts, "notifications/prompts/list_changed"),
    (List::Resources, "notifications/resources/list_changed"),
    (List::Templates, "notifications/resources/list_changed"),
];

/// The lists of one client, as it was last told of them.
#[derive(Debug)]
pub struct Changes {
    gateway: Arc<Gateway>,
    context: Context,
    catalogs: watch::Receiver<()>,
    known: [Option<[u8; 8]>; 4],
    untold: VecDeque<&'static str>,
}

impl Changes {
    /// The lists as they are now.
    #[must_use]
    pub fn since_now(gateway: Arc<Gateway>, context: Context) -> Self {
        let catalogs = gateway.catalogs();
        let mut changes = Self { gateway, context, catalogs, known: [None; 4], untold: VecDeque::new() };
        changes.known = changes.now();
        changes
    }

    /// Waits for the next change, and gives the notification of it, a JSON-RPC message; `None` once the
    /// gateway stops.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if self.gateway.is_stopping() {
                return None;
            }
            if let Some(method) = self.untold.pop_front() {
                return Some(format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#).into_bytes());
            }
            self.catalogs.changed().await.ok()?;
            self.look();
        }
    }

    fn look(&mut self) {
        let now = self.now();
        for (index, (_, method)) in LISTS.iter().enumerate() {
            if self.known[index] != now[index] && !self.untold.contains(method) {
                self.untold.push_back(method);
            }
        }
        self.known = now;
    }

    fn now(&self) -> [Option<[u8; 8]>; 4] {
        let catalog = self.gateway.catalog();
        let Context { principal, view } = &self.context;
        LISTS.map(|(list, _)| Some(catalog.as_ref()?.pages(list, view, principal.servers())?.fingerprint()))
    }
}
