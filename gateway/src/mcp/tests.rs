//! Promises of the pure part: any bytes are answered, what is read is what was sent.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use base64::Engine as _;
use http::HeaderMap;
use proptest::prelude::*;
use serde_json::{Value, json};
use toolgate_runtime::sandbox::{Content, Outcome};

use super::answer::Answer;
use super::envelope::{Frame, Message, parse};
use super::era::{Era, over_http, over_stdio};
use super::flight::Flight;
use super::id::Id;
use super::params::Params;
use super::revision::Revision;
use super::session::{SessionKey, Sessions};
use super::shape::Shape;
use super::{SERVER_INFO, headers};
use crate::auth::{Principal, Servers};
use crate::error::Error;
use crate::pipeline::Completed;
use crate::respond;
use toolgate_runtime::peer::ClientCapabilities;

/// JSON values, small and nested.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Objects whose members are those of a message, with any values.
fn almost_message() -> impl Strategy<Value = Value> {
    let member = prop::sample::select(vec!["jsonrpc", "id", "method", "params", "result", "error"]);
    let value = prop_oneof![Just(json!("2.0")), Just(json!("tools/call")), Just(json!(1)), json_value()];
    prop::collection::btree_map(member, value, 0..6)
        .prop_map(|map| map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
}

fn me() -> Principal {
    Principal::local()
}

proptest! {
    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn any_json_is_a_message_or_an_error(value in json_value()) {
        let text = value.to_string();
        if let Err(fault) = parse(text.as_bytes()) {
            prop_assert!(matches!(fault.error, Error::InvalidRequest(_)), "{text}: {fault:?}");
        }
    }

    #[test]
    fn what_is_almost_a_message_is_read_or_refused(value in almost_message()) {
        let text = value.to_string();
        match parse(text.as_bytes()) {
            Ok(Frame::One(Message::Request(request))) => {
                prop_assert_eq!(&value["jsonrpc"], "2.0");
                prop_assert_eq!(value["method"].as_str(), Some(&*request.method));
                let id: Value = serde_json::from_str(request.id.json()).unwrap();
                prop_assert_eq!(&value["id"], &id);
                if let Ok(params) = Params::parse(request.params) {
                    let _ = params.meta();
                }
            }
            Ok(Frame::One(Message::Notification(_))) => prop_assert!(value.get("id").is_none()),
            Ok(Frame::One(Message::Response(_))) => prop_assert!(value.get("method").is_none()),
            Ok(Frame::Batch(_)) => prop_assert!(false, "an object is no batch"),
            Err(fault) => {
                // Whatever is refused can still be answered.
                let wire = respond::wire(&fault.error, None);
                let body = respond::error(fault.id.as_ref(), &fault.error, wire.code);
                let body: Value = serde_json::from_slice(&body).unwrap();
                prop_assert!(body["error"]["message"].is_string());
            }
        }
    }

    #[test]
    fn ids_are_echoed(text in ".{0,40}", number: i64) {
        for id in [json!(text), json!(number)] {
            let message = json!({ "jsonrpc": "2.0", "id": id, "method": "x" }).to_string();
            let Ok(Frame::One(Message::Request(request))) = parse(message.as_bytes()) else {
                return Err(TestCaseError::fail(message));
            };
            let empty = Answer::Written(b"{}".to_vec());
            let mut answer = Vec::new();
            respond::success(&mut answer, &request.id, &empty);
            prop_assert!(answer.len() <= respond::success_size(&request.id, &empty));
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            prop_assert_eq!(&answer["id"], &id);
        }
    }

    #[test]
    fn a_result_is_no_larger_than_it_says(text in ".{0,40}", structured in json_value()) {
        let outcome = Outcome {
            is_error: false,
            content: Content::Value {
                structured: Some(crate::fake::raw(&structured.to_string()).into()),
                text: text.repeat(50).into(),
            },
        };
        let completed = Completed { result: Ok(outcome), usage: None };
        let answer = Answer::Called(completed, Shape::of(Revision::V2026_07_28));
        let mut written = Vec::new();
        answer.write(&mut written);
        prop_assert!(written.len() <= answer.size());
        prop_assert!(written.len() + 640 >= answer.size(), "nor much smaller");
    }

    #[test]
    fn a_token_with_any_bit_flipped_is_refused(bit in 0usize..(58 * 8), revision in 0usize..3) {
        let sessions = Sessions::new(SessionKey::random(), Duration::from_secs(60));
        let revision = Revision::ALL[revision];
        let token = sessions.open(&me(), revision, ClientCapabilities::default());
        prop_assert_eq!(sessions.verify(&me(), &token).unwrap().revision, revision);
        let codec = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let mut bytes = codec.decode(&token).unwrap();
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(sessions.verify(&me(), &codec.encode(bytes)).is_err());
    }

    #[test]
    fn no_text_is_a_token(text in ".{0,100}") {
        let sessions = Sessions::new(SessionKey::random(), Duration::from_secs(60));
        prop_assert!(sessions.verify(&me(), &text).is_err());
    }
}

#[test]
fn a_token_is_visible_ascii_and_never_the_same() {
    let sessions = Sessions::new(SessionKey::random(), Duration::from_secs(60));
    let (one, two) = (
        sessions.open(&me(), Revision::V2025_11_25, ClientCapabilities::default()),
        sessions.open(&me(), Revision::V2025_11_25, ClientCapabilities::default()),
    );
    assert_ne!(one, two);
    assert!(one.bytes().all(|byte| byte.is_ascii_graphic()));
}

#[test]
fn a_token_is_good_for_whom_it_was_issued_to() {
    let sessions = Sessions::new(SessionKey::random(), Duration::from_secs(60));
    let (ann, ben) = (Principal::owner("ann", Servers::All), Principal::owner("ben", Servers::All));
    let token = sessions.open(&ann, Revision::V2025_11_25, ClientCapabilities::default());
    assert!(sessions.verify(&ann, &token).is_ok());
    for other in [ben, Principal::local(), Principal::owner("", Servers::All)] {
        assert!(sessions.verify(&other, &token).is_err(), "{other}");
    }
}

#[test]
fn an_expired_token_is_refused() {
    let sessions = Sessions::new(SessionKey::random(), Duration::ZERO);
    let error = sessions
        .verify(&me(), &sessions.open(&me(), Revision::V2025_11_25, ClientCapabilities::default()))
        .unwrap_err();
    assert!(error.to_string().contains("expired"), "{error}");
}

#[test]
fn an_ended_session_is_refused_and_others_go_on() {
    let sessions = Sessions::new(SessionKey::random(), Duration::from_secs(60));
    let (one, two) = (
        sessions.open(&me(), Revision::V2025_11_25, ClientCapabilities::default()),
        sessions.open(&me(), Revision::V2025_11_25, ClientCapabilities::default()),
    );
    sessions.end(sessions.verify(&me(), &one).unwrap());
    assert!(sessions.verify(&me(), &one).unwrap_err().to_string().contains("ended"));
    assert!(sessions.verify(&me(), &two).is_ok());
}

#[test]
fn spellings_of_one_id_are_one_id() {
    let id = |text: &str| Id::parse(&crate::fake::raw(text)).unwrap();
    assert_eq!(id(r#""a""#), id(r#""\u0061""#));
    assert_ne!(id("1"), id(r#""1""#));
    for text in ["null", "1.0", "1e3", "[]", "{}", "true"] {
        assert!(Id::parse(&crate::fake::raw(text)).is_err(), "{text}");
    }
    assert!(Id::parse(&crate::fake::raw(&format!("\"{}\"", "x".repeat(2000)))).is_err());
}

#[test]
fn versions_are_negotiated_down_to_what_has_sessions() {
    for revision in &Revision::ALL[..3] {
        assert_eq!(Revision::negotiate(revision.as_str()), *revision);
    }
    for wish in ["2024-11-05", "2026-07-28", "x", ""] {
        assert_eq!(Revision::negotiate(wish), Revision::V2025_11_25);
    }
}

#[test]
fn the_era_follows_from_header_and_meta() {
    let meta = |version: Option<&str>| {
        let mut meta = json!({ "io.modelcontextprotocol/clientCapabilities": {} });
        if let Some(version) = version {
            meta["io.modelcontextprotocol/protocolVersion"] = version.into();
        }
        crate::fake::raw(&json!({ "_meta": meta }).to_string())
    };
    let http = |header, version| {
        let raw = meta(version);
        over_http(header, Params::parse(Some(&raw)).unwrap().meta().unwrap())
    };
    let stdio = |version| {
        let raw = meta(version);
        over_stdio(Params::parse(Some(&raw)).unwrap().meta().unwrap())
    };
    let new = Era::Stateless(Revision::V2026_07_28);
    let old = Era::Session(Some(Revision::V2025_11_25));
    assert_eq!(http(Some("2026-07-28"), Some("2026-07-28")).unwrap(), new);
    assert_eq!(http(Some("2025-11-25"), None).unwrap(), old);
    assert_eq!(http(None, None).unwrap(), Era::Session(None));
    assert!(matches!(http(None, Some("2026-07-28")), Err(Error::HeaderMismatch(_))));
    assert!(matches!(http(Some("2026-07-28"), None), Err(Error::Malformed(_))));
    assert!(matches!(http(Some("2025-11-25"), Some("2026-07-28")), Err(Error::HeaderMismatch(_))));
    assert!(matches!(http(Some("x"), Some("x")), Err(Error::UnsupportedVersion(_))));
    assert!(matches!(http(Some("x"), None), Err(Error::UnsupportedVersion(_))));
    assert_eq!(stdio(Some("2026-07-28")).unwrap(), new);
    assert_eq!(stdio(None).unwrap(), Era::Session(None));
    assert!(matches!(stdio(Some("x")), Err(Error::UnsupportedVersion(_))));
}

#[test]
fn mirrored_headers_are_compared_after_decoding() {
    let raw = crate::fake::raw(r#"{"name":"grüße"}"#);
    let params = Params::parse(Some(&raw)).unwrap();
    let check = |name: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("mcp-method", "tools/call".parse().unwrap());
        headers.insert("mcp-name", name.parse().unwrap());
        headers::check(&headers, "tools/call", &params)
    };
    assert!(check("=?base64?Z3LDvMOfZQ==?=").is_ok());
    assert!(check("=?base64?Z3LDvMOfZQ?=").is_err(), "padding is part of the encoding");
    assert!(check("gruesse").is_err());
}

#[tokio::test]
async fn a_request_in_flight_is_cancelled_by_its_key_only() {
    let flight = std::sync::Arc::new(Flight::default());
    let running = {
        let flight = std::sync::Arc::clone(&flight);
        tokio::spawn(async move { flight.run(1, std::future::pending::<Result<(), Error>>()).await })
    };
    tokio::task::yield_now().await;
    flight.cancel(&2);
    assert_eq!(flight.run(2, async { Ok(5) }).await.unwrap(), 5);
    let second = flight.run(1, async { Ok(7) }).await;
    assert!(matches!(second, Err(Error::InvalidRequest(_))), "it could not be told from the first");
    flight.cancel(&1);
    assert!(matches!(running.await.unwrap(), Err(Error::Cancelled)));
    assert_eq!(flight.run(1, async { Ok(6) }).await.unwrap(), 6, "the id is free again");
}

#[test]
fn constants_are_json() {
    let info: Value = serde_json::from_str(SERVER_INFO).unwrap();
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    let supported: Vec<String> = serde_json::from_str(super::revision::SUPPORTED).unwrap();
    let mut all: Vec<&str> = Revision::ALL.iter().map(|revision| revision.as_str()).collect();
    all.reverse();
    assert_eq!(supported, all);
}
