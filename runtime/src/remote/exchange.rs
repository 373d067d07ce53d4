//! One request and its answer: a message, or a stream of events that ends with one (spec: Streamable HTTP).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::value::RawValue;
use tokio::time::sleep;

use super::error::Fault;
use super::line::SESSION;
use super::link::Link;
use crate::egress::Pieces;
use crate::peer::single::{Single, Taken};
use crate::peer::sse::Events;
use crate::peer::{Refusal, message};

const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

/// How long to wait before a stream that ended early is asked for again, where it does not say; and at most.
const PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Streams of one request, one after the other. Against a server that ends each before it says anything.
const MAX_STREAMS: usize = 100;

/// What a server answered.
pub(super) type Answer = Result<Box<RawValue>, Refusal>;

/// A request on its way.
pub(super) struct Exchange<'a> {
    pub(super) link: &'a Arc<Link>,
    /// Headers of its conversation, and of the request.
    pub(super) head: HeaderMap,
    pub(super) single: Single,
    /// Whether it is one of a session, where the server may ask, and a stream that broke can be gone on with.
    pub(super) is_session: bool,
    /// Bytes that a message may have.
    pub(super) limit: usize,
}

impl Exchange<'_> {
    /// Sends the request and reads until it is answered; gives the headers of the response, too.
    ///
    /// # Errors
    /// Where there is no answer.
    pub(super) async fn run(&mut self, message: Bytes) -> Result<(HeaderMap, Answer), Fault> {
        let response = self.link.post(self.head.clone(), message).await?;
        let (head, mut body) = response.into_parts();
        if head.status == StatusCode::NOT_FOUND && self.head.contains_key(&SESSION) {
            return Err(Fault::Expired);
        }
        let answer = match media_type(&head.headers) {
            "text/event-stream" if head.status.is_success() => self.stream(body).await?,
            "application/json" => self.whole(head.status, &mut body).await?,
            _ if !head.status.is_success() => return Err(Fault::Status(head.status)),
            other => return Err(Fault::Nonsense(format!("its content type is {}", shown(other)))),
        };
        Ok((head.headers, answer))
    }

    /// A body that is a message, or for the oldest servers an array of such.
    async fn whole(&mut self, status: StatusCode, body: &mut Pieces) -> Result<Answer, Fault> {
        let mut whole = Vec::new();
        while let Some(piece) = body.next().await.map_err(Fault::Network)? {
            if whole.len() + piece.len() > self.limit {
                return Err(Fault::TooLong { limit: self.limit });
            }
            whole.extend_from_slice(&piece);
        }
        if let Some(answer) = self.take(&whole) {
            return Ok(answer);
        }
        match message::refused(&whole) {
            Some(refusal) if !status.is_success() => Ok(Err(refusal)),
            _ if !status.is_success() => Err(Fault::Status(status)),
            _ => Err(Fault::Nonsense("its response holds no answer to the request".to_owned())),
        }
    }

    /// A stream, and those that go on where it ended before the answer.
    async fn stream(&mut self, mut body: Pieces) -> Result<Answer, Fault> {
        let mut events = Events::up_to(self.limit);
        for _ in 0..MAX_STREAMS {
            match self.events(&mut events, &mut body).await {
                Ok(Some(answer)) => return Ok(answer),
                // It broke, or was ended by the server to be asked for later.
                Ok(None) | Err(Fault::Network(_)) if self.is_session && !events.last_id().is_empty() => {}
                Ok(None) => return Err(Fault::Nonsense("its stream ended before the answer".to_owned())),
                Err(fault) => return Err(fault),
            }
            sleep(events.retry().unwrap_or(PAUSE).min(MAX_PAUSE)).await;
            let mut head = self.head.clone();
            let last = HeaderValue::from_bytes(events.last_id());
            head.insert(LAST_EVENT, last.map_err(|error| Fault::Nonsense(error.to_string()))?);
            let response = self.link.get(head).await?;
            // Its request was taken, and is not to be sent again.
            body = streamed(response).map_err(|fault| match fault {
                Fault::Expired => Fault::Nonsense("it forgot the stream that was to answer".to_owned()),
                other => other,
            })?;
            events = events.resumed();
        }
        Err(Fault::Nonsense(format!("it ended {MAX_STREAMS} streams before the answer")))
    }

    async fn events(&mut self, events: &mut Events, body: &mut Pieces) -> Result<Option<Answer>, Fault> {
        while let Some(piece) = body.next().await.map_err(Fault::Network)? {
            events.push(&piece);
            let limit = self.limit;
            while let Some(event) = events.event().map_err(|_| Fault::TooLong { limit })? {
                if let Some(answer) = event.is_message().then(|| self.take(&event.data)).flatten() {
                    return Ok(Some(answer));
                }
            }
        }
        Ok(None)
    }

    /// Takes a message or an array of such; gives the answer if it is among them.
    fn take(&mut self, data: &[u8]) -> Option<Answer> {
        if data.trim_ascii_start().starts_with(b"[") {
            let messages: Vec<&RawValue> = serde_json::from_slice(data).ok()?;
            return messages.into_iter().find_map(|message| self.take_one(message.get().as_bytes()));
        }
        self.take_one(data)
    }

    fn take_one(&mut self, message: &[u8]) -> Option<Answer> {
        match self.single.take(message) {
            Taken::Answer(answer) => Some(answer),
            Taken::Reply(reply) => {
                if self.is_session {
                    self.link.post_beside(self.head.clone(), reply);
                }
                None
            }
            // Who could not read a request does not know its id.
            Taken::Noise => message::refused(message).map(Err),
            Taken::Heard => None,
        }
    }
}

/// The body of a response that is a stream.
///
/// # Errors
/// For any other.
pub(super) fn streamed(response: Response<Pieces>) -> Result<Pieces, Fault> {
    match (response.status(), media_type(response.headers())) {
        (StatusCode::OK, "text/event-stream") => Ok(response.into_body()),
        (StatusCode::NOT_FOUND, _) => Err(Fault::Expired),
        (status, _) => Err(Fault::Status(status)),
    }
}

fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    let known = ["application/json", "text/event-stream"];
    known.into_iter().find(|known| kind.eq_ignore_ascii_case(known)).unwrap_or(kind)
}

/// Of a server's words what a line can hold.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}
