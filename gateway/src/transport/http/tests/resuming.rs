//! Streams of sessions that their clients go on with after a connection broke.

use super::listening::{Stream, get};
use super::notices::start_telling;
use super::sse::Event;
use super::*;
use crate::fake::Does;

/// A session of that revision.
async fn session(served: &Served, revision: &str) -> String {
    let info = json!({ "name": "test", "version": "0" });
    let params = json!({ "protocolVersion": revision, "capabilities": {}, "clientInfo": info });
    let answer = Ask::post(&request(0, "initialize", params)).send(served).await;
    answer.header("mcp-session-id").unwrap().to_owned()
}

/// A call in it that tells how far it is.
fn telling(token: &str, id: u32) -> Ask {
    let params = json!({ "name": "fake__tell", "_meta": { "progressToken": id } });
    Ask::post(&request(id, "tools/call", params)).header("mcp-session-id", token)
}

fn resume(token: &str, last: &str) -> Ask {
    get("/mcp", token).header("last-event-id", last).without("mcp-protocol-version")
}

/// Reads a stream until it has so many events, and breaks the connection.
async fn broken_after(served: &Served, ask: &Ask, events: usize) -> Vec<Event> {
    let stream = Stream::of(served, ask).await;
    until("events", || stream.events().len() >= events).await;
    stream.events()
}

/// Events with data.
fn messages(events: &[Event]) -> Vec<Event> {
    events.iter().filter(|event| !event.data.is_empty()).cloned().collect()
}

fn ends_with_answer(events: &[Event], id: u32) -> bool {
    let last = events.last().and_then(|event| serde_json::from_str::<Value>(&event.data).ok());
    last.is_some_and(|last| last["id"] == id && last["result"]["content"][0]["text"] == "told")
}

fn short() -> HttpSettings {
    HttpSettings { resume: Duration::from_millis(200), ..HttpSettings::default() }
}

#[tokio::test]
async fn a_client_whose_connection_broke_gets_what_it_missed_once() {
    for revision in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let served = start_telling(6, HttpSettings::default()).await;
        let token = session(&served, revision).await;
        let before = messages(&broken_after(&served, &telling(&token, 1), 3).await);
        // As if the last of them had been lost.
        let last = &before[before.len() - 2].id;
        let stream = Stream::of(&served, &resume(&token, last)).await;
        until("the end", || stream.ended.load(Ordering::SeqCst)).await;
        let after = messages(&stream.events());
        assert_eq!(after[0], before[before.len() - 1], "what was lost comes again");
        assert_eq!(before.len() - 1 + after.len(), 7, "{revision}: {before:?} {after:?}");
        assert!(ends_with_answer(&after, 1), "{after:?}");
        let mut ids: Vec<_> =
            before[..before.len() - 1].iter().chain(&after).map(|event| &event.id).collect();
        ids.dedup();
        assert_eq!(ids.len(), 7, "each has its own id");
        assert_eq!(served.fake.begun.load(Ordering::SeqCst), 1, "one call");
    }
}

#[tokio::test]
async fn the_answer_waits_for_a_client_that_is_away_and_nothing_comes_after_it() {
    let served = start_telling(3, HttpSettings::default()).await;
    let token = session(&served, "2025-06-18").await;
    let before = broken_after(&served, &telling(&token, 1), 1).await;
    until("the end of the call", || served.fake.ended.load(Ordering::SeqCst) == 1).await;
    for _ in 0..2 {
        let stream = Stream::of(&served, &resume(&token, &before[0].id)).await;
        until("the end", || stream.ended.load(Ordering::SeqCst)).await;
        let after = stream.events();
        assert!(after.len() == 3 && ends_with_answer(&after, 1), "{after:?}");
        let nothing = resume(&token, &after[2].id).send(&served).await;
        assert_eq!((nothing.status, &*nothing.body), (204, ""));
    }
}

#[tokio::test]
async fn who_does_not_come_back_in_time_gives_up_its_call() {
    let served = start_telling(30, short()).await;
    let token = session(&served, "2025-06-18").await;
    let before = broken_after(&served, &telling(&token, 1), 1).await;
    assert_eq!(served.fake.ended.load(Ordering::SeqCst), 0);
    until("the end of the call", || served.fake.ended.load(Ordering::SeqCst) == 1).await;
    let late = resume(&token, &before[0].id).send(&served).await;
    assert_eq!((late.status, late.code()), (400, -32600), "{late:?}");
}

#[tokio::test]
async fn while_a_client_reads_its_call_is_not_given_up() {
    let served = start_telling(6, short()).await;
    let token = session(&served, "2025-06-18").await;
    let before = broken_after(&served, &telling(&token, 1), 1).await;
    let stream = Stream::of(&served, &resume(&token, &before[0].id)).await;
    until("the end", || stream.ended.load(Ordering::SeqCst)).await;
    assert!(ends_with_answer(&stream.events(), 1));
}

