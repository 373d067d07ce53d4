//! What a server that is asked over HTTP could answer: one message, or a stream of events.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use toolgate_runtime::notice::{Level, Notice, Notices};
use toolgate_runtime::peer::stateless::{Answered, Reply, Response, answered, discovered};

use crate::Reached;

/// Bytes of a message, few enough for an input to exceed them.
const LIMIT: usize = 1024;

/// Takes the first line for status and content type, and the rest for the body, in two pieces.
pub fn reply(data: &[u8]) -> Reached {
    let mut reached = Reached::new();
    let Some(end) = data.iter().position(|&byte| byte == b'\n') else { return reached };
    let (head, body) = (&data[..end], &data[end + 1..]);
    let (status, kind) = head.split_at(head.len().min(3));
    let (Ok(status), Ok(kind)) = (StatusCode::from_bytes(status), HeaderValue::from_bytes(kind.trim_ascii()))
    else {
        return reached;
    };
    let (notices, mut told) = Notices::wanted(true, Some(Level::Debug));
    let headers = [(CONTENT_TYPE, kind)].into_iter().collect();
    let Ok(mut reply) = Reply::begin(7, status, &headers, LIMIT, Some(notices)) else {
        return vec!["no-reply"];
    };
    let (first, rest) = body.split_at(body.len() / 2);
    let response = match reply.take(first) {
        Ok(None) => match reply.take(rest) {
            Ok(None) => reply.end(),
            Ok(Some(response)) => Ok(response),
            Err(error) => Err(error),
        },
        Ok(Some(response)) => Ok(response),
        Err(error) => Err(error),
    };
    while let Ok(notice) = told.try_recv() {
        let (Notice::Progress(params) | Notice::Log(params)) = notice;
        assert!(params.get().len() <= LIMIT, "a notice is a part of a message");
        reached.push("told");
    }
    reached.push(response.map_or("no-response", said));
    reached
}

fn said(response: Response) -> &'static str {
    let Ok(result) = response else { return "refused" };
    assert!(result.get().len() <= LIMIT, "a result is a part of a message");
    if discovered(&result).is_ok() {
        return "discovered";
    }
    match answered(result) {
        Ok(Answered::Complete { is_error: false, .. }) => "complete",
        Ok(Answered::Complete { is_error: true, .. }) => "failed",
        Ok(Answered::InputRequired { requests, .. }) => {
            assert!(requests.get().starts_with('{'), "requests are an object");
            "asks"
        }
        Err(_) => "nonsense",
    }
}
