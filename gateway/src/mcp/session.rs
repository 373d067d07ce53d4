//! Sessions of the revisions that have them, as signed tokens.
//!
//! A token carries all that a session is: its revision, its end and a random id, authenticated with
//! HMAC-SHA256. So nothing is stored, and every replica that has the key takes it. Ended sessions
//! are remembered until they would expire, on this replica, in bounded space.

use std::fmt;
use std::time::Duration;

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

    /// A key shared by replicas, from any secret with at least 16 bytes; `None` if it is shorter.
    #[must_use]
    pub fn from_secret(secret: &[u8]) -> Option<Self> {
        use sha2::Digest as _;
        (secret.len() >= 16).then(|| {
            let digest = sha2::Sha256::digest(secret);
            Self(std::array::from_fn(|index| digest[index]))
        })
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey")
    }
}

/// Issues sessions and knows them again.
#[derive(Debug)]
pub(crate) struct Sessions {
    key: SessionKey,
    ttl: Duration,
}

impl Sessions {
    pub(crate) fn new(key: SessionKey, ttl: Duration) -> Self {
        Self { key, ttl }
    }
}