#[tokio::test]
async fn an_id_is_of_use_in_its_own_session_and_at_its_own_endpoint_alone() {
    let served = start_telling(30, HttpSettings::default()).await;
    let token = session(&served, "2025-06-18").await;
    let other = session(&served, "2025-06-18").await;
    let before = broken_after(&served, &telling(&token, 1), 1).await;
    let id = &before[0].id;
    let guessed = format!("c{}-1", "A".repeat(22));
    let never_sent = format!("{}-99", id.split('-').next().unwrap());
    let refused = [
        resume(&other, id),
        resume(&token, id).at("/mcp/fake"),
        resume(&token, &guessed),
        resume(&token, &never_sent),
        resume(&token, "7"),
        resume(&token, &"x".repeat(4000)),
        resume(&token, "c\u{e4}"),
    ];
    for ask in refused {
        let answer = ask.send(&served).await;
        assert_eq!((answer.status, answer.code() < 0), (400, true), "{ask:?} {answer:?}");
    }
    assert_eq!(resume("none", id).send(&served).await.status, 404, "no session");
    let modern = resume(&token, id).header("mcp-protocol-version", "2026-07-28");
    assert_eq!(modern.send(&served).await.status, 405);
    let stream = Stream::of(&served, &resume(&token, id)).await;
    until("the rest", || !stream.events().is_empty()).await;
}

#[tokio::test]
async fn a_key_that_opens_other_servers_goes_on_with_nothing_of_another() {
    use crate::auth::{ApiKey, Callers, Key, Servers};
    let keys = [ApiKey::generate().unwrap(), ApiKey::generate().unwrap()];
    let of = |key: &ApiKey, name: &str, servers| Key {
        name: name.to_owned(),
        hash: key.hash(),
        owner: "ann".to_owned(),
        servers,
    };
    let known = [of(&keys[0], "all", Servers::All), of(&keys[1], "none", Servers::only(["other"]))];
    let callers = Callers::of(&known);
    let served = start_telling(30, HttpSettings { callers, ..HttpSettings::default() }).await;
    let by = |key: &ApiKey, ask: Ask| ask.header("authorization", &format!("Bearer {}", key.expose()));
    let info = json!({ "name": "test", "version": "0" });
    let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info });
    let opened = by(&keys[0], Ask::post(&request(0, "initialize", params))).send(&served).await;
    let token = opened.header("mcp-session-id").unwrap();
    let before = broken_after(&served, &by(&keys[0], telling(token, 1)), 1).await;
    let refused = by(&keys[1], resume(token, &before[0].id)).send(&served).await;
    assert_eq!((refused.status, refused.code()), (400, -32600), "{refused:?}");
    Stream::of(&served, &by(&keys[0], resume(token, &before[0].id))).await;
}

#[tokio::test]
async fn streams_of_one_session_do_not_mix() {
    let served = start_telling(6, HttpSettings::default()).await;
    let token = session(&served, "2025-06-18").await;
    let calls = [telling(&token, 1), telling(&token, 2)];
    let (one, two) = tokio::join!(broken_after(&served, &calls[0], 1), broken_after(&served, &calls[1], 2));
    for (before, id) in [(one, 1), (two, 2)] {
        let stream = Stream::of(&served, &resume(&token, &before.last().unwrap().id)).await;
        until("the end", || stream.ended.load(Ordering::SeqCst)).await;
        let after = stream.events();
        assert!(before.len() + after.len() == 7 && ends_with_answer(&after, id), "{before:?} {after:?}");
        let of_it = format!("\"progressToken\":{id},");
        assert!(after[..after.len() - 1].iter().all(|event| event.data.contains(&of_it)), "{after:?}");
    }
}

#[tokio::test]
async fn a_connection_that_goes_on_with_a_stream_takes_the_place_of_the_one_before() {
    let served = start_telling(6, HttpSettings::default()).await;
    let token = session(&served, "2025-06-18").await;
    let first = Stream::of(&served, &telling(&token, 1)).await;
    until("an event", || !first.events().is_empty()).await;
    let second = Stream::of(&served, &resume(&token, &first.events()[0].id)).await;
    until("the end of the first", || first.ended.load(Ordering::SeqCst)).await;
    until("the end of the second", || second.ended.load(Ordering::SeqCst)).await;
    assert!(first.events().len() < 7 && !ends_with_answer(&first.events(), 1));
    assert!(second.events().len() == 6 && ends_with_answer(&second.events(), 1), "{:?}", second.events());
}

#[tokio::test]
async fn a_stream_begins_with_an_event_without_data_in_the_revision_that_has_them() {
    let served = start_telling(2, HttpSettings::default()).await;
    let token = session(&served, "2025-11-25").await;
    let stream = Stream::of(&served, &telling(&token, 1)).await;
    until("the end", || stream.ended.load(Ordering::SeqCst)).await;
    let events = stream.events();
    assert_eq!((events.len(), &*events[0].data), (4, ""), "{events:?}");
    let again = Stream::of(&served, &resume(&token, &events[0].id)).await;
    until("the end", || again.ended.load(Ordering::SeqCst)).await;
    let again = again.events();
    assert_eq!(messages(&again), events[1..], "all from the start");
    assert!(again[0].data.is_empty() && again[0].id != events[0].id, "{again:?}");
    let old = session(&served, "2025-06-18").await;
    let answer = telling(&old, 1).send(&served).await;
    assert!(answer.body.contains("id: ") && !answer.body.contains("data:\n"), "{answer:?}");
}

