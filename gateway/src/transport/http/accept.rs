//! What a client may be sent, and whether it sends JSON. Pure.

use http::{HeaderMap, header};

use crate::error::Error;

/// How an answer is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One JSON object. Preferred: it costs no stream.
    Json,
    /// An event stream of one message, for a client that takes nothing else.
    EventStream,
}

/// What a client accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// How an answer by itself is framed.
    pub(super) format: Format,
    /// Whether a stream of events may come in its place.
    pub(super) events: bool,
}

/// What the client accepts; without a word from it, JSON.
pub(super) fn accepted(headers: &HeaderMap) -> Result<Accepted, Error> {
    let (mut asked, mut json, mut events) = (false, false, false);
    for value in headers.get_all(header::ACCEPT) {
        for range in value.as_bytes().split(|byte| *byte == b',') {
            let Ok(range) = std::str::from_utf8(range) else { continue };
            let (media, parameters) = range.split_once(';').unwrap_or((range, ""));
            if refused(parameters) {
                asked = true;
                continue;
            }
            match media.trim().to_ascii_lowercase().as_str() {
                "" => continue,
                "application/json" | "application/*" => json = true,
                "text/event-stream" | "text/*" => events = true,
                // Who takes anything has not said that it reads streams.
                "*/*" => json = true,
                _ => {}
            }
            asked = true;
        }
    }
    match (asked, json, events) {
        (false, ..) | (_, true, _) => Ok(Accepted { format: Format::Json, events }),
        (true, false, true) => Ok(Accepted { format: Format::EventStream, events }),
        (true, false, false) => Err(Error::NotAcceptable),
    }
}

/// Whether parameters hold a weight of zero, which means "not this".
fn refused(parameters: &str) -> bool {
    parameters.split(';').any(|parameter| {
        parameter.split_once('=').is_some_and(|(name, weight)| {
            name.trim().eq_ignore_ascii_case("q")
                && weight.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0)
        })
    })
}

/// Refuses a body that is not declared as JSON: a web page can send other types anywhere without
/// asking first.
pub(super) fn check_content_type(headers: &HeaderMap) -> Result<(), Error> {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = declared.map(|value| value.split(';').next().unwrap_or_default().trim());
    if media.is_some_and(|media| media.eq_ignore_ascii_case("application/json")) {
        return Ok(());
    }
    Err(Error::MediaType)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn accepting(value: &str) -> Result<Format, Error> {
        both(value).map(|accepted| accepted.format)
    }

    fn both(value: &str) -> Result<Accepted, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, value.parse().unwrap());
        accepted(&headers)
    }

    #[test]
    fn a_stream_is_for_who_says_that_it_takes_one() {
        assert!(both("application/json, text/event-stream").unwrap().events);
        assert!(both("text/event-stream").unwrap().events);
        for value in ["application/json", "*/*", "application/json, text/event-stream;q=0"] {
            assert!(!both(value).unwrap().events, "{value}");
        }
    }

    #[test]
    fn json_is_preferred_where_it_is_accepted() {
        for value in [
            "application/json, text/event-stream",
            "text/event-stream,application/json",
            "*/*",
            "application/*;q=0.1",
            "",
        ] {
            assert_eq!(accepting(value).unwrap(), Format::Json, "{value}");
        }
        assert_eq!(accepted(&HeaderMap::new()).unwrap(), Accepted { format: Format::Json, events: false });
    }

    #[test]
    fn a_client_that_takes_only_events_gets_events() {
        for value in ["text/event-stream", "TEXT/*", "application/json;q=0, text/event-stream"] {
            assert_eq!(accepting(value).unwrap(), Format::EventStream, "{value}");
        }
    }

    #[test]
    fn a_client_that_takes_neither_is_refused() {
        for value in ["text/html", "application/json; q=0.0", "image/*, text/plain"] {
            assert!(matches!(accepting(value), Err(Error::NotAcceptable)), "{value}");
        }
    }
}
