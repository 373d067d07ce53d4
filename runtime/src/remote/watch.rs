//! Hears what a server tells unasked: that its lists have changed, or a resource of it.
//!
//! In a session by its GET stream, without by a request that listens (2026-07-28, `subscriptions/listen`). A server
//! that has neither is not asked again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::error::Fault;
use super::exchange::streamed;
use super::line::{Line, Unsent};
use super::link::AROUND;
use crate::peer::request::quoted;
use crate::peer::single::Taken;
use crate::peer::sse::Events;
use crate::peer::{Besides, Listening, Request};
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

/// Listens until it is dropped.
pub(super) struct Watch(AbortHandle);

impl Watch {
    /// Listens in that conversation.
    pub(super) fn begin(line: &Arc<Line>, watched: &Arc<Watched>, besides: Besides) -> Self {
        Self(tokio::spawn(watch(Arc::clone(line), Arc::clone(watched), besides)).abort_handle())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Listens as long as the server tells something.
async fn watch(line: Arc<Line>, watched: Arc<Watched>, besides: Besides) {
    let mut pause = FIRST;
    loop {
        let began = Instant::now();
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
            stream(&line).await
        };
        if !goes_on {
            return;
        }
        if began.elapsed() > LONGEST {
            pause = FIRST;
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
async fn stream(line: &Line) -> bool {
    let Ok(Some(established)) = line.established().await else { return true };
    let response = line.link.get(established.head.clone()).await;
    line.listens.send_replace(true);
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
    let mut single = line.beside();
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
