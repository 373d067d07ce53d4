//! A reader of events as the HTML standard has it ("Interpreting an event stream"), and what is written read by it.

use proptest::prelude::*;

use crate::transport::http::reply;

/// What is dispatched, with the last id as of then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) id: String,
    kind: String,
    pub(super) data: String,
}

/// The events of a stream, but for one that has not ended.
pub(super) fn read(text: &str) -> Vec<Event> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut events, mut event, mut has_data) = (Vec::new(), Event::default(), false);
    for line in lines(text) {
        if line.is_empty() {
            if has_data {
                event.data.pop();
                events.push(event.clone());
            }
            event = Event { id: event.id, ..Event::default() };
            has_data = false;
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut event.kind),
            "data" => {
                event.data += value;
                event.data.push('\n');
                has_data = true;
            }
            "id" if !value.contains('\0') => value.clone_into(&mut event.id),
            _ => {}
        }
    }
    events
}

/// Lines that have ended: by CR LF, LF or CR.
fn lines(mut text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    while let Some(end) = text.find(['\r', '\n']) {
        lines.push(&text[..end]);
        let is_pair = text[end..].starts_with("\r\n");
        text = &text[end + if is_pair { 2 } else { 1 }..];
    }
    lines
}

#[test]
fn the_reader_does_as_the_standard_says() {
    let text =
        "\u{feff}: comment\r\rdata:  two\rdata:lines\nid\nid: 7\r\n\r\nevent: x\n\ndata\n\nid: 8\ndata: cut";
    let event = |id: &str, data: &str| Event { id: id.into(), kind: String::new(), data: data.into() };
    assert_eq!(read(text), [event("7", " two\nlines"), event("7", "")]);
}

/// JSON text as servers may write it: white space of any kind between its tokens, any characters in strings.
fn json() -> impl Strategy<Value = String> {
    let space = || "[ \\t\\r\\n]{0,3}".boxed();
    let text = any::<String>().prop_map(|text| serde_json::Value::from(text).to_string());
    let leaf = prop_oneof![text, "-?[1-9][0-9]{0,20}(\\.[0-9]{1,9})?", Just("null".to_owned())];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        let member = (any::<String>(), space(), space(), inner).prop_map(|(name, a, b, value)| {
            let name = serde_json::Value::from(name);
            format!("{a}{name}{b}:{value}")
        });
        let members = proptest::collection::vec(member, 0..5);
        (space(), members, space()).prop_map(|(a, members, b)| format!("{a}{{{}{b}}}{a}", members.join(",")))
    })
}

/// The same text but for its line ends, which are white space.
fn on_one_line(json: &str) -> String {
    json.replace(['\r', '\n'], " ")
}

proptest! {
    #[test]
    fn what_is_written_as_events_is_read_as_it_was(
        messages in proptest::collection::vec(json(), 1..5),
        id in "[!-~]{1,60}",
    ) {
        let mut stream = Vec::new();
        for message in &messages {
            stream.extend(reply::event_of(&id, message.as_bytes()));
            stream.extend_from_slice(b":\n\n");
        }
        let read = read(std::str::from_utf8(&stream).unwrap());
        prop_assert_eq!(read.len(), messages.len());
        for (event, message) in read.iter().zip(&messages) {
            prop_assert_eq!(&event.data, &on_one_line(message));
            prop_assert_eq!((&*event.kind, &event.id), ("message", &id));
            let values = [&event.data, message].map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap());
            prop_assert_eq!(&values[0], &values[1]);
        }
    }

    #[test]
    fn one_without_an_id_leaves_the_id_as_it_is_and_one_without_data_sets_it(message in json(), id in "[!-~]{1,60}") {
        let mut stream = reply::priming(&id);
        reply::event(&mut stream, |out| out.extend_from_slice(message.as_bytes()));
        let read = read(std::str::from_utf8(&stream).unwrap());
        prop_assert_eq!(read.iter().map(|event| &*event.id).collect::<Vec<_>>(), [&*id, &*id]);
        prop_assert_eq!(&*read[0].data, "");
        prop_assert_eq!(&read[1].data, &on_one_line(&message));
    }
}
