//! What a client is told when lists and resources change: that they did, and nothing of what is in them.
//!
//! A client of a session is told of all lists on the session's stream, a stateless one of those that its
//! [subscription] asks for. A list is known by the fingerprint of its pages as that client
//! would get them, so a change that it can't see is no change to it. Of resources it is told of those that it asked
//! for, as their servers say that they changed.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{broadcast, watch};

use super::answer::{Answer, Context};
use super::id::Id;
use super::params::empty_object;
use super::place::{self, Place};
use super::session::SessionId;
use super::subscription::{self, Filter};
use super::updates::{Heard, Update};
use crate::catalog::{List, Wanted};
use crate::gateway::Gateway;
use crate::pipeline::{self, Call};

/// The lists, and the method that tells of a change of them. Templates are a part of resources.
const LISTS: [(List, &str); place::LISTS] = [
    (List::Tools, "notifications/tools/list_changed"),
    (List::Prompts, "notifications/prompts/list_changed"),
    (List::Resources, "notifications/resources/list_changed"),
    (List::Templates, "notifications/resources/list_changed"),
];

/// The method that tells of a resource that has changed.
const UPDATED: &str = "notifications/resources/updated";

/// The lists of one client, as it was last told of them.
#[derive(Debug)]
pub struct Changes {
    gateway: Arc<Gateway>,
    context: Context,
    catalogs: watch::Receiver<()>,
    known: [Option<[u8; 8]>; place::LISTS],
    updates: broadcast::Receiver<(u64, Update)>,
    heard: Heard,
    untold: VecDeque<Untold>,
    session: Option<SessionId>,
    subscription: Option<Subscription>,
}

/// What has changed.
#[derive(Debug, PartialEq, Eq)]
enum Untold {
    /// A list, by the method that tells of it.
    List(&'static str),
    /// The resource of that URI, and the number of the update.
    Resource(Arc<str>, u64),
}

/// The request by which a client asked for them.
#[derive(Debug)]
struct Subscription {
    id: Id,
    filter: Filter,
    is_acknowledged: bool,
}

impl Changes {
    /// All lists as they are now, and what that session watches.
    #[must_use]
    pub fn since_now(gateway: Arc<Gateway>, context: Context, session: SessionId) -> Self {
        Self { session: Some(session), ..Self::begin(gateway, context, None) }
    }

    /// All that was not told to a client that has heard so far.
    #[must_use]
    pub fn since(gateway: Arc<Gateway>, context: Context, session: SessionId, place: &Place) -> Self {
        let mut changes = Self::since_now(gateway, context, session);
        changes.known = place.lists;
        changes.look();
        let watched = changes.gateway.sessions().watched().of(session);
        let missed = changes.gateway.updates().between(place.updates, changes.heard, watched);
        missed.into_iter().for_each(|(number, update)| changes.hear(number, update));
        changes
    }

    /// How far its client has heard once it has what was given so far.
    #[must_use]
    pub fn place(&self) -> Place {
        let mut lists = self.known;
        let mut updates = self.heard;
        for (list, (_, method)) in lists.iter_mut().zip(LISTS) {
            if self.untold.contains(&Untold::List(method)) {
                *list = Place::untold();
            }
        }
        let next = self.untold.iter().find_map(|untold| match untold {
            Untold::Resource(_, number) => Some(*number),
            Untold::List(_) => None,
        });
        updates.number = next.map_or(updates.number, |next| next - 1);
        Place { lists, updates }
    }

    /// Those that a request asks for.
    #[must_use]
    pub fn subscribed(gateway: Arc<Gateway>, context: Context, id: Id, filter: Filter) -> Self {
        let filter = filter.accepted(gateway.has_servers_of_mcp());
        Self::begin(gateway, context, Some(Subscription { id, filter, is_acknowledged: false }))
    }

    fn begin(gateway: Arc<Gateway>, context: Context, subscription: Option<Subscription>) -> Self {
        let (catalogs, (updates, heard)) = (gateway.catalogs(), gateway.updates().hear());
        let (known, untold) = ([None; place::LISTS], VecDeque::new());
        let mut changes =
            Self { gateway, context, catalogs, known, updates, heard, untold, session: None, subscription };
        changes.known = changes.now();
        changes
    }

