//! What comes back for a request, as it comes: one message of JSON, or a stream of events that tell and at last answer.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde_json::value::RawValue;

use crate::notice::Notices;
use crate::peer::message::{self, Message, Refusal};
use crate::peer::notices;
use crate::peer::sse::{Events, TooLong};

/// Bytes of what others wrote that are shown.
const MAX_SHOWN: usize = 64;

/// A result, a JSON object as its server wrote it, or the error in its place.
pub type Response = Result<Box<RawValue>, Refusal>;

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// A message has more bytes than it may.
    #[error("a message has more than {limit} bytes")]
    TooLong {
        /// Bytes that it may have.
        limit: usize,
    },
    /// Neither success nor an error of JSON-RPC.
    #[error("its status is {0}")]
    Status(StatusCode),
    /// Neither JSON nor a stream of events.
    #[error("its content type is {0:?}, which is neither application/json nor text/event-stream")]
    ContentType(String),
    /// Compressed, though nobody asked for that.
    #[error("its body is encoded as {0:?}, which was not asked for")]
    Encoded(String),
    /// No message.
    #[error("{0} is no message of JSON-RPC")]
    Message(&'static str),
    /// A message for somebody else.
    #[error("it answers another request")]
    Id,
    /// A request of the server's own, which this revision does not have.
    #[error("it asks by a request of its own, which this revision of MCP does not have")]
    Asks,
    /// A stream that ends before it has answered.
    #[error("it ends before it has answered")]
    Early,
}

impl From<TooLong> for ReplyError {
    fn from(TooLong { limit }: TooLong) -> Self {
        Self::TooLong { limit }
    }
}

/// A response, read as it comes.
#[derive(Debug)]
pub struct Reply {
    id: u64,
    limit: usize,
    notices: Option<Notices>,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Json(StatusCode, BytesMut),
    Events(Events),
}

impl Reply {
    /// The response to the request of that id, each of whose messages has up to `limit` bytes. What it tells goes to
    /// `notices`.
    ///
    /// # Errors
    /// [`ReplyError`], where its head says already that it is none.
    pub fn begin(
        id: u64,
        status: StatusCode,
        headers: &HeaderMap,
        limit: usize,
        notices: Option<Notices>,
    ) -> Result<Self, ReplyError> {
        let text = |name| headers.get(name).map_or("", |value| value.to_str().unwrap_or("?"));
        let coding = text(CONTENT_ENCODING).trim();
        if !(coding.is_empty() || coding.eq_ignore_ascii_case("identity")) {
            return Err(ReplyError::Encoded(shown(coding)));
        }
        let kind = text(CONTENT_TYPE);
        let kind = kind.split_once(';').map_or(kind, |(kind, _)| kind).trim();
        let is = |known: &str| kind.eq_ignore_ascii_case(known);
        let form = match status {
            _ if is("application/json") => Form::Json(status, BytesMut::new()),
            StatusCode::OK if is("text/event-stream") => Form::Events(Events::up_to(limit)),
            StatusCode::OK => return Err(ReplyError::ContentType(shown(kind))),
            status => return Err(ReplyError::Status(status)),
        };
        Ok(Self { id, limit, notices, form })
    }

    /// Takes what has come. Once it answers, nothing that follows matters.
    ///
    /// # Errors
    /// [`ReplyError`].
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<Response>, ReplyError> {
        match &mut self.form {
            Form::Json(_, body) => {
                if body.len() + bytes.len() > self.limit {
                    return Err(ReplyError::TooLong { limit: self.limit });
                }
                body.extend_from_slice(bytes);
                return Ok(None);
            }
            Form::Events(events) => events.push(bytes),
        }
        while let Some(data) = self.message()? {
            if let Some(response) = self.heard(&data)? {
                return Ok(Some(response));
            }
        }
        Ok(None)
    }

