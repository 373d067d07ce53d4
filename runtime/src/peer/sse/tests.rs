#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use proptest::prelude::*;

use super::*;

fn event(name: &str, data: &str) -> Event {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    Event { name: bytes(name), data: bytes(data) }
}

fn all(events: &mut Events) -> Vec<Event> {
    std::iter::from_fn(|| events.event().unwrap()).collect()
}

fn read(stream: &str) -> Vec<Event> {
    let mut events = Events::up_to(1024);
    events.push(stream.as_bytes());
    all(&mut events)
}

#[test]
fn an_event_is_what_the_standard_says() {
    for (stream, expected) in [
        ("data: one\n\n", vec![event("message", "one")]),
        ("data:YHOO\ndata: +2\ndata\n\n", vec![event("message", "YHOO\n+2\n")]),
        (": comment\n\ndata: a\nid: 1\n\ndata:b\nid\n\n", vec![event("message", "a"), event("message", "b")]),
        ("data\n\ndata\ndata\n\ndata:", vec![event("message", ""), event("message", "\n")]),
        ("data:test\n\ndata: test\n\n", vec![event("message", "test"), event("message", "test")]),
        ("data:  two\r\n\r\nevent: x\rdata: y\r\r", vec![event("message", " two"), event("x", "y")]),
        ("event: gone\n\ndata: a\n\n", vec![event("message", "a")]),
        ("\u{feff}data: a\n\n", vec![event("message", "a")]),
        ("data: a\n\n\u{feff}data: b\n\n", vec![event("message", "a")]),
        ("other: a\nDATA: b\ndata : c\n\n", vec![]),
        ("data: never ended\n", vec![]),
    ] {
        assert_eq!(read(stream), expected, "{stream:?}");
    }
}

#[test]
fn an_id_and_a_time_to_wait_outlive_their_event() {
    let mut events = Events::up_to(1024);
    assert_eq!((events.last_id(), events.retry()), (&b""[..], None));
    events.push(b"id: 7\nretry: 1500\ndata:\n\ndata: a\n\n");
    assert_eq!(all(&mut events), [event("message", ""), event("message", "a")]);
    assert_eq!((events.last_id(), events.retry()), (&b"7"[..], Some(Duration::from_millis(1500))));
    events.push(b"id: a\0b\nretry: -1\nretry: 1s\nretry\nretry: 99999999999999999999999\n\n");
    assert_eq!(all(&mut events), []);
    assert_eq!((events.last_id(), events.retry()), (&b"7"[..], Some(Duration::from_millis(1500))));
}

#[test]
fn an_event_that_never_ends_is_told_before_it_fills_memory() {
    let mut events = Events::up_to(8);
    events.push(b"data: ab");
    assert_eq!(events.event(), Ok(None));
    events.push(b"c");
    assert_eq!(events.event(), Err(TooLong { limit: 8 }));
    let mut events = Events::up_to(8);
    events.push(b"data:12345678\n");
    assert_eq!(events.event(), Err(TooLong { limit: 8 }), "a line");
    let mut events = Events::up_to(8);
    events.push(b"data:1\ndata:\ndata:\ndata:\ndata:\n");
    assert_eq!(events.event(), Err(TooLong { limit: 8 }), "many lines");
}

#[test]
fn names_and_ids_fill_no_memory() {
    let mut events = Events::up_to(1024 * 1024);
    let long = "x".repeat(100_000);
    events.push(format!("id: 1\nid: {long}\nevent: {long}\ndata: a\n\n").as_bytes());
    let event = events.event().unwrap().unwrap();
    assert_eq!((event.name.len(), event.is_message(), events.last_id()), (MAX_WORD, false, &b"1"[..]));
}

#[test]
fn what_tells_nothing_may_go_on() {
    let mut events = Events::up_to(16);
    for _ in 0..1000 {
        events.push(b": still there\n\nid: 1\nevent: a\n\n");
        assert_eq!(events.event(), Ok(None));
        assert!(events.buffer.len() <= 16);
    }
}

/// The standard, word by word, of a stream that is whole.
fn plainly(stream: &[u8]) -> Vec<Event> {
    let text = stream.strip_prefix(MARK).unwrap_or(stream);
    let text: String = text.iter().map(|&byte| char::from(byte)).collect();
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let bytes = |text: &str| text.chars().map(|char| u8::try_from(char).unwrap()).collect::<Bytes>();
    let (mut found, mut name, mut data) = (Vec::new(), String::new(), String::new());
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        if line.is_empty() {
            if let Some(data) = data.strip_suffix('\n') {
                let name = if name.is_empty() { "message" } else { &name };
                found.push(Event { name: bytes(name), data: bytes(data) });
            }
            (name, data) = (String::new(), String::new());
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => data += &format!("{value}\n"),
            "event" => name = value.to_owned(),
            _ => {}
        }
    }
    found
}

/// Streams of what matters to a reader, and of anything.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        8 => prop::sample::select(vec!["data", "event", "id", "retry", ":", " ", "\n", "\r", "\r\n", "\u{feff}"])
            .prop_map(|part| part.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn events_are_those_of_the_standard_however_their_bytes_come(
        stream in streams(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let mut events = Events::up_to(stream.len());
        let mut found = Vec::new();
        for cut in cuts.windows(2) {
            events.push(&stream[cut[0]..cut[1]]);
            found.extend(all(&mut events));
        }
        prop_assert_eq!(found, plainly(&stream));
    }

    #[test]
    fn what_is_sent_as_an_event_is_read(lines in prop::collection::vec("[^\r\n]{0,20}", 1..5), name in "[a-z]{1,9}") {
        let data: String = lines.iter().map(|line| format!("data: {line}\n")).collect();
        let found = read(&format!("event: {name}\n{data}\n"));
        prop_assert_eq!(found, [event(&name, &lines.join("\n"))]);
    }

    #[test]
    fn no_more_is_held_than_the_limit(stream in streams(), limit in 0..40_usize, step in 1..9_usize) {
        let mut events = Events::up_to(limit);
        for bytes in stream.chunks(step) {
            events.push(bytes);
            loop {
                match events.event() {
                    Err(_) => return Ok(()),
                    Ok(Some(event)) => prop_assert!(event.data.len() <= limit),
                    Ok(None) => break,
                }
            }
            prop_assert!(events.buffer.len() + events.data.len() <= limit.max(MARK.len()));
        }
    }
}