    /// Waits for what is to be told next, and gives it, a JSON-RPC message; `None` once nothing more is: when
    /// the gateway stops, or if nothing was asked for that can be told.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        if let Some(acknowledged) = self.acknowledge().await {
            return Some(acknowledged);
        }
        loop {
            if self.gateway.is_stopping() || self.is_deaf() {
                return None;
            }
            if let Some(untold) = self.untold.pop_front() {
                return Some(self.written(&untold));
            }
            tokio::select! {
                changed = self.catalogs.changed() => {
                    changed.ok()?;
                    self.look();
                }
                // Who is slow misses some.
                update = self.updates.recv() => update.into_iter().for_each(|(number, update)| {
                    self.heard.number = number;
                    self.hear(number, update);
                }),
            }
        }
    }

    /// What of a request is told, once it is known which of its resources can be watched.
    async fn acknowledge(&mut self) -> Option<Vec<u8>> {
        let subscription = self.subscription.as_mut().filter(|subscription| !subscription.is_acknowledged)?;
        subscription.is_acknowledged = true;
        let mut filter = subscription.filter.clone();
        let mut watched = Vec::new();
        for uri in filter.resources() {
            let wanted = Wanted::Subscription(uri.clone());
            let call = Call::new(self.context.view.clone(), wanted, empty_object());
            let called = pipeline::call(&self.gateway, &self.context.principal, call).await;
            if called.is_ok_and(|completed| completed.result.is_ok()) {
                watched.push(uri.clone());
            }
        }
        filter.watch(watched);
        let subscription = self.subscription.as_mut()?;
        subscription.filter = filter;
        Some(subscription::acknowledged(&subscription.id, &subscription.filter))
    }

    /// Whether there is nothing that it would tell.
    fn is_deaf(&self) -> bool {
        self.subscription.as_ref().is_some_and(|subscription| subscription.filter.is_empty())
    }

    /// The result of the request, where it was one that asked, for when nothing more is told.
    #[must_use]
    pub fn result(&self) -> Option<(&Id, Answer)> {
        let id = &self.subscription.as_ref()?.id;
        Some((id, Answer::Written(subscription::result(id))))
    }

    fn written(&self, untold: &Untold) -> Vec<u8> {
        match (&self.subscription, untold) {
            (Some(subscription), Untold::List(method)) => {
                subscription::changed(&subscription.id, method, None)
            }
            (Some(subscription), Untold::Resource(uri, _)) => {
                subscription::changed(&subscription.id, UPDATED, Some(uri))
            }
            (None, Untold::List(method)) => {
                format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#).into_bytes()
            }
            (None, Untold::Resource(uri, _)) => {
                let uri = serde_json::Value::from(&**uri);
                format!(r#"{{"jsonrpc":"2.0","method":"{UPDATED}","params":{{"uri":{uri}}}}}"#).into_bytes()
            }
        }
    }

    /// Notes a resource that has changed, if its client watches it and may.
    fn hear(&mut self, number: u64, Update { server, uri }: Update) {
        let Context { principal, view } = &self.context;
        let is_seen = self.gateway.catalog().is_some_and(|catalog| catalog.shows(view, &server));
        let is_watched = match (&self.subscription, self.session) {
            (Some(subscription), _) => subscription.filter.resources().iter().any(|own| **own == *uri),
            (None, Some(session)) => self.gateway.sessions().watched().has(session, &uri),
            (None, None) => false,
        };
        let is_news =
            !self.untold.iter().any(|untold| matches!(untold, Untold::Resource(own, _) if *own == uri));
        if is_seen && is_watched && principal.servers().has(&server) && is_news {
            self.untold.push_back(Untold::Resource(uri, number));
        }
    }

    fn tells(&self, list: List) -> bool {
        self.subscription.as_ref().is_none_or(|subscription| subscription.filter.has(list))
    }

    fn look(&mut self) {
        let now = self.now();
        for (index, (list, method)) in LISTS.iter().enumerate() {
            let untold = Untold::List(method);
            let is_news = self.known[index] != now[index] && !self.untold.contains(&untold);
            if is_news && self.tells(*list) {
                self.untold.push_back(untold);
            }
        }
        self.known = now;
    }

    fn now(&self) -> [Option<[u8; 8]>; place::LISTS] {
        let catalog = self.gateway.catalog();
        let Context { principal, view } = &self.context;
        LISTS.map(|(list, _)| Some(catalog.as_ref()?.pages(list, view, principal.servers())?.fingerprint()))
    }
}