    /// Its end.
    ///
    /// # Errors
    /// [`ReplyError`], where it has not answered.
    pub fn end(self) -> Result<Response, ReplyError> {
        let Form::Json(status, body) = self.form else { return Err(ReplyError::Early) };
        if status == StatusCode::OK {
            return match message::parse(&body) {
                Some(Message::Response(id, response)) if id == self.id => Ok(response),
                Some(Message::Response(..)) => Err(ReplyError::Id),
                Some(Message::Request(_)) => Err(ReplyError::Asks),
                Some(Message::Notification(_)) => Err(ReplyError::Early),
                None => message::refused(&body).map(Err).ok_or(ReplyError::Message("its body")),
            };
        }
        // Whoever could not read a request does not know its id.
        match (message::parse(&body), message::refused(&body)) {
            (Some(Message::Response(id, Err(refusal))), _) if id == self.id => Ok(Err(refusal)),
            (None, Some(refusal)) => Ok(Err(refusal)),
            _ => Err(ReplyError::Status(status)),
        }
    }

    /// The next event that carries a message.
    fn message(&mut self) -> Result<Option<Bytes>, ReplyError> {
        let Form::Events(events) = &mut self.form else { return Ok(None) };
        loop {
            match events.event()? {
                None => return Ok(None),
                // Some begin with an event that says nothing, so that they can be resumed.
                Some(event) if event.is_message() && !event.data.is_empty() => return Ok(Some(event.data)),
                Some(_) => {}
            }
        }
    }

    fn heard(&self, data: &[u8]) -> Result<Option<Response>, ReplyError> {
        match message::parse(data) {
            Some(Message::Response(id, response)) if id == self.id => Ok(Some(response)),
            Some(Message::Response(..)) => Err(ReplyError::Id),
            Some(Message::Request(_)) => Err(ReplyError::Asks),
            Some(Message::Notification(notification)) => {
                if let Some(notices) = &self.notices {
                    notices::tell_one(self.id, notices, notification);
                }
                Ok(None)
            }
            None => message::refused(data)
                .map(|refusal| Some(Err(refusal)))
                .ok_or(ReplyError::Message("an event")),
        }
    }
}

fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use http::HeaderValue;

    use super::*;
    use crate::notice::{Level, Notice};

    const JSON: &str = "application/json";
    const EVENTS: &str = "text/event-stream";

    fn begin(status: u16, kind: &'static str, notices: Option<Notices>) -> Result<Reply, ReplyError> {
        let headers = [(CONTENT_TYPE, HeaderValue::from_static(kind))].into_iter().collect();
        Reply::begin(7, StatusCode::from_u16(status).unwrap(), &headers, 200, notices)
    }

    /// What a response comes to, in pieces of any size.
    fn read(status: u16, kind: &'static str, body: &str) -> Result<Result<String, i64>, ReplyError> {
        let read = |step: usize| {
            let mut reply = begin(status, kind, None)?;
            let mut found = None;
            for bytes in body.as_bytes().chunks(step) {
                found = reply.take(bytes)?;
                if found.is_some() {
                    break;
                }
            }
            let response = found.map_or_else(|| reply.end(), Ok)?;
            Ok(response.map(|result| result.get().to_owned()).map_err(|refusal| refusal.code))
        };
        let whole = read(body.len().max(1));
        for step in 1..body.len() {
            assert_eq!(read(step), whole, "{step}");
        }
        whole
    }

    #[test]
    fn one_message_of_json_is_the_answer() {
        let body = r#"{"jsonrpc":"2.0","id":7,"result":{ "a":1.50 }}"#;
        for kind in [JSON, "Application/JSON; charset=utf-8"] {
            assert_eq!(read(200, kind, body), Ok(Ok(r#"{ "a":1.50 }"#.to_owned())));
        }
        let refused = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"no"}}"#;
        for status in [200, 400, 404, 500] {
            assert_eq!(read(status, JSON, refused), Ok(Err(-32602)), "{status}");
        }
    }

    #[test]
    fn an_error_need_not_know_its_request() {
        for id in ["", r#""id":null,"#] {
            let body = format!(r#"{{"jsonrpc":"2.0",{id}"error":{{"code":-32700,"message":"no"}}}}"#);
            assert_eq!(read(400, JSON, &body), Ok(Err(-32700)), "{id}");
            assert_eq!(read(200, JSON, &body), Ok(Err(-32700)), "{id}");
            assert_eq!(read(200, EVENTS, &format!("data: {body}\n\n")), Ok(Err(-32700)), "{id}");
        }
    }

    #[test]
    fn a_stream_tells_and_at_last_answers() {
        let (notices, mut told) = Notices::wanted(true, Some(Level::Info));
        let mut reply = begin(200, EVENTS, Some(notices)).unwrap();
        let events = "id: 1\ndata:\n\n: a comment\n\nevent: other\ndata: {\n\n\
             data: {\"method\":\"notifications/progress\",\"params\":{\"progressToken\":7,\"progress\":1}}\n\n\
             data: {\"method\":\"notifications/progress\",\"params\":{\"progressToken\":8,\"progress\":2}}\n\n\
             data: {\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":3}}\n\n\
             data: {\"method\":\"notifications/message\",\"params\":{\"level\":\"debug\",\"data\":4}}\n\n\
             data: {\"method\":\"notifications/unheard-of\"}\n\n";
        assert!(reply.take(events.as_bytes()).unwrap().is_none());
        let answer = b"data: {\"id\":7,\ndata: \"result\":{}}\n\ndata: what follows is not read";
        assert_eq!(reply.take(answer).unwrap().unwrap().unwrap().get(), "{}");
        let told = std::iter::from_fn(|| told.try_recv().ok()).map(|notice| match notice {
            Notice::Progress(params) | Notice::Log(params) => params.get().to_owned(),
        });
        let expected = [r#"{"progressToken":7,"progress":1}"#, r#"{"level":"info","data":3}"#];
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_no_answer_is_told_by_its_reason() {
        use ReplyError::{Asks, ContentType, Early, Id, Message, Status, TooLong};
        let status = |status| Status(StatusCode::from_u16(status).unwrap());
        let other = r#"{"jsonrpc":"2.0","id":8,"result":{}}"#;
        let asks = r#"{"jsonrpc":"2.0","id":7,"method":"roots/list"}"#;
        let tells = r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#;
        let event = |data: &str| format!("data: {data}\n\n");
        for (code, kind, body, why) in [
            (202, JSON, String::new(), status(202)),
            (404, "text/html", "not here".to_owned(), status(404)),
            (500, JSON, r#"{"id":7,"result":{}}"#.to_owned(), status(500)),
            (500, JSON, r#"{"id":8,"error":{"code":1}}"#.to_owned(), status(500)),
            (500, JSON, "not here".to_owned(), status(500)),
            (500, EVENTS, event(r#"{"id":7,"result":{}}"#), status(500)),
            (200, "text/html; charset=utf-8", "hello".to_owned(), ContentType("text/html".to_owned())),
            (200, "", "{}".to_owned(), ContentType(String::new())),
            (200, JSON, other.to_owned(), Id),
            (200, EVENTS, event(other), Id),
            (200, JSON, asks.to_owned(), Asks),
            (200, EVENTS, event(asks), Asks),
            (200, JSON, tells.to_owned(), Early),
            (200, EVENTS, event(tells), Early),
            (200, EVENTS, String::new(), Early),
            (200, EVENTS, r#"data: {"id":7,"result":{}}"#.to_owned(), Early),
            (200, JSON, String::new(), Message("its body")),
            (200, JSON, r#"{"jsonrpc":"2.0","id":7,"result":{}"#.to_owned(), Message("its body")),
            (200, JSON, r#"[{"id":7,"result":{}}]"#.to_owned(), Message("its body")),
            (200, EVENTS, event("hello"), Message("an event")),
            (200, JSON, " ".repeat(201), TooLong { limit: 200 }),
            (200, EVENTS, event(&" ".repeat(201)), TooLong { limit: 200 }),
        ] {
            assert_eq!(read(code, kind, &body), Err(why), "{code} {kind} {body}");
        }
    }

    #[test]
    fn a_body_that_is_compressed_is_not_read() {
        let headers = [(CONTENT_TYPE, JSON), (CONTENT_ENCODING, "gzip")];
        let headers =
            headers.map(|(name, value)| (name, HeaderValue::from_static(value))).into_iter().collect();
        let error = Reply::begin(7, StatusCode::OK, &headers, 200, None).unwrap_err();
        assert_eq!(error, ReplyError::Encoded("gzip".to_owned()));
    }
}
