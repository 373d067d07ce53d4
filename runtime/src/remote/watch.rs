//! Hears what a server tells unasked: that its lists have changed, or a resource of it.
//!
//! In a session by its GET stream, without by a request that listens (2026-07-28, `subscriptions/listen`). A server
//! that has neither is not asked again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::error::Fault;
use super::exchange::streamed;
use super::handshake::Established;
use super::line::{Line, Unsent};
use super::link::AROUND;
use crate::peer::MAX_URI;
use crate::peer::request::quoted;
use crate::peer::single::Taken;
use crate::peer::sse::Events;
use crate::peer::{Besides, Listening, Request};
use crate::sandbox::CallError;

/// Until a stream that ended is asked for again; doubled with each that ends.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// A stream that lasted so long was one, and the next may begin soon.
const CALM: Duration = Duration::from_secs(5);

/// How long the server may take to begin a stream. Some do with the first event, so it is no fault to take longer.
const HEAD: Duration = Duration::from_secs(300);

/// Resources that are watched; of more the oldest go. Against clients that ask for one after the other.
const MAX_WATCHED: usize = 1024;

/// The resources that are watched by a request that listens.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// The newest first.
    uris: Mutex<VecDeque<String>>,
    more: Notify,
}

impl Watched {
    /// Watches one more.
    ///
    /// # Errors
    /// [`CallError::Arguments`] for one that is too long.
    pub(super) fn add(&self, uri: &str) -> Result<(), CallError> {
        let mut uris = self.uris.lock().unwrap_or_else(PoisonError::into_inner);
        if uri.len() > MAX_URI {
            return Err(CallError::Arguments(format!("a URI has up to {MAX_URI} bytes")));
        }
        if !uris.iter().any(|own| own == uri) {
            uris.truncate(MAX_WATCHED - 1);
            uris.push_front(uri.to_owned());
            self.more.notify_one();
        }
        Ok(())
    }

    fn all(&self) -> Vec<String> {
        self.uris.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn params(&self) -> String {
        let uris: Vec<_> = self.all().iter().map(|uri| quoted(uri)).collect();
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
    let (mut pause, mut last) = (FIRST, None);
    loop {
        let began = Instant::now();
        let goes_on = if line.is_stateless() {
            let request = Request::new("subscriptions/listen", watched.params()).with(besides.clone());
            tokio::select! {
                ended = line.send(request, Listening::default()) => may_go_on(&ended),
                () = watched.more.notified() => continue,
            }
        } else {
            stream(&line, &watched, &mut last).await
        };
        if !goes_on {
            return;
        }
        if began.elapsed() > CALM {
            pause = FIRST;
        }
        sleep(pause).await;
        // Whatever was told meanwhile was told to nobody.
        line.missed();
        pause = (pause * 2).clamp(FIRST, LONGEST);
    }
}

/// Whether a request that listens makes sense again.
fn may_go_on(ended: &Result<super::exchange::Answer, Unsent>) -> bool {
    match ended {
        Ok(Ok(_)) => true,
        // It has no such method.
        Ok(Err(refusal)) => refusal.code != -32601,
        Err(Unsent::Fault(Fault::Status(status))) => may_pass(*status),
        Err(Unsent::Session(_) | Unsent::Fault(Fault::Open(_))) => false,
        Err(Unsent::Fault(_)) => true,
    }
}

/// Whether a status may be another one later.
fn may_pass(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// The stream of a session, to its end; whether there may be another.
async fn stream(line: &Line, watched: &Watched, last: &mut Option<Arc<Established>>) -> bool {
    let Ok(Some(established)) = line.established().await else { return true };
    let before = last.replace(Arc::clone(&established));
    if line.is_shared && before.is_some_and(|before| !Arc::ptr_eq(&before, &established)) {
        // The session before was asked to tell of them, and this one knows nothing of that.
        for uri in watched.all() {
            let request = Request::new("resources/subscribe", format!("{{\"uri\":{}}}", quoted(&uri)));
            drop(line.send(request, Listening::default()).await);
        }
    }
    let asked = timeout(HEAD, line.link.get(established.head.clone())).await;
    line.listens.send_replace(true);
    let Ok(response) = asked else { return true };
    let mut body = match response.and_then(streamed) {
        Ok(body) => body,
        Err(Fault::Expired) => {
            line.forget(&established);
            return true;
        }
        Err(Fault::Status(status)) => {
            return may_pass(status);
        }
        Err(Fault::Open(_)) => return false,
        Err(_) => return true,
    };
    let mut events = Events::up_to(AROUND);
    let mut single = line.beside();
    while let Ok(Some(piece)) = body.next().await {
        events.push(&piece);
        loop {
            match events.event() {
                Ok(Some(event)) if event.is_message() => {
                    if let Taken::Reply(reply) = single.take(&event.data) {
                        line.link.post_beside(established.head.clone(), reply);
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                // Nothing sensible can follow.
                Err(_) => return true,
            }
        }
    }
    true
}
