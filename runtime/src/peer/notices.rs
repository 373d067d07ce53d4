//! Which request a notification of the server belongs to.
//!
//! Progress carries the id of its request. A log message carries none: it is told where only one request
//! is under way, and else to nobody, since it may be about another caller.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;

use super::message::Notification;
use super::session::Pending;
use crate::notice::{Level, Notices};

const PROGRESS: &str = "notifications/progress";
const LOG: &str = "notifications/message";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Progress {
    progress_token: u64,
}

#[derive(Deserialize)]
struct Log<'a> {
    #[serde(borrow)]
    level: Cow<'a, str>,
}

/// Tells what the notification says to whom it belongs; gives back one of another kind.
pub(super) fn tell(pending: &HashMap<u64, Pending>, notification: Notification) -> Option<Notification> {
    match notification.method.as_str() {
        PROGRESS => progress(|token| pending.get(&token)?.notices.as_ref(), notification),
        LOG => only(pending).and_then(|notices| log(notices, notification)),
        _ => return Some(notification),
    };
    None
}

/// Tells what a notification says that came with the answer to the request of that id.
pub(super) fn tell_one(id: u64, notices: &Notices, notification: Notification) {
    match notification.method.as_str() {
        PROGRESS => progress(|token| (token == id).then_some(notices), notification),
        LOG => log(notices, notification),
        _ => None,
    };
}

fn progress<'a>(whose: impl FnOnce(u64) -> Option<&'a Notices>, notification: Notification) -> Option<()> {
    let params = notification.params?;
    let Progress { progress_token } = serde_json::from_str(params.get()).ok()?;
    whose(progress_token)?.tell_progress(params);
    Some(())
}

fn log(notices: &Notices, notification: Notification) -> Option<()> {
    let params = notification.params?;
    let Log { level } = serde_json::from_str(params.get()).ok()?;
    notices.tell_log(Level::parse(&level)?, params);
    Some(())
}

fn only(pending: &HashMap<u64, Pending>) -> Option<&Notices> {
    let mut all = pending.values();
    match (all.next(), all.next()) {
        (Some(one), None) => one.notices.as_ref(),
        _ => None,
    }
}
