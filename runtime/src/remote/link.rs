//! HTTP to the place of a server: its headers and secrets, and the breaker.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::breaker::Breaker;
use super::error::Fault;
use crate::egress::{Kept, Pieces, secrets_for};
use crate::policy::Grants;

/// The way to a server.
pub(super) struct Link {
    pub(super) kept: Kept,
    /// Its secrets.
    pub(super) grants: Grants,
    /// Headers that the operator wants in each request.
    pub(super) headers: HeaderMap,
    pub(super) breaker: Breaker,
    /// Of messages on their way that nobody waits for.
    pub(super) besides: Arc<Semaphore>,
    /// Bytes that the result of a call may have.
    pub(super) output: u64,
}

/// Messages on their way that nobody waits for, and how long each may be. Against a server that asks on and on, or
/// answers none.
pub(super) const MAX_BESIDES: usize = 64;
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of a message that lists something.
const MAX_LIST: usize = 16 << 20;

/// Bytes around a result.
pub(super) const AROUND: usize = 64 << 10;

/// Statuses by which the server, or what stands before it, says that it does not work.
const BROKEN: [StatusCode; 3] =
    [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];

impl Link {
    /// Bytes that a message may have that answers a request of that method, or comes before its answer.
    pub(super) fn limit_of(&self, method: &str) -> usize {
        if method.ends_with("/list") {
            return MAX_LIST;
        }
        usize::try_from(self.output).unwrap_or(usize::MAX).saturating_add(AROUND)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// Where no response comes.
    pub(super) async fn post(&self, mut head: HeaderMap, message: Bytes) -> Result<Response<Pieces>, Fault> {
        head.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        head.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        let sent = self.send(Method::POST, &head, message).await;
        match &sent {
            Ok(response) if BROKEN.contains(&response.status()) => {
                self.breaker.failed(&Fault::Status(response.status()).to_string());
            }
            Ok(_) => self.breaker.worked(),
            Err(Fault::Network(error)) => self.breaker.failed(&error.to_string()),
            Err(_) => {}
        }
        sent
    }

    /// Sends a message that nobody waits for; not where many are on their way already.
    pub(super) fn post_beside(self: &Arc<Self>, head: HeaderMap, message: Vec<u8>) {
        let link = Arc::clone(self);
        self.beside(async move { drop(link.post(head, message.into()).await) });
    }

    /// Ends a session.
    pub(super) fn delete(self: &Arc<Self>, head: HeaderMap) {
        let link = Arc::clone(self);
        // Whatever it answers: it may end sessions by itself alone.
        self.beside(async move { drop(link.send(Method::DELETE, &head, Bytes::new()).await) });
    }

    fn beside(&self, sent: impl Future<Output = ()> + Send + 'static) {
        let Ok(turn) = Arc::clone(&self.besides).try_acquire_owned() else { return };
        // Nothing is to be told any more where the runtime has ended.
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            let _turn = turn;
            drop(timeout(PATIENCE, sent).await);
        });
    }

    /// Asks for a stream.
    ///
    /// # Errors
    /// As [`post`](Self::post).
    pub(super) async fn get(&self, mut head: HeaderMap) -> Result<Response<Pieces>, Fault> {
        head.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        self.send(Method::GET, &head, Bytes::new()).await
    }

    async fn send(&self, method: Method, head: &HeaderMap, body: Bytes) -> Result<Response<Pieces>, Fault> {
        if let Some(why) = self.breaker.open() {
            return Err(Fault::Open(why));
        }
        let secrets = secrets_for(&self.grants, self.kept.target()).await;
        let secrets = secrets.map_err(|denial| Fault::Secret(denial.reason))?;
        let mut headers = self.headers.clone();
        headers.extend(head.clone());
        self.kept.send(method, &headers, body, &secrets).await.map_err(Fault::Network)
    }
}
