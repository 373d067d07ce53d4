//! What servers say of what they offer: that it is something else now, or that a resource has changed.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{Notify, broadcast};

use super::message::Notification;

/// The methods by which a server says that it offers something else now.
const CHANGED: [&str; 3] = [
    "notifications/tools/list_changed",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
];

/// The method by which it says that a resource has changed.
const UPDATED: &str = "notifications/resources/updated";

/// Bytes of a resource's URI. Against memory filled by a server that makes them up.
pub(crate) const MAX_URI: usize = 4096;

/// Changes that wait to be told. Against the same; who is slow misses some.
const MAX_UPDATES: usize = 256;

/// What a server says of what it offers.
pub(crate) struct News {
    /// It is something else now.
    pub(crate) changed: Notify,
    /// The resource of that URI has changed.
    pub(crate) updated: broadcast::Sender<Arc<str>>,
}

impl Default for News {
    fn default() -> Self {
        Self { changed: Notify::new(), updated: broadcast::Sender::new(MAX_UPDATES) }
    }
}

impl News {
    /// Time between two looks at the tools of a server that says that they change. Against one that says so all the
    /// time.
    pub(crate) const CALM: Duration = Duration::from_secs(1);

    /// Passes on what a notification says; others say nothing of this.
    pub(crate) fn tell(&self, notification: &Notification) {
        if CHANGED.contains(&notification.method.as_str()) {
            self.changed.notify_one();
        } else if notification.method == UPDATED
            && let Some(uri) = notification.params.as_deref().and_then(updated)
        {
            // Fails where nobody listens.
            let _ = self.updated.send(uri);
        }
    }
}

/// The URI of a resource that has changed.
fn updated(params: &RawValue) -> Option<Arc<str>> {
    #[derive(Deserialize)]
    struct Updated {
        uri: String,
    }
    let Updated { uri } = serde_json::from_str(params.get()).ok()?;
    (uri.len() <= MAX_URI).then(|| uri.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_that_changes_is_told_by_its_uri() {
        let news = News::default();
        let mut updates = news.updated.subscribe();
        let mut tell = |params: &str| {
            let params = RawValue::from_string(params.to_owned()).ok();
            news.tell(&Notification { method: UPDATED.to_owned(), params });
            updates.try_recv().ok()
        };
        assert_eq!(tell(r#"{"uri":"a:b","x":1}"#).as_deref(), Some("a:b"));
        let long = format!(r#"{{"uri":"{}"}}"#, "x".repeat(MAX_URI + 1));
        for odd in ["{}", r#"{"uri":7}"#, "[]", &long] {
            assert_eq!(tell(odd), None, "{odd}");
        }
    }
}
