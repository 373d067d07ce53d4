//! Hears what a server tells unasked: that its lists have changed, or a resource of it.
//!
//! In a session by its GET stream, without by a request that listens (2026-07-28, `subscriptions/listen`). A server
//! that has neither is not asked again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use http::StatusCode;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::error::Fault;
use super::exchange::streamed;
use super::line::{Line, Unsent};
use super::link::AROUND;
use crate::peer::request::quoted;
use crate::peer::single::{Single, Taken};
use crate::peer::sse::Events;
use crate::peer::{Besides, Listener, Listening, Request};
use crate::sandbox::CallError;

/// Until a stream that ended is asked for again; doubled with each that ends.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Resources that are watched. Against clients that ask for one after the other.
const MAX_WATCHED: usize = 1024;

/// The resources that are watched by a request that listens.
#[derive(Debug, Default)]
pub(super) struct Watched {
    uris: Mutex<BTreeSet<String>>,
    more: Notify,
}

impl Watched {
    /// Watches one more.
    ///
    /// # Errors
    /// [`CallError::Unavailable`] where there are too many.
    pub(super) fn add(&self, uri: &str) -> Result<(), CallError> {
        let mut uris = self.uris.lock().unwrap_or_else(PoisonError::into_inner);
        if uris.len() >= MAX_WATCHED && !uris.contains(uri) {
            return Err(CallError::Unavailable(format!("{MAX_WATCHED} resources are watched")));
        }
        if uris.insert(uri.to_owned()) {
            self.more.notify_one();
        }
        Ok(())
    }

    fn params(&self) -> String {
        let uris = self.uris.lock().unwrap_or_else(PoisonError::into_inner);
        let uris: Vec<_> = uris.iter().map(|uri| quoted(uri)).collect();
        let resources = match &uris[..] {
            [] => String::new(),
            uris => format!(",\"resourceSubscriptions\":[{}]", uris.join(",")),
        };
        format!(
            "{{\"notifications\":{{\"toolsListChanged\":true,\"promptsListChanged\":true,\
             \"resourcesListChanged\":true{resources}}}}}"
        )
    }
}

/// Listens as long as the conversation is there, and the server tells something.
pub(super) async fn watch(
    line: Weak<Line>,
    listener: Arc<dyn Listener>,
    watched: Arc<Watched>,
    besides: Besides,
) {
    let mut pause = FIRST;
    loop {
        let Some(line) = line.upgrade() else { return };
        let goes_on = if line.is_stateless() {
            let request = Request::new("subscriptions/listen", watched.params()).with(besides.clone());
            tokio::select! {
                ended = line.send(request, Listening::default()) => may_go_on(&ended),
                () = watched.more.notified() => {
                    pause = Duration::ZERO;
                    true
                }
            }
        } else {
            stream(&line, &listener).await
        };
        drop(line);
        if !goes_on {
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).clamp(FIRST, LONGEST);
    }
}

/// Whether a request that listens makes sense again.
fn may_go_on(ended: &Result<super::exchange::Answer, Unsent>) -> bool {
    match ended {
        Ok(Ok(_)) => true,
        Ok(Err(_)) | Err(Unsent::Session(_) | Unsent::Fault(Fault::Status(_) | Fault::Open(_))) => false,
        Err(Unsent::Fault(_)) => true,
    }
}

/// The stream of a session, to its end; whether there may be another.
async fn stream(line: &Arc<Line>, listener: &Arc<dyn Listener>) -> bool {
    let Ok(Some(established)) = line.established().await else { return true };
    let response = line.link.get(established.head.clone()).await;
    let mut body = match response.and_then(streamed) {
        Ok(body) => body,
        Err(Fault::Expired) => {
            line.forget(&established);
            return true;
        }
        Err(Fault::Status(status)) => {
            return status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        }
        Err(Fault::Open(_)) => return false,
        Err(_) => return true,
    };
    let mut events = Events::up_to(AROUND);
    let mut single = Single::new(0, Listening::default(), Arc::clone(listener));
    while let Ok(Some(piece)) = body.next().await {
        events.push(&piece);
        while let Ok(Some(event)) = events.event() {
            if event.is_message()
                && let Taken::Reply(reply) = single.take(&event.data)
            {
                line.reply(reply);
            }
        }
    }
    true
}
