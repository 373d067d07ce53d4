//! How far the client of a session has heard of changes, as an id of the event that told it last.
//!
//! Such an id says all that is needed to go on: what the lists were, by their fingerprints, and which updates of
//! resources were told. So nothing is kept for a client that is away, for however long, and any replica goes on. It is
//! sealed as the state of a round is, for that session, caller and endpoint, and no two are the same.

use super::answer::Context;
use super::round::{self, Binding};
use super::session::{SessionId, SessionKey};
use super::updates::Heard;

/// What tells an id of a session's own stream from others.
const KIND: &str = "s";

/// Longest id; longer input is not looked at.
const MAX_ID: usize = 256;

/// Lists that are told of.
pub const LISTS: usize = 4;

/// What names a connection to such a stream.
pub type StreamId = [u8; 8];

/// A list that there is none of, and one whose change is yet to be told. No fingerprint is either, but by a chance of
/// one in 2^63.
const NONE: [u8; 8] = [0; 8];
const UNTOLD: [u8; 8] = [u8::MAX; 8];

/// How far a client has heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What each list was.
    pub lists: [Option<[u8; 8]>; LISTS],
    /// What was told of resources.
    pub updates: Heard,
}

impl Place {
    /// A list whose change its client has not been told of.
    #[must_use]
    pub fn untold() -> Option<[u8; 8]> {
        Some(UNTOLD)
    }

    fn bytes(&self, stream: StreamId) -> Vec<u8> {
        let updates = [self.updates.process, self.updates.number].map(u64::to_be_bytes);
        let lists = self.lists.map(|list| list.unwrap_or(NONE));
        [stream].iter().chain(&updates).chain(&lists).flatten().copied().collect()
    }

    fn read(bytes: &[u8]) -> Option<(StreamId, Self)> {
        let (parts, []) = bytes.as_chunks::<8>() else { return None };
        let [stream, process, number, lists @ ..] = parts else { return None };
        let [process, number] = [process, number].map(|bytes| u64::from_be_bytes(*bytes));
        let lists = <[[u8; 8]; LISTS]>::try_from(lists).ok()?;
        let lists = lists.map(|list| (list != NONE).then_some(list));
        Some((*stream, Self { lists, updates: Heard { process, number } }))
    }
}

/// Writes and reads the ids of one session's stream.
#[derive(Clone, Copy, Debug)]
pub struct Ids(Binding);

impl Ids {
    /// Those of a session at an endpoint.
    #[must_use]
    pub fn of(context: &Context, session: SessionId) -> Self {
        Self(Binding::of_stream(&context.principal, &context.view, session))
    }

    /// The id of an event after which its client is there.
    #[must_use]
    pub fn write(self, key: &SessionKey, stream: StreamId, place: &Place) -> String {
        format!("{KIND}{}", round::seal_for_good(key, self.0, &place.bytes(stream)))
    }

    /// Which connection an id is of, and where its client is; `None` for what is none of this session here.
    #[must_use]
    pub fn read(self, key: &SessionKey, id: &str) -> Option<(StreamId, Place)> {
        let sealed = id.strip_prefix(KIND).filter(|sealed| sealed.len() <= MAX_ID)?;
        Place::read(&round::unsealed(key, self.0, sealed)?.1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::auth::Principal;
    use crate::catalog::View;

    fn ids(view: View, session: u8) -> Ids {
        Ids::of(&Context { principal: Principal::local(), view }, [session; 16])
    }

    proptest! {
        #[test]
        fn an_id_says_where_its_client_is_to_its_own_session_alone(
            stream: StreamId,
            lists: [Option<[u8; 8]>; LISTS],
            numbers: [u64; 2],
            flipped in 1_usize..100,
        ) {
            prop_assume!(!lists.contains(&Some(NONE)));
            let place = Place { lists, updates: Heard { process: numbers[0], number: numbers[1] } };
            let key = SessionKey::random();
            let own = ids(View::All, 1);
            let id = own.write(&key, stream, &place);
            prop_assert!(id.len() <= MAX_ID);
            prop_assert_eq!(own.read(&key, &id), Some((stream, place)));
            prop_assert_ne!(own.write(&key, stream, &place), id.clone(), "no two are the same");
            for other in [ids(View::All, 2), ids(View::One("a".into()), 1)] {
                prop_assert_eq!(other.read(&key, &id), None);
            }
            prop_assert_eq!(own.read(&SessionKey::random(), &id), None);
            let mut changed = id.into_bytes();
            changed[flipped] = if changed[flipped] == b'A' { b'B' } else { b'A' };
            prop_assert_eq!(own.read(&key, &String::from_utf8(changed).unwrap()), None);
        }

        #[test]
        fn what_is_no_id_is_none_and_no_panic(text in "s?.{0,300}") {
            prop_assert_eq!(ids(View::All, 1).read(&SessionKey::random(), &text), None);
        }
    }
}