#[tokio::test]
async fn without_a_session_a_stream_has_no_ids() {
    let served = start_telling(2, HttpSettings::default()).await;
    let mut ask = call("fake__tell");
    let mut body: Value = serde_json::from_slice(&ask.body).unwrap();
    body["params"]["_meta"]["progressToken"] = json!(1);
    ask.body = body.to_string().into_bytes();
    let answer = ask.send(&served).await;
    assert!(answer.body.contains("event: message") && !answer.body.contains("id: "), "{answer:?}");
}

#[tokio::test]
async fn what_takes_its_time_becomes_a_stream_and_what_is_quick_does_not() {
    let settings = HttpSettings { primed_after: Duration::from_millis(100), ..HttpSettings::default() };
    let tools = [("slow", Does::Sleep(Duration::from_millis(700))), ("echo", Does::Echo)];
    let (gateway, fake) = fake::gateway_of(&tools);
    let served = start_gateway(gateway, fake, settings).await;
    let of = |token: &str, tool: &str| {
        let ask = Ask::post(&request(1, "tools/call", json!({ "name": tool, "arguments": {} })));
        ask.header("mcp-session-id", token)
    };
    let token = session(&served, "2025-11-25").await;
    let quick = of(&token, "fake__echo").send(&served).await;
    assert_eq!(quick.header("content-type"), Some("application/json"));
    let events = broken_after(&served, &of(&token, "fake__slow"), 1).await;
    assert_eq!((events.len(), &*events[0].data), (1, ""));
    let stream = Stream::of(&served, &resume(&token, &events[0].id)).await;
    until("the end", || stream.ended.load(Ordering::SeqCst)).await;
    assert_eq!(stream.messages().pop().unwrap()["result"]["content"][0]["text"], "slept");
    for (token, accept) in [
        (&token, "application/json"),
        (&session(&served, "2025-06-18").await, "application/json, text/event-stream"),
    ] {
        let answer = of(token, "fake__slow").header("accept", accept).send(&served).await;
        assert_eq!(answer.json()["result"]["content"][0]["text"], "slept", "{answer:?}");
    }
}

#[tokio::test]
async fn a_call_is_cancelled_and_ends_with_its_session_also_while_its_client_is_away() {
    let served = start_telling(30, HttpSettings::default()).await;
    let token = session(&served, "2025-06-18").await;
    let mut before = Vec::new();
    for id in [1, 2] {
        before.push(broken_after(&served, &telling(&token, id), 1).await);
    }
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } });
    assert_eq!(Ask::post(&cancel).header("mcp-session-id", &token).send(&served).await.status, 202);
    until("its end", || served.fake.ended.load(Ordering::SeqCst) == 1).await;
    let rest = resume(&token, &before[0].last().unwrap().id).send(&served).await;
    assert!([200, 204].contains(&rest.status) && !rest.body.contains("\"result\""), "{rest:?}");
    let end = Ask::new("DELETE", "/mcp").header("mcp-session-id", &token);
    assert_eq!(end.send(&served).await.status, 204);
    until("its end", || served.fake.ended.load(Ordering::SeqCst) == 2).await;
    assert_eq!(resume(&token, &before[1][0].id).send(&served).await.status, 404);
}

#[tokio::test]
async fn calls_whose_clients_are_away_do_not_hold_up_the_end_of_the_gateway() {
    let mut served = start_telling(30, HttpSettings::default()).await;
    let token = session(&served, "2025-06-18").await;
    broken_after(&served, &telling(&token, 1), 1).await;
    served.stop.take().unwrap().send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(3), served.done).await.unwrap().unwrap().unwrap();
    assert_eq!(served.fake.ended.load(Ordering::SeqCst), 1, "and are dropped");
}

#[tokio::test]
async fn a_session_keeps_so_many_streams_and_the_oldest_that_nobody_reads_is_gone_first() {
    let (gateway, fake) = fake::gateway_of(&[("tell", Does::Tell(1, Duration::ZERO))]);
    let served = start_gateway(gateway, fake, HttpSettings::default()).await;
    let token = session(&served, "2025-06-18").await;
    let mut firsts = Vec::new();
    for id in 0..65 {
        let stream = Stream::of(&served, &telling(&token, id)).await;
        until("the end", || stream.ended.load(Ordering::SeqCst)).await;
        firsts.push(stream.events()[0].id.clone());
    }
    assert_eq!(resume(&token, &firsts[0]).send(&served).await.status, 400);
    for last in &firsts[1..] {
        assert_eq!(resume(&token, last).send(&served).await.status, 200);
    }
}

#[tokio::test]
async fn where_there_is_no_room_for_a_stream_to_be_kept_its_call_is_answered_all_the_same() {
    let served = start_telling(2, HttpSettings { answers: 4096, ..HttpSettings::default() }).await;
    let token = session(&served, "2025-11-25").await;
    let answer = telling(&token, 1).send(&served).await;
    assert!(!answer.body.contains("id: ") && answer.body.contains("told"), "{answer:?}");
}
