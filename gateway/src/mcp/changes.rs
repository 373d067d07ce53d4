//! What a client is told when lists change: that they did, and nothing of what is in them.
//!
//! A client of a session is told of all lists on the session's stream, a stateless one of those that its
//! [subscription] asks for. A list is known by the fingerprint of its pages as that client
//! would get them, so a change that it can't see is no change to it.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;

use super::answer::{Answer, Context};
use super::id::Id;
use super::subscription::{self, Filter};
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
    subscription: Option<Subscription>,
}

/// The request by which a client asked for them.
#[derive(Debug)]
struct Subscription {
    id: Id,
    filter: Filter,
    is_acknowledged: bool,
}

impl Changes {
    /// All lists as they are now, for the client of a session.
    #[must_use]
    pub fn since_now(gateway: Arc<Gateway>, context: Context) -> Self {
        Self::begin(gateway, context, None)
    }

    /// Those that a request asks for.
    #[must_use]
    pub fn subscribed(gateway: Arc<Gateway>, context: Context, id: Id, filter: Filter) -> Self {
        let filter = filter.accepted(gateway.has_servers_of_mcp());
        Self::begin(gateway, context, Some(Subscription { id, filter, is_acknowledged: false }))
    }

    fn begin(gateway: Arc<Gateway>, context: Context, subscription: Option<Subscription>) -> Self {
        let catalogs = gateway.catalogs();
        let mut changes =
            Self { gateway, context, catalogs, known: [None; 4], untold: VecDeque::new(), subscription };
        changes.known = changes.now();
        changes
    }

    /// Waits for what is to be told next, and gives it, a JSON-RPC message; `None` once nothing more is: when
    /// the gateway stops, or if nothing was asked for that can be told.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        if let Some(Subscription { id, filter, is_acknowledged: told @ false }) = &mut self.subscription {
            *told = true;
            return Some(subscription::acknowledged(id, *filter));
        }
        loop {
            if self.gateway.is_stopping() || !LISTS.iter().any(|(list, _)| self.tells(*list)) {
                return None;
            }
            if let Some(method) = self.untold.pop_front() {
                return Some(self.written(method));
            }
            self.catalogs.changed().await.ok()?;
            self.look();
        }
    }

    /// The result of the request, where it was one that asked, for when nothing more is told.
    #[must_use]
    pub fn result(&self) -> Option<(&Id, Answer)> {
        let id = &self.subscription.as_ref()?.id;
        Some((id, Answer::Written(subscription::result(id))))
    }

    fn written(&self, method: &str) -> Vec<u8> {
        match &self.subscription {
            Some(subscription) => subscription::changed(&subscription.id, method),
            None => format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#).into_bytes(),
        }
    }

    fn tells(&self, list: List) -> bool {
        self.subscription.as_ref().is_none_or(|subscription| subscription.filter.has(list))
    }

    fn look(&mut self) {
        let now = self.now();
        for (index, (list, method)) in LISTS.iter().enumerate() {
            let is_news = self.known[index] != now[index] && !self.untold.contains(method);
            if is_news && self.tells(*list) {
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
