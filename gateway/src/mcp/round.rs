//! What a server keeps from one round of a request to the next, in the hands of its client (spec: multi round-trip
//! requests, `requestState`).
//!
//! Sealed with ChaCha20-Poly1305 (RFC 8439): nobody else reads or changes it. It opens for the caller that it was made
//! for, for the same thing with the same arguments, and for an hour. Each is sealed with a key of its own, made from
//! that of the sessions and 16 random bytes, so every replica with that key opens it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest, Sha256};

use super::session::{SessionId, SessionKey};
use crate::auth::Principal;
use crate::catalog::{View, Wanted};
use crate::error::Error;

/// How long a client may take to answer. A user may be at lunch.
const TTL: Duration = Duration::from_secs(60 * 60);

/// The layout: version, expiry in seconds, salt, what is sealed, tag.
const VERSION: u8 = 1;
const HEAD: usize = 1 + 8 + SALT;
const SALT: usize = 16;

/// Longest encoded state; longer input is not even decoded.
const MAX_ENCODED: usize = 128 * 1024;

/// What a state belongs to: who asked for what, with which arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding([u8; 32]);

impl Binding {
    /// That of a request.
    #[must_use]
    pub fn of(principal: &Principal, view: &View, wanted: &Wanted, arguments: &str) -> Self {
        let parts = [principal.as_str(), &endpoint(view), wanted.method(), wanted.name(), arguments];
        Self::to(&parts.map(str::as_bytes))
    }

    /// That of the stream of a session.
    #[must_use]
    pub fn of_stream(principal: &Principal, view: &View, session: SessionId) -> Self {
        Self::to(&[principal.as_str().as_bytes(), endpoint(view).as_bytes(), &session])
    }

    fn to(parts: &[&[u8]]) -> Self {
        let mut digest = Sha256::new();
        // Each with its length, so that none can be taken for a part of another.
        for part in parts {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Self(digest.finalize().into())
    }
}

/// No server's name has a slash.
fn endpoint(view: &View) -> String {
    match view {
        View::All => String::new(),
        View::One(server) => server.to_string(),
        View::Profile(profile) => format!("profile/{profile}"),
    }
}

/// Seals a state.
///
/// # Panics
/// If the system has no random bytes.
#[must_use]
pub fn seal(key: &SessionKey, binding: Binding, state: &[u8]) -> String {
    seal_until(key, binding, state, now().saturating_add(TTL.as_secs()))
}

/// The same for what is of no use without something else that expires.
#[must_use]
pub(super) fn seal_for_good(key: &SessionKey, binding: Binding, state: &[u8]) -> String {
    seal_until(key, binding, state, u64::MAX)
}

fn seal_until(key: &SessionKey, binding: Binding, state: &[u8], expires: u64) -> String {
    let mut salt = [0; SALT];
    getrandom::fill(&mut salt).expect("the system has random bytes");
    let mut token = vec![VERSION];
    token.extend_from_slice(&expires.to_be_bytes());
    token.extend_from_slice(&salt);
    let aad = Aad::from(bound(&token, binding));
    let mut sealed = state.to_vec();
    let cipher = cipher(key, &salt);
    cipher.seal_in_place_append_tag(nonce(), aad, &mut sealed).expect("a state is short enough to be sealed");
    token.extend_from_slice(&sealed);
    URL_SAFE_NO_PAD.encode(token)
}

/// Opens a state that a client sends along with its answers.
///
/// # Errors
/// [`Error::InvalidParams`] where it was not given for this request, was changed, or has expired.
pub fn open(key: &SessionKey, binding: Binding, token: &str) -> Result<Vec<u8>, Error> {
    let foreign = || {
        let reason = "`requestState` was not given by this gateway for this request; ask again without it";
        Error::InvalidParams(reason.to_owned())
    };
    let (expires, state) = unsealed(key, binding, token).ok_or_else(foreign)?;
    if expires <= now() {
        return Err(Error::InvalidParams("`requestState` has expired; ask again without it".to_owned()));
    }
    Ok(state)
}

/// Opens it, with its expiry; `None` where it was not sealed for that.
pub(super) fn unsealed(key: &SessionKey, binding: Binding, token: &str) -> Option<(u64, Vec<u8>)> {
    if token.len() > MAX_ENCODED {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (head, sealed) = bytes.split_at_checked(HEAD)?;
    let (&[version], rest) = head.split_first_chunk()?;
    let (&expires, salt) = rest.split_first_chunk()?;
    (version == VERSION).then_some(())?;
    let mut sealed = sealed.to_vec();
    let aad = Aad::from(bound(head, binding));
    let opened = cipher(key, salt).open_in_place(nonce(), aad, &mut sealed).ok()?;
    Some((u64::from_be_bytes(expires), opened.to_vec()))
}

fn bound(head: &[u8], Binding(binding): Binding) -> Vec<u8> {
    [head, &binding].concat()
}

fn cipher(key: &SessionKey, salt: &[u8]) -> LessSafeKey {
    let key = key.derived(b"toolgate state\0", salt);
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).expect("the key has the cipher's length"))
}

/// No key seals twice.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;
    use crate::auth::Servers;

    fn binding(principal: &Principal, view: &View, tool: &str, arguments: &str) -> Binding {
        Binding::of(principal, view, &Wanted::Tool(tool.to_owned()), arguments)
    }

    fn ours() -> Binding {
        binding(&Principal::local(), &View::All, "a__b", "{}")
    }

    fn key() -> SessionKey {
        SessionKey::from_secret(b"a secret of enough bytes").unwrap()
    }

    #[test]
    fn every_replica_opens_what_one_has_sealed() {
        let token = seal(&key(), ours(), b"kept");
        assert_eq!(open(&key(), ours(), &token).unwrap(), b"kept");
        assert!(!token.contains("kept"));
        assert_ne!(token, seal(&key(), ours(), b"kept"), "two of one state tell nobody that they are");
    }

    #[test]
    fn it_opens_for_nobody_else_and_for_nothing_else() {
        let token = seal(&key(), ours(), b"kept");
        let local = Principal::local();
        let one = View::One("a".into());
        let prompt = Binding::of(&local, &View::All, &Wanted::Prompt("a__b".to_owned()), "{}");
        let others = [
            binding(&Principal::owner("ann", Servers::All), &View::All, "a__b", "{}"),
            binding(&local, &one, "a__b", "{}"),
            binding(&local, &View::Profile("a".into()), "a__b", "{}"),
            binding(&local, &View::All, "a__c", "{}"),
            binding(&local, &View::All, "a__b", r#"{"x":1}"#),
            binding(&local, &View::All, "a__b{", "}"),
            prompt,
        ];
        for other in others {
            let error = open(&key(), other, &token).unwrap_err();
            assert!(matches!(error, Error::InvalidParams(reason) if reason.contains("not given")));
        }
        assert!(open(&SessionKey::random(), ours(), &token).is_err(), "another gateway's");
    }

    #[test]
    fn it_expires() {
        let token = seal_until(&key(), ours(), b"kept", now());
        let error = open(&key(), ours(), &token).unwrap_err();
        assert!(matches!(error, Error::InvalidParams(reason) if reason.contains("has expired")));
    }

    proptest! {
        #[test]
        fn no_byte_of_it_can_be_changed(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let mut bytes = URL_SAFE_NO_PAD.decode(seal(&key(), ours(), b"kept")).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(open(&key(), ours(), &URL_SAFE_NO_PAD.encode(bytes)).is_err());
        }

        #[test]
        fn whatever_comes_is_no_panic(token in ".{0,200}") {
            prop_assert!(open(&key(), ours(), &token).is_err());
        }
    }
}
