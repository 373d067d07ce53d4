//! How a session begins: `initialize`, and the headers that each further request of it has.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::exchange::Exchange;
use super::line::{SESSION, VERSION};
use super::link::Link;
use crate::peer::client::{self, ClientError, Greeting};
use crate::peer::single::Single;
use crate::peer::{Conversation, Listener, Listening, Request, RequestError, message};

/// A session.
pub(super) struct Established {
    /// Its headers.
    pub(super) head: HeaderMap,
    /// What the server said of itself.
    pub(super) can: Greeting,
}

/// Begins a session.
///
/// # Errors
/// See [`ClientError`].
pub(super) async fn shake_hands(
    link: &Arc<Link>,
    listener: &Arc<dyn Listener>,
) -> Result<Established, ClientError> {
    let handshake = Handshake { link, listener, head: Mutex::default() };
    let can = client::initialize(&handshake).await?;
    let head = handshake.head.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Established { head, can })
}

/// The conversation as long as there is no session.
struct Handshake<'a> {
    link: &'a Arc<Link>,
    listener: &'a Arc<dyn Listener>,
    head: Mutex<HeaderMap>,
}

impl Conversation for Handshake<'_> {
    async fn ask(&self, request: Request, listening: Listening) -> Result<Box<RawValue>, RequestError> {
        const ID: u64 = 0;
        let method = request.method;
        let message = message::request(ID, method, &request.into_params(None));
        let mut exchange = Exchange {
            link: self.link,
            head: HeaderMap::new(),
            single: Single::new(ID, listening, Arc::clone(self.listener)),
            // Before it has begun there is nobody to be asked.
            is_session: false,
            limit: self.link.limit_of(method),
        };
        let (headers, answer) = exchange.run(message.into()).await?;
        let result = answer?;
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        head.extend(headers.get(SESSION).map(|id| (SESSION, id.clone())));
        head.extend(version(&result).map(|version| (VERSION, version)));
        Ok(result)
    }

    async fn tell(&self, method: &'static str, params: &'static str) {
        let head = self.head.lock().unwrap_or_else(PoisonError::into_inner).clone();
        drop(self.link.post(head, message::notification(method, params).into()).await);
    }
}

/// The revision that the server chose, as the header of further requests.
fn version(result: &RawValue) -> Option<HeaderValue> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Initialized {
        protocol_version: String,
    }
    let Initialized { protocol_version } = serde_json::from_str(result.get()).ok()?;
    HeaderValue::from_str(&protocol_version).ok()
}
