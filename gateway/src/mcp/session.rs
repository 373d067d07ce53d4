//! Sessions of the revisions that have them, as signed tokens.
//!
//! A token carries all that a session is: its revision, its end and a random id, authenticated with
//! HMAC-SHA256 together with the name of whom it was issued to: in the hands of anybody else it is
//! none. So nothing is stored, and every replica that has the key takes it. A session that its client
//! ended is remembered until it would expire, on this replica, in bounded space.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::flight::Flight;
use super::id::Id;
use super::inquiries::Inquiries;
use super::notices::Levels;
use super::revision::Revision;
use super::watched::Watched;
use crate::auth::Principal;
use crate::error::Error;
use toolgate_runtime::peer::ClientCapabilities;

/// The token's layout: version, revision, what the client can do, expiry in seconds, random id, then the MAC.
const VERSION: u8 = 2;
const SIGNED: usize = 1 + 1 + 1 + 8 + 16;
const TOKEN: usize = SIGNED + 32;
/// Longest encoded token; longer input is not even decoded.
const ENCODED: usize = TOKEN.div_ceil(3) * 4;
/// Ended sessions that are remembered. Against memory filled by opening and ending sessions; past
/// it the one that expires first is forgotten.
const MAX_ENDED: usize = 65_536;
/// A shorter secret could be guessed.
const MIN_SECRET: usize = 16;

/// Signs and verifies session tokens.
pub struct SessionKey([u8; 32]);

impl SessionKey {
    /// A key of this process alone.
    #[must_use]
    pub fn random() -> Self {
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("the system has random bytes");
        Self(key)
    }

    /// A key shared by replicas, from any secret of at least 16 bytes; `None` if it is shorter.
    #[must_use]
    pub fn from_secret(secret: &[u8]) -> Option<Self> {
        (secret.len() >= MIN_SECRET).then(|| {
            let digest = Sha256::digest(secret);
            Self(std::array::from_fn(|index| digest[index]))
        })
    }

    /// A key for something else than sessions, made from this one.
    pub(super) fn derived(&self, purpose: &[u8], salt: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes any key length");
        mac.update(purpose);
        mac.update(salt);
        mac.finalize().into_bytes().into()
    }

    /// What is signed has a fixed length, so that nobody's name can be taken for a part of it.
    fn mac(&self, signed: &[u8], principal: &Principal) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes any key length");
        mac.update(b"toolgate session\0");
        mac.update(signed);
        mac.update(principal.as_str().as_bytes());
        mac
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey")
    }
}

/// What tells two sessions apart.
pub use toolgate_runtime::sandbox::SessionId;

/// A session whose token was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// What it speaks.
    pub revision: Revision,
    /// What its client can be asked for.
    pub capabilities: ClientCapabilities,
    expires: u64,
}

/// Issues sessions and knows them again.
#[derive(Debug)]
pub struct Sessions {
    key: SessionKey,
    ttl: Duration,
    ended: Mutex<BTreeSet<(u64, SessionId)>>,
    flight: Flight<(SessionId, Id)>,
    levels: Levels,
    inquiries: Arc<Inquiries>,
    watched: Watched,
}

impl Sessions {
    /// Sessions signed with `key` that live for `ttl`.
    #[must_use]
    pub fn new(key: SessionKey, ttl: Duration) -> Self {
        Self {
            key,
            ttl,
            ended: Mutex::default(),
            flight: Flight::default(),
            levels: Levels::default(),
            inquiries: Arc::default(),
            watched: Watched::default(),
        }
    }

    /// The requests in flight of all sessions.
    #[must_use]
    pub fn flight(&self) -> &Flight<(SessionId, Id)> {
        &self.flight
    }

    /// From which level on sessions hear what is logged.
    #[must_use]
    pub fn levels(&self) -> &Levels {
        &self.levels
    }

    /// What signs them.
    pub(crate) fn key(&self) -> &SessionKey {
        &self.key
    }

    /// What their clients are asked.
    #[must_use]
    pub fn inquiries(&self) -> &Arc<Inquiries> {
        &self.inquiries
    }

    /// The resources of whose changes they are told.
    #[must_use]
    pub fn watched(&self) -> &Watched {
        &self.watched
    }

    /// A token for a new session, for `principal` alone, whose client can do that.
    #[must_use]
    pub fn open(
        &self,
        principal: &Principal,
        revision: Revision,
        capabilities: ClientCapabilities,
    ) -> String {
        let mut id = SessionId::default();
        getrandom::fill(&mut id).expect("the system has random bytes");
        let expires = now().saturating_add(self.ttl.as_secs());
        self.sign(principal, Session { id, revision, capabilities, expires })
    }

    /// The session of a token that `principal` presents.
    ///
    /// # Errors
    /// [`Error::SessionUnknown`] if it was not issued to it with this key, has expired or was ended.
    pub fn verify(&self, principal: &Principal, token: &str) -> Result<Session, Error> {
        let session = self
            .read(principal, token)
            .ok_or(Error::SessionUnknown("not issued by this gateway; initialize again"))?;
        if session.expires <= now() {
            return Err(Error::SessionUnknown("expired; initialize again"));
        }
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.contains(&(session.expires, session.id)) {
            return Err(Error::SessionUnknown("ended by its client; initialize again"));
        }
        Ok(session)
    }

    /// Ends a session: cancels what it has in flight and refuses it from now on.
    pub fn end(&self, session: Session) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let live = ended.split_off(&(now(), SessionId::default()));
        *ended = live;
        ended.insert((session.expires, session.id));
        if ended.len() > MAX_ENDED {
            ended.pop_first();
        }
        drop(ended);
        self.levels.forget(session.id);
        self.watched.forget(session.id);
        self.flight.cancel_where(|(id, _)| *id == session.id);
    }

    fn sign(&self, principal: &Principal, session: Session) -> String {
        let mut token = Vec::with_capacity(TOKEN);
        token.push(VERSION);
        token.push(revision_code(session.revision));
        token.push(session.capabilities.bits());
        token.extend_from_slice(&session.expires.to_be_bytes());
        token.extend_from_slice(&session.id);
        let mac = self.key.mac(&token, principal).finalize().into_bytes();
        token.extend_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(token)
    }

    fn read(&self, principal: &Principal, token: &str) -> Option<Session> {
        if token.len() > ENCODED {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signed, mac) = bytes.split_at_checked(SIGNED)?;
        self.key.mac(signed, principal).verify_slice(mac).ok()?;
        let (&[version, revision, capabilities], rest) = signed.split_first_chunk()?;
        let (&expires, rest) = rest.split_first_chunk()?;
        (version == VERSION).then_some(())?;
        Some(Session {
            id: rest.try_into().ok()?,
            revision: Revision::ALL.into_iter().find(|r| revision_code(*r) == revision)?,
            capabilities: ClientCapabilities::from_bits(capabilities),
            expires: u64::from_be_bytes(expires),
        })
    }
}

fn revision_code(revision: Revision) -> u8 {
    match revision {
        Revision::V2025_03_26 => 1,
        Revision::V2025_06_18 => 2,
        Revision::V2025_11_25 => 3,
        Revision::V2026_07_28 => 4,
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
