//! Ids of events: which stream, and which of its events.
//!
//! The stream's part is random, so that nobody guesses one; whose it is the store knows.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What names a stream.
pub(super) type StreamId = [u8; 16];

/// Characters of a stream's name.
const NAME: usize = 22;

/// What tells an id of a call's stream from others.
const KIND: &str = "c";

/// The place in a stream after one of its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct EventId {
    pub(super) stream: StreamId,
    /// The first event has 1.
    pub(super) number: u64,
    /// Which connection's, where it is an event without data, with which each begins; so no id comes twice.
    pub(super) connection: Option<u64>,
}

impl EventId {
    /// Reads one; `None` if it is none of a call's stream.
    pub(in super::super) fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.strip_prefix(KIND)?.split_at_checked(NAME)?;
        let rest = rest.strip_prefix('-')?;
        let (number, connection) = match rest.split_once('-') {
            Some((number, connection)) => (number, Some(digits(connection)?)),
            None => (rest, None),
        };
        let stream = URL_SAFE_NO_PAD.decode(name).ok()?.try_into().ok()?;
        Some(Self { stream, number: digits(number)?, connection })
    }
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{KIND}{}-{}", URL_SAFE_NO_PAD.encode(self.stream), self.number)?;
        self.connection.map_or(Ok(()), |connection| write!(f, "-{connection}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_that_is_written_reads_as_itself(
            stream: StreamId,
            number: u64,
            connection in proptest::option::of(any::<u64>()),
        ) {
            let id = EventId { stream, number, connection };
            prop_assert_eq!(EventId::parse(&id.to_string()), Some(id));
        }

        #[test]
        fn whatever_a_client_sends_in_its_place_is_none_and_no_panic(text in "c?.{0,60}|\\PC*") {
            if let Some(id) = EventId::parse(&text) {
                prop_assert_eq!(EventId::parse(&id.to_string()), Some(id));
            }
        }
    }
}
